"""saliency.json: where a model looked on the test parts, and how well it looked at lesions."""

from pathlib import Path

import numpy as np

from graft.common.documents import check_schema, clean
from graft.common.seeds import generator
from graft.data.domain import Domain
from graft.explain.hardest_cases import ExplainedCases
from graft.explain.pointing import PointingScores, score_maps, score_models, summarise_scores
from graft.explain.regions import lesion_regions, occupied_shares, region_kind
from graft.explain.saliency import METHODS, randomised_models
from graft.networks.saved import Model

SCHEMA = Path(__file__).with_name("saliency.schema.json")


def saliency_document(
    name: str,
    model: Model,
    domain: Domain,
    rows: np.ndarray,
    cases: ExplainedCases,
    resamples: int,
    confidence: float,
    seed: int,
) -> dict:
    """Make saliency.json: the scores of each method, and the drawn cases with their scores.

    Args:
        name: the name of the model.
        model: the model.
        domain: the target.
        rows: the rows of its index that belong to the test part or to the external site.
        cases: the cases that are drawn as pictures.
        resamples: the number of bootstrap resamples.
        confidence: the level of the intervals.
        seed: decides the resamples, the sample of lesions and the randomised models.

    Returns:
        Plain JSON values that conform to the schema.
    """
    region = region_kind(domain)
    if region is None:
        scores: dict[str, object] = {
            "lesions": len(rows),
            "uniform_share": None,
            "methods": dict.fromkeys(METHODS),
        }
    else:
        occupied = occupied_shares(domain, rows)
        scores = {
            "lesions": int((occupied > 0).sum()),
            "uniform_share": float(occupied[occupied > 0].mean()) if occupied.any() else np.nan,
            "methods": _score_methods(
                model,
                domain,
                rows,
                resamples,
                confidence,
                seed,
            ),
        }
    described = _describe_cases(cases)
    content = {"model": name, "region": region, **scores, "cases": described}
    document = {key: clean(value) for key, value in content.items()}
    check_schema(document, SCHEMA)
    return document


def summarise_saliency(document: dict) -> list[str]:
    """Describe saliency.json in words, one line per method."""
    model = document["model"]
    if document["region"] is None:
        return [
            f"{model}: the lesions' positions in their patches are unknown, so no map is scored"
        ]
    lines = []
    for name, scores in document["methods"].items():
        title = f"{METHODS[name].title} of {model}"
        share, randomised = scores["share"]["value"], scores["randomised"]["share"]["value"]
        if share is None:
            lines.append(f"{title}: no lesion has both a map and a region")
            continue
        of_randomised = "not defined" if randomised is None else f"{randomised:.3f}"
        line = (
            f"{title}: {share:.3f} of it lies within the lesion (a uniform map: "
            f"{document['uniform_share']:.3f}, randomised weights: {of_randomised})"
        )
        if scores["keeps"]:
            line += ", so it does not show what was learned"
        lines.append(line)
    return lines


def _score_methods(
    model: Model,
    domain: Domain,
    rows: np.ndarray,
    resamples: int,
    confidence: float,
    seed: int,
) -> dict[str, dict]:
    """Score each method on a random sample of at most `most_lesions` lesions."""
    randomised = randomised_models(model, seed)
    found = {}
    for name, method in METHODS.items():
        order = generator(seed, "saliency", domain.name).permutation(len(rows))
        sample = np.sort(order[: method.most_lesions])
        regions = lesion_regions(domain, rows[sample])
        assert regions is not None, "the domain has regions"
        lesions = domain, rows[sample], regions
        scores, tolerance = score_models(method, [model], *lesions)
        random_scores, _ = score_models(method, randomised, *lesions, both_sides=True)
        patients = domain.index["patient"].iloc[rows[sample]]
        draws = generator(seed, "bootstrap", domain.name, name)
        summary = summarise_scores(
            scores,
            random_scores,
            patients,
            resamples,
            confidence,
            draws,
        )
        found[name] = {"tolerance": tolerance, "sampled": len(sample), **summary}
    return found


def _describe_cases(cases: ExplainedCases) -> list[dict]:
    """The entries of the drawn cases: prediction, picture and the scores of each method."""
    scores = {}
    if cases.regions is not None:
        for name, maps in cases.maps.items():
            scores[name] = score_maps(maps, cases.regions)
    columns = ["sample", "part", "label", "predicted", "p"]
    described = []
    for row, case in enumerate(cases.table[columns].to_dict("records")):
        case["picture"] = f"maps/{case['sample']}.png"
        for name in METHODS:
            case[name] = _describe_score(scores.get(name), row)
        described.append(case)
    return described


def _describe_score(scores: PointingScores | None, row: int) -> dict | None:
    if scores is None or np.isnan(scores.share[row]):
        return None
    return {"share": float(scores.share[row]), "hit": bool(scores.hit[row])}
