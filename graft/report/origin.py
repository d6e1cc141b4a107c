"""Tables of the run's origin: data and split, checks, parameters, hashes."""

from collections.abc import Iterator
from pathlib import PurePosixPath, PureWindowsPath

from graft.charts.numbers import number, patients_of
from graft.charts.table import Table
from graft.common.vocabulary import PARTS, PUBLISHED, PUBLISHED_KEYS
from graft.evidence.evidence import Block, Evidence

ROLES = ("source", "target")
CARD_HASHES = {"train_sha256": "train", "validation_sha256": "validation"}


def start(evidence: Evidence) -> str:
    """Where the transferred weights come from: the source, or weights from elsewhere."""
    if evidence.metrics["source"]["pretrained"]:
        return evidence.metrics["source"]["name"]
    return parameter_text(evidence.parameters["pretrain"]["source"])


def first_step(evidence: Evidence) -> str:
    """What transfer does before it trains on the target, in words."""
    without_labels = evidence.parameters.get("self_supervise", {}).get("epochs", 0) > 0
    if evidence.metrics["source"]["pretrained"]:
        before = "learning from images without labels and " if without_labels else ""
        return f"{before}training on {start(evidence)} first"
    if without_labels:
        return "learning from images without labels first"
    return f"starting from the weights {start(evidence)}"


def counts(evidence: Evidence, role: str) -> Table:
    """Patients and lesions of the source or the target by part and class."""
    domain = evidence.metrics[role]
    rows = []
    for part in PARTS:
        size = domain["counts"].get(part)
        if not size:
            continue
        row = [part, patients_of(size), number(size["lesions"])]
        row += [number(of_class["lesions"]) for of_class in size["by_class"].values()]
        rows.append(row)
    head = ["part", "patients", "lesions"]
    head += [f"{label} lesions" for label in domain["counts"]["train"]["by_class"]]
    return Table(f"{domain['name']}, the {role} domain", head, rows)


def checks(evidence: Evidence) -> Table | None:
    """What was checked for leaks, and the results."""
    found = evidence.block("checks")
    if not found:
        return None
    rows = [[row["name"], row["domain"], row["looked_at"], row["found"]] for row in found]
    head = ["check", "domain", "checked", "result"]
    return Table("Checks, all of them passed", head, rows, wide=True)


def published_keys(evidence: Evidence, real: bool = False) -> list[str]:
    """Sentences on the domains whose pseudonyms were made with the published key.

    Args:
        evidence: of the run.
        real: whether to leave out domains of synthetic patients.
    """
    wanted = [PUBLISHED_KEYS[PUBLISHED]] if real else list(PUBLISHED_KEYS.values())
    names: dict[str, list[str]] = {}
    for row in evidence.block("checks") or []:
        if row["name"] == "pseudonyms" and row["found"] in wanted:
            names.setdefault(row["found"], []).append(row["domain"])
    return [f"Pseudonyms of {' and '.join(of)}: {found}." for found, of in names.items()]


def parameters(evidence: Evidence) -> Table:
    """Every parameter of the run, without the folders of the machine that it ran on."""
    rows = [[key, parameter_text(value)] for key, value in _flat(evidence.parameters)]
    return Table(f"{evidence.parameters_name}, as used in this run", ["parameter", "value"], rows)


def hashes(evidence: Evidence) -> Table:
    """SHA-256 of the data and of the weights."""
    return Table("SHA-256 of the data and the weights", ["file", "hash"], _hash_rows(evidence))


def parameter_text(value: object) -> str:
    """A parameter as text; an absolute path is reduced to its last name."""
    if value is None or value == "" or value == [] or value == {}:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(parameter_text(item) for item in value)
    if isinstance(value, float):
        return f"{value:g}"
    text = str(value)
    if PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute():
        return "…/" + PureWindowsPath(text).name
    return text


def _hash_rows(evidence: Evidence) -> list[list[str]]:
    block = evidence.block("hashes") or {}
    card = evidence.card
    rows = []
    for role in ROLES:
        for what, code in (block.get(role) or {}).items():
            rows.append([f"{evidence.metrics[role]['name']}: {what}", code or "none"])
    for name, code in (block.get("models") or {}).items():
        rows.append([f"weights of {name}", code or "none"])
    chosen = f"weights of the chosen model ({evidence.chosen})"
    rows.append([chosen, card.get("weights_sha256") or "none"])
    data = card.get("data") or {}
    for key, part in CARD_HASHES.items():
        if data.get(key):
            rows.append([f"its {part} part", data[key]])
    parent = card.get("parent") or {}
    if parent.get("weights_sha256"):
        rows.append([f"its parent, {parameter_text(parent['folder'])}", parent["weights_sha256"]])
    return rows


def _flat(content: Block, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield the values of nested mappings with their dotted keys."""
    for key, value in content.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
