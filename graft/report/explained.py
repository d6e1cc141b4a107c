"""Where the model looked: saliency in the lesion, and the hardest cases with their maps."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from graft.charts.numbers import ABSENT, number, percent, plural, share, value_of
from graft.charts.table import Cell, Row, Table
from graft.evidence.evidence import Block, Evidence

MAX_BYTES = 1_500_000  # of pictures on the page; base64 makes them a third larger
METHODS = {"grad_cam": "Grad-CAM", "occlusion": "Occlusion"}
REGIONS = {
    "mask": "The lesion is the region that its mask covers.",
    "ball of the diameter": "The data has no masks, so the lesion is taken to be a ball of its "
    "diameter.",
    None: "The data has neither masks nor sizes of lesions, so shares are not defined.",
}
KEEPS = {
    True: Cell("as high: do not trust it", "bad"),
    False: Cell("lower, as it should be"),
    None: Cell(ABSENT),
}
PEAKS = {
    True: "its peak is inside",
    False: "its peak is outside",
    None: "whether its peak is inside is not known",
}


@dataclass(frozen=True)
class CasePicture:
    """The picture of one case with its caption and its content in words."""

    caption: str
    alt: str
    source: Markup  # a data address that contains the picture


def saliency(evidence: Evidence) -> Table | None:
    """The share of saliency in the lesion and how often the peak is there, next to references."""
    block = evidence.saliency
    rows = []
    for name, method in block["methods"].items():
        if not method:
            continue
        randomised = method["randomised"]
        row: Row = [
            METHODS[name],
            share(method["share"]),
            share(randomised["share"]),
            percent(block["uniform_share"]),
            share(method["pointing_game"]),
            share(randomised["pointing_game"]),
            percent(method["by_chance"]),
            KEEPS[method["keeps"]],
        ]
        rows.append(row)
    if not rows:
        return None
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
    caption = f"Where {block['model']} looked: {plural(block['lesions'], 'lesion')}"
    return Table(caption, head, rows, wide=True)


def doubts(block: Block) -> Iterator[str]:
    """Yield a sentence for each method whose peak is no better than with randomised weights."""
    for name, method in block["methods"].items():
        if not method:
            continue
        trained = value_of(method["pointing_game"])
        randomised = value_of(method["randomised"]["pointing_game"])
        if trained is None or randomised is None or trained > randomised:
            continue
        yield f"{METHODS[name]} peaks in the lesion no more often than with randomised weights."


def pictures(evidence: Evidence) -> tuple[list[CasePicture], int]:
    """The cases that have a picture, hardest first, and the number left out to save space."""
    shown: list[CasePicture] = []
    total_bytes = 0
    left_out = 0
    for case in evidence.saliency["cases"]:
        content = evidence.pictures[case["picture"]]
        total_bytes += len(content)
        if total_bytes > MAX_BYTES:
            left_out += 1
            continue
        source = Markup("data:image/png;base64,") + base64.b64encode(content).decode()
        shown.append(CasePicture(_caption(case, evidence.classes[-1]), _in_words(case), source))
    return shown, left_out


def _caption(case: Block, disease: str) -> str:
    return (
        f"Sample {case['sample']}, {case['part']}: actual class {case['label']}, predicted class "
        f"{case['predicted']}, probability of {disease} {number(case['p'])}."
    )


def _in_words(case: Block) -> str:
    """What the maps show, in numbers."""
    sentences = [f"Three planes through the lesion of sample {case['sample']}, with saliency maps."]
    for key, name in METHODS.items():
        found = case[key]
        if found:
            inside = percent(found["share"])
            peak = PEAKS[found["hit"]]
            sentences.append(f"{name}: {inside} of the saliency is in the lesion, {peak}.")
    return " ".join(sentences)
