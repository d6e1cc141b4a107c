"""Which models were trained on a patient, by what their cards say about their data."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from graft.common.files import InputError, read_json
from graft.forgetting.patient_rows import PatientRows
from graft.networks.card import CARD
from graft.prediction.identity import model_digest
from graft.release.fitted import FITTED

TRAINED = "was trained on the patient"
VALIDATED = "was chosen with the patient, who is in the validation part"
DESCENDANT = "was made from a model that was trained on the patient"
UNKNOWN = "may have been trained on the patient: its data or its parent is not here as it was"
ADAPTED = "may have been adapted to the patient: nobody noted the patients of its site"
SURE = (TRAINED, VALIDATED, DESCENDANT)
FOLDS = "folds"  # a folder of further networks of the same model


@dataclass(frozen=True)
class FoundModel:
    """A model folder.

    Attributes:
        folder: it.
        how: what it has to do with the patient; "" if nothing.
        digests: by which other models, exports and answers name it.
    """

    folder: Path
    how: str
    digests: Sequence[str]

    @property
    def is_sure(self) -> bool:
        """Whether it is known to come from the patient's data."""
        return self.how in SURE


def find_models(cards: Sequence[Path], rows: Mapping[str, PatientRows]) -> list[FoundModel]:
    """Judge model folders by their card.json, children before their parents.

    `rows` are the patient's, of each domain that has the patient.
    """
    folders = [card.parent for card in cards if card.parent.parent.name != FOLDS]
    texts = {folder: _texts(folder) for folder in folders}
    names = {folder: _digests(folder) for folder in folders}
    how = {folder: _judge(folder, rows) or _adapted(folder) for folder in folders}
    known = {digest for digests in names.values() for digest in digests}
    children: dict[Path, set[Path]] = {folder: set() for folder in folders}
    for folder in folders:
        for other in folders:
            if other != folder and any(digest in texts[other] for digest in names[folder]):
                children[folder].add(other)
    for folder in folders:
        parent = _parent(folder)
        if not how[folder] and parent and parent not in known:
            how[folder] = UNKNOWN
    order = _parents_first(folders, children)
    for folder in order:
        for child in children[folder]:
            if how[folder] in SURE and how[child] not in SURE:
                how[child] = DESCENDANT
            elif how[folder] in (UNKNOWN, ADAPTED) and not how[child]:
                how[child] = UNKNOWN
    return [FoundModel(folder, how[folder], names[folder]) for folder in reversed(order)]


def _parents_first(folders: Sequence[Path], children: Mapping[Path, set[Path]]) -> list[Path]:
    """The folders in an order in which no model comes before one that it was made from."""
    order: list[Path] = []

    def visit(folder: Path, above: tuple[Path, ...]) -> None:
        if folder in order or folder in above:  # copies name each other
            return
        for child in sorted(children[folder]):
            visit(child, (*above, folder))
        order.append(folder)

    for folder in folders:
        visit(folder, ())
    return order[::-1]


def _texts(folder: Path) -> str:
    """What a model folder says about itself and where it comes from."""
    texts = []
    for name in (CARD, FITTED):
        try:
            texts.append((folder / name).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            continue
    return "".join(texts)


def _digests(folder: Path) -> list[str]:
    """The digests by which other models may name a model."""
    digests = [str(_card(folder).get("weights_sha256", ""))]
    with suppress(InputError):  # it has no weights
        digests.append(model_digest(folder))
    return [digest for digest in digests if digest]


def _parent(folder: Path) -> str:
    parent = _card(folder).get("parent")
    return str(parent.get("weights_sha256", "")) if isinstance(parent, dict) else ""


def _card(folder: Path) -> dict:
    try:
        return read_json(folder / CARD)
    except InputError:  # damaged: its data is not known
        return {"data": {"domain": None}}


def _judge(folder: Path, rows: Mapping[str, PatientRows]) -> str:
    """What a model has to do with the patient by its own data."""
    card = _card(folder)
    data = card.get("data")
    if not isinstance(data, dict) or not data:  # as of a network that several hospitals trained
        about = card.get("weights")  # of a file; those of a model have data that nobody noted
        is_model = not about or (isinstance(about, dict) and about.get("source") == "model")
        return UNKNOWN if is_model else ""
    if "domain" not in data:  # a network that learned without labels, of several domains
        if not all(isinstance(entry, dict) and "images_sha256" in entry for entry in data.values()):
            return UNKNOWN
        seen = [rows[name].saw_images(entry) for name, entry in data.items() if name in rows]
        return _worst(seen)
    if data["domain"] is None:
        return UNKNOWN
    if data["domain"] not in rows:
        return ""
    return _worst([rows[data["domain"]].saw_labels(data, card.get("covariates", ()))])


def _adapted(folder: Path) -> str:
    """ADAPTED if `graft adapt` made a model; "" otherwise."""
    try:
        return ADAPTED if read_json(folder / FITTED).get("adaptation") else ""
    except InputError:
        return ""


def _worst(answers: Sequence[str | None]) -> str:
    """TRAINED or VALIDATED if a part has the patient, UNKNOWN if it is not known."""
    if "train" in answers:
        return TRAINED
    if "validation" in answers:
        return VALIDATED
    return UNKNOWN if None in answers else ""
