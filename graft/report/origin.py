"""Where it all comes from: data and split, checks, parameters, hashes, the model card."""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath, PureWindowsPath

from graft.common.vocabulary import PARTS
from graft.report.evidence import Evidence
from graft.report.numbers import number, value_of
from graft.report.table import Table


def counts(evidence: Evidence, role: str) -> Table:
    """Patients and lesions of a domain by part and class."""
    domain = evidence.metrics[role]
    rows = []
    for part in (part for part in PARTS if domain["counts"].get(part)):
        found = domain["counts"][part]
        rows.append(
            [
                part,
                number(found["patients"]),
                number(found["lesions"]),
                *(number(size["lesions"]) for size in found["by_class"].values()),
            ]
        )
    classes = list(domain["counts"]["train"]["by_class"])
    head = ["part", "patients", "lesions", *(f"{label} lesions" for label in classes)]
    return Table(f"{domain['name']}, the {role}", head, rows)


def checks(evidence: Evidence) -> Table | None:
    """What was looked at for leaks, and what was found."""
    found = evidence.block("checks")
    if not found:
        return None
    rows = [[row["name"], row["domain"], row["looked_at"], row["found"]] for row in found]
    return Table(
        "Checks, all of which were passed", ["check", "domain", "looked at", "found"], rows, True
    )


def params(evidence: Evidence) -> Table:
    """Every parameter of the run, with the folders of this machine left out."""
    rows = [[key, shown(value)] for key, value in _flat(evidence.params)]
    return Table("params.yaml, as it was for this run", ["parameter", "value"], rows)


def shown(value: object) -> str:
    """A parameter as text; of an absolute path the last name alone."""
    if value is None or value == "" or value == [] or value == {}:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(shown(item) for item in value)
    if isinstance(value, float):
        return f"{value:g}"
    text = str(value)
    if PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute():
        return "…/" + PureWindowsPath(text).name
    return text


def hashes(evidence: Evidence) -> Table:
    """SHA-256 of the data and of the weights."""
    found = evidence.block("hashes") or {}
    rows = [
        [f"{evidence.metrics[role]['name']}: {what}", code or "none"]
        for role in ("source", "target")
        for what, code in (found.get(role) or {}).items()
    ]
    rows += [
        [f"weights of {name}", code or "none"] for name, code in (found.get("models") or {}).items()
    ]
    card = evidence.card
    rows.append(
        [f"weights of the model kept ({evidence.chosen})", card.get("weights_sha256") or "none"]
    )
    rows += [[f"its {key.partition('_')[0]} part", card["data"][key]] for key in _hash_keys(card)]
    if (parent := card.get("parent") or {}).get("weights_sha256"):
        rows.append([f"its parent, {shown(parent['folder'])}", parent["weights_sha256"]])
    return Table("SHA-256 of what went in and what came out", ["of", "hash"], rows)


def model_card(evidence: Evidence) -> Iterator[tuple[str, list[str]]]:
    """Headings and paragraphs of the card, after Mitchell et al. (2019), Model Cards for Model Reporting."""
    card, metrics = evidence.card, evidence.metrics
    source, target = metrics["source"]["name"], metrics["target"]["name"]
    shape, train = card["architecture"], metrics["target"]["counts"]["train"]
    made = ", ".join(f"{key} {shown(value)}" for key, value in shape.items() if key != "name")
    before = f"after {number(metrics['source']['counts']['train']['lesions'])} lesions of {source}"
    if not metrics["source"]["pretrained"]:
        before = f"from weights that were learnt elsewhere ({shown(evidence.params['pretrain']['source'])})"
    yield (
        "Model",
        [
            f"{evidence.chosen}: the one of {len(metrics['models'])} with the lowest {metrics['chosen']['by']}, kept in "
            f"models/best. Architecture {shape['name']}, {made}.",
            _parent(card, source),
        ],
    )
    yield (
        "Intended use",
        [
            f"Research only: to find out whether what was learnt on {source} helps to tell {_either(evidence.classes)} "
            f"apart on {target}. It is not a medical device and not fit for diagnosis.",
            "Out of its scope: patients of other kinds than those below, other scanners and protocols without a test of "
            "their own, lesions that nobody has marked, and any decision about a patient.",
        ],
    )
    yield (
        "Training data",
        [
            f"{number(train['lesions'])} lesions of {number(train['patients'])} patients of {target}, {before}."
        ],
    )
    yield (
        "Evaluation data",
        [
            f"{number(found['lesions'])} lesions of {number(found['patients'])} patients: {part}."
            for part, found in (
                (part, metrics["target"]["counts"][part]) for part in evidence.parts
            )
        ],
    )
    yield (
        "Metrics",
        [
            f"AUROC {_auroc(evidence, part)} on the {part} part; above it stands with its interval, and by subgroup."
            for part in evidence.parts
        ],
    )
    yield "Limits", list(_limits(evidence))


def _limits(evidence: Evidence) -> Iterator[str]:
    smallest = min(
        evidence.metrics["target"]["counts"][part]["patients"] for part in evidence.parts
    )
    yield f"The smallest part it was tested on has {number(smallest)} patients: the intervals say how little that is."
    if "external" not in evidence.parts:
        yield "No site was held out, so nothing is known about other hospitals."
    if not (evidence.block("subgroups") or {}).get("rows"):
        yield "Nothing is known about subgroups."
    yield "Saliency and robustness show how the model behaves on these images, not that it reasons as a reader does."
    if any(path.startswith("data/phantom/") for path in _paths(evidence)):
        yield "The cohort is synthetic: nothing here says anything about a patient."


def _paths(evidence: Evidence) -> list[str]:
    domains = evidence.params["domains"]
    return [domains[evidence.params[role]]["path"] for role in ("source", "target")]


def _parent(card: Mapping, source: str) -> str:
    folder = (card.get("parent") or {}).get("folder")
    return (
        f"Trained on from {shown(folder)}." if folder else f"Learnt from scratch, without {source}."
    )


def _auroc(evidence: Evidence, part: str) -> str:
    return number(value_of(evidence.metrics["models"][evidence.chosen][part]["auroc"]))


def _either(classes: list[str]) -> str:
    return ", ".join(classes[:-1]) + f" and {classes[-1]}"


def _hash_keys(card: Mapping) -> list[str]:
    return [
        key for key in ("train_sha256", "validation_sha256") if (card.get("data") or {}).get(key)
    ]


def _flat(content: Mapping, prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in content.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
