"""Where the model looked: how much of it lay in the lesion, and the hardest cases with their maps."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from markupsafe import Markup

from graft.report.evidence import Evidence
from graft.report.numbers import ABSENT, number, percent, plural, share, value_of
from graft.report.table import Cell, Table

MOST_BYTES = 1_500_000  # of pictures on the page, which base64 makes a third larger
METHODS = {"grad_cam": "Grad-CAM", "occlusion": "Occlusion"}


REGIONS = {
    "mask": "The lesion is what its mask covers.",
    "ball of the diameter": "No mask says where a lesion ends: a ball of its diameter stands for it.",
    None: "Neither a mask nor a size says where a lesion ends: shares are not defined.",
}
KEEPS = {True: Cell("as good: do not trust it", "bad"), False: "worse, as it should"}


@dataclass(frozen=True)
class Picture:
    """A case: what is seen, in words, and the picture itself as an address that holds it."""

    caption: str
    alt: str
    source: Markup


def saliency(evidence: Evidence) -> Table | None:
    """Share of the saliency within the lesion, and how often its peak lies there; a randomised network beside it."""
    found = evidence.saliency
    methods = {
        name: method for name, method in (found or {"methods": {}})["methods"].items() if method
    }
    if not methods:
        return None
    rows = []
    for name, method in methods.items():
        random = method["randomised"]
        keeps = KEEPS.get(method["keeps"], ABSENT)
        rows.append(
            [
                METHODS[name],
                share(method["share"]),
                share(random["share"]),
                percent(found["uniform_share"]),
                share(method["pointing_game"]),
                share(random["pointing_game"]),
                percent(method["by_chance"]),
                keeps,
            ]
        )
    head = [
        "method",
        "share in the lesion",
        "share, randomised",
        "share, uniform",
        "peak in the lesion",
        "peak, randomised",
        "peak by chance",
        "randomised share is",
    ]
    return Table(
        f"Where {found['model']} looked: {plural(found['lesions'], 'lesion')}", head, rows, True
    )


def doubts(evidence: Evidence) -> Iterator[str]:
    """Methods whose peak is no better placed than that of a network that learnt nothing, a sentence each."""
    for name, method in evidence.saliency["methods"].items():
        if not method:
            continue
        ours, drawn = (value_of(found["pointing_game"]) for found in (method, method["randomised"]))
        if ours is not None and drawn is not None and ours <= drawn:
            yield f"{METHODS[name]} peaks in the lesion no more often than with weights drawn anew."


def region(evidence: Evidence) -> str:
    """What counted as the lesion, in a sentence."""
    return REGIONS[evidence.saliency["region"]]


def pictures(evidence: Evidence) -> tuple[list[Picture], int]:
    """The cases that have a picture, the hardest first, and how many were left out as the page grew too large."""
    shown, spent, left_out = [], 0, 0
    for case in (evidence.saliency or {"cases": []})["cases"]:
        content = evidence.pictures.get(case["picture"])
        if content is None:
            continue
        spent += len(content)
        if spent > MOST_BYTES:
            left_out += 1
            continue
        source = Markup("data:image/png;base64,") + base64.b64encode(content).decode()
        shown.append(Picture(_caption(case, evidence.classes[-1]), _alt(case), source))
    return shown, left_out


def _caption(case: Mapping, disease: str) -> str:
    return (
        f"Sample {case['sample']}, {case['part']}: it is {case['label']} and was called {case['predicted']}, "
        f"with a probability of {number(case['p'])} that it is {disease}."
    )


def _alt(case: Mapping) -> str:
    """What the maps show, by their numbers."""
    told = [f"Three planes through the lesion of sample {case['sample']}, with the maps over them."]
    for key, name in METHODS.items():
        if found := case[key]:
            peak = {True: "inside", False: "outside"}.get(
                found["hit"], "not known to be inside or outside"
            )
            told.append(
                f"{name}: {percent(found['share'])} of the saliency in the lesion, its peak {peak}."
            )
    return " ".join(told)
