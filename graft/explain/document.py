"""Where a model looked on the target's test parts, and how well that points at the lesions: saliency.json."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.documents import check_schema, clean
from graft.common.files import InputError
from graft.common.seeds import generator
from graft.common.vocabulary import TESTS
from graft.data.domain import Domain
from graft.explain import saliency
from graft.explain.pointing import Pointing, describe, point, score
from graft.explain.regions import kind, regions
from graft.explain.saliency import Maps
from graft.networks.saved import Model
from graft.statistics.scores import LEAST_PROBABILITY, PROBABILITY_DECIMALS

SCHEMA = Path(__file__).with_name("saliency.schema.json")
METHODS = {"grad_cam": saliency.grad_cam, "occlusion": saliency.occlusion}
NAMES = {"grad_cam": "Grad-CAM", "occlusion": "occlusion"}
AT_MOST = {"grad_cam": None, "occlusion": 24}  # lesions scored; each asks every network 126 times


@dataclass(frozen=True)
class Shown:
    """The hardest cases, rows of predictions.csv, with their maps by method and their regions, or None."""

    table: pd.DataFrame
    maps: Mapping[str, Maps]
    regions: np.ndarray | None
    disease: str

    def title(self, row: int) -> str:
        """What was so and what was said of a case, and what the colours mean; nothing that tells who it is."""
        case = self.table.iloc[row]
        said = f"{case['label']}, called {case['predicted']}, p({self.disease}) = {case['p']:.2f}"
        return f"sample {case['sample']}, {case['part']}: {said}\nviolet: for {self.disease}, orange: against"


def hardest(predictions: pd.DataFrame, name: str, classes: list[str], count: int) -> pd.DataFrame:
    """The rows of predictions.csv whose true class a model gave the least chance, the test part before the external.

    Adds `p`, the probability of the disease. Of equally hard ones the first sample comes first.

    Raises InputError where the table lacks the model or a column.
    """
    mine = predictions[predictions["model"] == name] if "model" in predictions else predictions[:0]
    missing = [
        column
        for column in ("sample", "part", "label", "predicted", *_columns(classes))
        if column not in mine
    ]
    if missing or mine.empty:
        raise InputError(
            f"predictions.csv: has no {'column ' + missing[0] if missing else 'row of the model ' + name}, expected "
            "the table that evaluate writes"
        )
    of_true = np.select(
        [mine["label"] == label for label in classes],
        [mine[column] for column in _columns(classes)],
    )
    losses = -np.log(np.maximum(of_true, LEAST_PROBABILITY)).round(PROBABILITY_DECIMALS)
    order = np.lexsort((mine["sample"], -losses, mine["part"].map(TESTS.index)))
    found = mine.iloc[order[:count]].reset_index(drop=True)
    return found.assign(p=found[_columns(classes)[-1]])


def show(model: Model, domain: Domain, cases: pd.DataFrame) -> Shown:
    """The maps and the regions of the cases that `hardest` gives."""
    rows = cases["sample"].to_numpy()
    images, known = domain.images[rows], domain.clinical(rows)
    maps = (
        {method: draw(model, images, known) for method, draw in METHODS.items()}
        if len(rows)
        else {}
    )
    return Shown(cases, maps, regions(domain, rows), domain.classes[-1])


def describe_saliency(
    name: str,
    model: Model,
    domain: Domain,
    rows: np.ndarray,
    shown: Shown,
    resamples: int,
    confidence: float,
    seed: int,
) -> dict:
    """saliency.json as plain JSON values, checked. `rows` are those of the test part and of the external site."""
    where, methods = regions(domain, rows), dict.fromkeys(METHODS)
    if where is not None:
        random = saliency.randomised(model, seed)
        for method, draw in METHODS.items():
            some = _sample(len(rows), AT_MOST[method], generator(seed, "saliency", domain.name))
            told = domain, rows[some], where[some]
            found, beside = point(draw, [model], *told)
            drawn, _ = point(draw, random, *told, both_sides=True)
            patients, luck = (
                domain.index["patient"].iloc[rows[some]],
                generator(seed, "bootstrap", domain.name, method),
            )
            methods[method] = {
                "tolerance": beside,
                "sampled": len(some),
                **describe(found, drawn, patients, resamples, confidence, luck),
            }
    told = clean(
        {
            "model": name,
            "region": kind(domain),
            "lesions": len(rows)
            if where is None
            else int(where.reshape(len(rows), -1).any(1).sum()),
            "uniform_share": None if where is None else _uniform(where),
            "methods": methods,
            "cases": _cases(shown),
        }
    )
    check_schema(told, SCHEMA)
    return told


def lines(found: dict) -> list[str]:
    """What saliency.json says, a line a method."""
    if found["region"] is None:
        return [
            f"{found['model']}: where the lesions lie in their patches is not known, so no map is scored"
        ]
    told = []
    for method, score in found["methods"].items():
        share, random = score["share"], score["randomised"]["share"]
        if share["value"] is None:
            told.append(f"{NAMES[method]} of {found['model']}: no lesion has a map and a region")
            continue
        told.append(
            f"{NAMES[method]} of {found['model']}: {share['value']:.3f} of it lies within the lesion "
            f"(an even map: {found['uniform_share']:.3f}, weights drawn anew: {random['value']:.3f})"
            + (", so it does not show what was learnt" if score["keeps"] else "")
        )
    return told


def _columns(classes: list[str]) -> list[str]:
    return [f"p_{label}" for label in classes]


def _sample(count: int, at_most: int | None, random: np.random.Generator) -> np.ndarray:
    return np.sort(random.permutation(count)[:at_most])


def _uniform(where: np.ndarray) -> float:
    """The mean share of a patch that its region takes, over the lesions that have one."""
    shares = where.reshape(len(where), -1).mean(1)
    return float(shares[shares > 0].mean()) if shares.any() else np.nan


def _cases(shown: Shown) -> list[dict]:
    columns = ("sample", "part", "label", "predicted", "p")
    rows = [
        {name: row[name] for name in columns}
        for row in shown.table[list(columns)].to_dict("records")
    ]
    scores = (
        {}
        if shown.regions is None
        else {name: score(maps, shown.regions) for name, maps in shown.maps.items()}
    )
    for k, row in enumerate(rows):
        row["picture"] = f"maps/{row['sample']}.png"
        row |= {method: _score(scores.get(method), k) for method in METHODS}
    return rows


def _score(found: Pointing | None, row: int) -> dict | None:
    if found is None or np.isnan(found.share[row]):
        return None
    return {"share": float(found.share[row]), "hit": bool(found.hit[row])}
