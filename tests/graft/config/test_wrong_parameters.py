"""Every key of params.yaml with values that no key may have: one line names the key."""

import copy
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from graft.common.files import InputError
from graft.common.parameters import check_parameters
from graft.config.parameters import Parameters, load_parameters

ROOT = Path(__file__).parents[3]
FILE = Path("params.yaml")
CONTENT = YAML(typ="safe").load(ROOT / "params.yaml")
NEVER_ALLOWED = [
    True,
    math.nan,
    math.inf,
    1e308,
    -(10**30),
    10**5000,
    "a\nb",
    "x" * 10**6,
    "=cmd|'/c calc'!A0",
    "\u202e",
    {"unknown": 1},
    [[1]],
    ["a", "a"],
    [0.5] * 10**4,
]
SWITCHES = [("predict", "mirror")]  # which may be true
LONGEST_MESSAGE = 1000


def leaves(content: object, place: tuple = ()) -> Iterator[tuple]:
    """The places of all values, and of the elements of lists."""
    if isinstance(content, dict) and content:
        for key, value in content.items():
            yield from leaves(value, (*place, key))
        return
    yield place
    if isinstance(content, list):
        for position in range(len(content)):
            yield (*place, position)


def changed(place: tuple, value: object) -> dict:
    """All parameters, one of them replaced."""
    content = copy.deepcopy(CONTENT)
    *outer, last = place
    section = content
    for key in outer:
        section = section[key]
    section[last] = value
    return content


def message_of(content: dict) -> str:
    with pytest.raises(InputError) as caught:
        check_parameters(Parameters, content, FILE)
    return str(caught.value)


@pytest.mark.parametrize(
    "place", list(leaves(CONTENT)), ids=lambda place: ".".join(map(str, place))
)
def test_a_value_that_no_key_may_have_is_one_line_that_names_the_key(place):
    for value in NEVER_ALLOWED:
        if value is True and place in SWITCHES:
            continue
        message = message_of(changed(place, value))
        assert ".".join(map(str, place)) in message
        assert message.startswith("params.yaml: ")
        assert "\n" not in message
        assert len(message) < LONGEST_MESSAGE


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("lambda", 1e7),
        ("seed", 2**63),
        ("training.batch", 10**9),
        ("training.weight_decay", 1e7),
        ("training.memory", 1.0),
        ("preprocess.patch", [10**6, 10**6]),
        ("preprocess.patch", [4096, 4096, 4096]),  # each alone is possible
        ("preprocess.spacing", [1e-300, 1.0, 1.0]),
        ("preprocess.spacing", [1e300, 1.0, 1.0]),
        ("network.width", 10**6),
        ("network.width", 520),
        ("domains.liver.window", [1e308, -1e308]),
        ("domains.liver.window", [10**9, 10**9 + 1]),  # equal in float32
        ("domains.liver.classes", ["Benign", "benign"]),
        ("domains.liver.classes", ["<script>alert(1)</script>", "b"]),
        ("domains.liver.split.external", "@SUM(1)"),
        ("domains.liver.patient_pattern", "(a{99999999999999999999})"),
        ("domains.liver.patient_pattern", "(" * 900),
        ("augment.shift", 33),  # more than the patch
        ("augment.noise", 1e30),
        ("augment.brightness", 2),
        ("self_supervise.batch", 1),
        ("self_supervise.batch", 5000),
        ("self_supervise.temperature", 0.0),
        ("pretrain.lr", 11),
        ("pretrain.epochs", 10**9),
        ("pretrain.patience", 10**9),
        ("pretrain.source", "weights/=cmd.pth"),
        ("regularize.transforms", 10**3),
        ("ensemble.members", 10**4),
        ("learning_curve.shares", [0.1, 0.1]),
        ("learning_curve.shares", [0.0]),
        ("learning_curve.draws", 10**6),
        ("cross_validation.lambdas", [1, 1.0]),
        ("cross_validation.folds", 10**6),
        ("evaluate.resamples", 10**9),
        ("explain.cases", 10**6),
        ("phantom.lung.patients", 10**9),
    ],
)
def test_a_value_beyond_its_limit_is_one_line_that_names_the_key(key, value):
    message = message_of(changed(tuple(key.split(".")), value))
    assert key in message
    assert "expected" in message or "should" in message
    assert "\n" not in message


def test_numbers_that_are_possible_alone_are_refused_together():
    shares = [k / 100 for k in range(1, 99)]
    content = changed(("learning_curve",), {"shares": shares, "draws": 1000, "arms": ["frozen"]})
    assert "learning_curve: got 99 shares × 1000 draws × 3 networks" in message_of(content)
    content = changed(
        ("cross_validation",), {"folds": 1000, "repeats": 1000, "strategies": [], "lambdas": []}
    )
    assert "cross_validation: got 1000 folds × 1000 repeats × 2 networks" in message_of(content)
    content = changed(("network", "width"), 512)
    content["preprocess"]["patch"] = [256, 256, 256]
    assert "preprocess.patch: got [256, 256, 256] with network.name 'resnet'" in message_of(content)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"pretrain.source": "theirs.pth"},
            "self_supervise.epochs: got 3 with pretrain.source 'theirs.pth', expected 0",
        ),
        (
            {"pretrain.source": "self-supervised", "self_supervise.epochs": 0},
            "self_supervise.epochs: got 0 with pretrain.source 'self-supervised', expected at",
        ),
        (
            {"pretrain.source": "self-supervised", "finetune.head": "pretrained"},
            "finetune.head: got 'pretrained' with pretrain.source 'self-supervised'",
        ),
        (
            {"cross_validation.folds": 5},
            "cross_validation.folds: got 5 with self_supervise.epochs 3 on images of the target",
        ),
        (
            {
                "cross_validation.folds": 5,
                "self_supervise.domains": "source",
                "source": "liver",
                "pretrain.source": "self-supervised",
            },
            "cross_validation.folds: got 5 with self_supervise.epochs 3 on images of the target",
        ),
    ],
)
def test_self_supervision_is_refused_with_what_it_does_not_go_with(changes, expected):
    content = changed(("self_supervise", "epochs"), 3)
    check_parameters(Parameters, content, FILE)
    for key, value in changes.items():
        *outer, last = key.split(".")
        section = content
        for name in outer:
            section = section[name]
        section[last] = value
    message = message_of(content)
    assert expected in message
    assert "\n" not in message


def test_self_supervision_on_the_source_alone_goes_with_cross_validation():
    content = changed(("self_supervise",), CONTENT["self_supervise"] | {"epochs": 3})
    content["self_supervise"]["domains"] = "source"
    content["cross_validation"]["folds"] = 5
    check_parameters(Parameters, content, FILE)


@pytest.mark.parametrize(
    ("validation", "strategies", "lambdas", "networks"),
    [
        (0.1, ["l2-sp"], [], 2),  # scratch and one candidate
        (0.1, ["l2-sp", "frozen", "source"], [0.1, 1.0], 1 + 2 + 1 + 1),
        (0.1, ["wise-ft"], [], 2),
        (0.0, ["l2-sp"], [], 2),
        (0.0, ["wise-ft"], [], 1 + 6),  # with five inner folds to choose the share by
        (0.0, ["l2-sp", "frozen"], [0.1, 1.0], 1 + 3 * 6),  # and to choose the candidate by
        (0.0, ["l2-sp", "wise-ft"], [], 1 + (1 + 6) * 6),
    ],
)
def test_the_cost_of_a_cross_validation_counts_every_network(
    validation, strategies, lambdas, networks
):
    content = changed(
        ("cross_validation",),
        {"folds": 1000, "repeats": 1000, "strategies": strategies, "lambdas": lambdas},
    )
    content["domains"]["liver"]["split"]["validation"] = validation
    assert f"× 1000 repeats × {networks} networks" in message_of(content)


@pytest.mark.parametrize("key", ["finetune.strategy", "learning_curve.arms"])
@pytest.mark.parametrize("strategy", ["source", "wise-ft"])
def test_a_strategy_that_predicts_before_training_needs_a_head(key, strategy):
    content = changed(("finetune", "head"), "new")
    section, name = key.split(".")
    content[section][name] = strategy if name == "strategy" else [strategy]
    message = message_of(content)
    assert f"{key}: got {strategy!r} with finetune.head 'new'" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("key", "value"), [("classes", ["no", "yes"]), ("covariates", {"age": "number"})]
)
def test_a_source_with_other_classes_or_covariates_cannot_predict(key, value):
    content = changed(("domains", "lung", key), value)
    content["learning_curve"]["arms"] = ["source"]
    assert "learning_curve.arms: got 'source', but the classes or cov" in message_of(content)


def test_published_weights_cannot_predict_without_training():
    content = changed(("cross_validation", "strategies"), ["frozen", "source"])
    content["pretrain"]["source"] = "imagenet"
    content["network"]["name"] = "torchvision-resnet18-planes"
    assert "cross_validation.strategies: got 'source' with pretrain.source" in message_of(content)


@pytest.mark.parametrize("name", ["a;touch x", "../x", "a.b", "LUNG", "", "é", 1, None])
def test_a_domain_whose_name_a_shell_a_path_or_dvc_would_parse_is_refused(name):
    content = copy.deepcopy(CONTENT)
    content["domains"][name] = content["domains"]["liver"]
    assert "domains" in message_of(content)


def test_large_values_of_real_use_are_allowed(tmp_path):
    content = copy.deepcopy(CONTENT)
    content["preprocess"] = {"patch": [256, 256, 256], "spacing": [0.01, 0.01, 0.01]}
    content["network"] = {"name": "resnet", "width": 64}
    content["learning_curve"] |= {"shares": [0.01, 0.02, 0.05, 0.1, 0.2, 0.5], "draws": 200}
    content["cross_validation"] |= {"folds": 10, "repeats": 100, "lambdas": [0, 0.01, 0.1, 1, 1000]}
    content["evaluate"]["resamples"] = 100_000
    content["ensemble"]["members"] = 100
    content["training"]["batch"] = 4096
    content["domains"]["liver"]["classes"] = ["-1", "肝 (größer)"]
    path = tmp_path / "params.yaml"
    YAML(typ="safe").dump(content, path)
    assert load_parameters(path).evaluate.resamples == 100_000
