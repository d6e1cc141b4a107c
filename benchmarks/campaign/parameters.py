"""Wrong parameters: one key of params.yaml, or several together, have a value that cannot be used.

The stage `parameters` runs first, as in the pipeline. If it accepts the value, the stages that read
the key run as well. A value that is wrong in any case, such as a text in place of a number, must be
refused by one of them.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from ruamel.yaml import YAML

from benchmarks.campaign.attempts import Attempt, run_step
from benchmarks.campaign.project import change_parameters, copy_project, stage_step
from graft.common.seeds import generator

SECONDS = 40.0  # a stage on the tiny cohort takes one to four
MARKER = "executed"  # a file that injected commands would make

# The stages that read a section.
READERS = {
    "lambda": ("finetune transfer",),
    "seed": ("split liver", "finetune scratch"),
    "source": ("check", "pretrain"),
    "target": ("check", "finetune scratch"),
    "domains.lung": ("preprocess lung", "split lung"),
    "domains.liver": ("preprocess liver", "split liver"),
    "privacy": ("preprocess liver",),
    "preprocess": ("preprocess liver",),
    "network": ("finetune scratch",),
    "training": ("finetune scratch",),
    "augment": ("finetune scratch",),
    "pretrain": ("pretrain",),
    "finetune": ("finetune scratch",),
    "regularize": ("regularize",),
    "ensemble": ("ensemble bagging",),
    "sources": ("check",),
    "learning_curve": ("learning_curve",),
    "cross_validation": ("cross_validate",),
    "evaluate": ("evaluate",),
    "explain": ("explain",),
}
VALUES = (
    float("nan"),
    float("inf"),
    -float("inf"),
    -1,
    0,
    1e308,
    -1e308,
    10**9,
    10**30,
    1e-300,
    0.5,
    "",
    "abc",
    "1e3",
    True,
    None,
    [],
    {},
    [None],
    {"a": 1},
    f"a;touch {MARKER}",
    f"$(touch {MARKER})",
    "${oc.env:GRAFT_PATIENT_KEY}",
    "../../../../etc/passwd",
    "<script>alert(1)</script>",
    "x" * 5000,
    "a\nb",
)
TOGETHER: tuple[Mapping[str, object], ...] = (
    {"source": "liver", "target": "liver"},
    {"source": "lung", "target": "lung"},
    {"source": "mars"},
    {"sources.candidates": ["lung"]},
    {"sources.candidates": ["mars"]},
    {"preprocess.patch": [8, 8], "preprocess.spacing": [1.0, 1.0]},
    {"preprocess.patch": [8, 8, 8], "preprocess.spacing": [1.0, 1.0]},
    {"preprocess.patch": [10**6] * 3, "preprocess.spacing": [1.0] * 3},
    {"preprocess.spacing": [1e-9] * 3},
    {"preprocess.spacing": [1e9] * 3},
    {"domains.liver.window": [1e308, -1e308]},
    {"domains.liver.window": [5.0, 5.0]},
    {"domains.liver.window": [200.0, -5.0], "domains.liver.intensity": "percentile"},
    {"domains.liver.classes": ["benign", "benign"]},
    {"domains.liver.classes": ["benign", "<img src=x onerror=alert(1)>"]},
    {"domains.liver.classes": ["malignant", "benign", "other"]},
    {"domains.liver.covariates": {"label": "number"}},
    {"domains.liver.covariates": {"scanner": "number"}},
    {"domains.liver.covariates": {"missing": "category"}},
    {"domains.liver.split.test": 0.9, "domains.liver.split.validation": 0.9},
    {"domains.liver.split.test": 1e-9},
    {"domains.liver.split.labelled": 1e-9},
    {"domains.liver.split.external": "no-such-site"},
    {"domains.liver.path": "/etc"},
    {"domains.liver.path": "/dev/zero"},
    {"domains.liver.patient_pattern": "(a+)+$"},
    {"network.name": "resnet18", "pretrain.source": "imagenet", "finetune.head": "pretrained"},
    {"network.width": 10**6},
    {"pretrain.source": "no/such.pth"},
    {"pretrain.source": "/dev/zero.pth"},
    {"training.batch": 10**9},
    {"training.device": "cuda:99"},
    {"finetune.lr": 1e308},
    {"finetune.lr": 1e308, "finetune.epochs": 10**9, "finetune.patience": 10**9},
    {"finetune.transforms": 10**6},
    {"augment.noise": 1e30},
    {"augment.scale": 1e30},
    {"augment.shift": 1e30},
    {"ensemble.members": 10**6},
    {"learning_curve.shares": [1e-9]},
    {"learning_curve.shares": [2.0]},
    {"learning_curve.draws": 10**9},
    {"cross_validation.folds": 10**6},
    {"cross_validation.folds": 1},
    {"cross_validation.lambdas": [float("nan")]},
    {"evaluate.resamples": 10**9},
    {"evaluate.confidence": 1.0},
    {"evaluate.sensitivity": 2.0, "evaluate.specificity": -1.0},
    {"explain.cases": 10**9},
    {"no_such_section": {"a": 1}},
)


def plan_parameters(project: Path, seed: int) -> Iterator[Attempt]:
    """Attempts with keys together, then with every key and value, in an order by the seed."""
    content = YAML(typ="safe").load(project / "params.yaml")
    leaves = dict(_leaves(content))
    single = [{place: value} for place in leaves for value in VALUES]
    order = generator(seed, "parameters").permutation(len(single))
    changes = [*TOGETHER, *(single[number] for number in order)]
    mixed = generator(seed, "mixed").permutation(2 * len(TOGETHER))
    first = [changes[number] for number in mixed]
    for change in [*first, *changes[2 * len(TOGETHER) :]]:
        title = "several" if change in TOGETHER else "one key"
        certain = any(_is_wrong(leaves.get(place), value) for place, value in change.items())
        place = ", ".join(f"{key}: {_short(value)}" for key, value in change.items())
        yield Attempt(
            f"parameters: {title}", place, partial(_set_and_run, project, change, certain)
        )


def _leaves(content: Mapping, above: str = "") -> Iterator[tuple[str, object]]:
    """The keys such as `training.batch` of everything that is not a section, with their values."""
    for name, value in content.items():
        place = f"{above}{name}"
        if isinstance(value, Mapping) and value and not place.endswith("covariates"):
            yield from _leaves(value, f"{place}.")
        else:
            yield place, value


def _is_wrong(usual: object, value: object) -> bool:
    """Whether no run can mean a value in place of the usual one."""
    if usual is None:
        return False
    if isinstance(value, float) and not abs(value) < float("inf"):
        return True
    if isinstance(usual, int | float):
        return not isinstance(value, int | float) or isinstance(value, bool)
    if isinstance(usual, str):  # a name or null is possible in place of some texts
        return isinstance(value, int | float | list | dict)
    return isinstance(value, str | int | float)


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) < 60 else f"{shown[:60]}..."


def _set_and_run(
    project: Path, change: Mapping[str, object], certain: bool, folder: Path
) -> tuple[str, str]:
    """Set some keys, and run the stages that read them until one refuses."""
    copy = copy_project(project, folder)
    try:
        change_parameters(copy / "params.yaml", change)
    except (TypeError, KeyError):
        return "survived", "there is no such section"
    for line in ("parameters", *_readers(change)):
        ended = run_step(stage_step(line), copy, SECONDS)
        if (copy / MARKER).exists() or (folder / MARKER).exists():
            return "wrong", f"{line} ran an injected command"
        fault = ended.fault()
        if fault:
            return fault[0], f"{line}: {fault[1]}"
        if ended.refused():
            return "survived", ended.err.strip()
    return ("wrong", "no stage refused it") if certain else ("survived", "it is possible")


def _readers(change: Mapping[str, object]) -> list[str]:
    found = []
    for place in change:
        for section, lines in READERS.items():
            if place == section or place.startswith(f"{section}."):
                found += [line for line in lines if line not in found]
    return found
