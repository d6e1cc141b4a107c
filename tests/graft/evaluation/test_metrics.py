"""metrics.json: its keys, its schema, and its results on transfer."""

import copy
import json

import jsonschema
import numpy as np
import pandas as pd
import pytest

from graft.common.documents import clean
from graft.common.files import InputError
from graft.common.seeds import generator
from graft.data.domain import Domain
from graft.evaluation.evaluated_domain import EvaluatedDomain
from graft.evaluation.metrics import SCHEMA, assemble_metrics, check_metrics, headline
from graft.evaluation.scored import ScoredModels, choose_model
from graft.evaluation.settings import Evaluate
from graft.evaluation.summary import summary_lines
from graft.evaluation.tables import plot_tables, prediction_table
from graft.evaluation.tuning import tune
from graft.leakage.rows import passed_check
from graft.statistics.cases import Cases
from graft.statistics.formatting import format_estimate
from tests.run_metrics import conformal, ensembles, patient_effect, refusals

SETTINGS = Evaluate(
    resamples=100,
    confidence=0.9,
    margin=0.05,
    sensitivity=0.9,
    specificity=0.9,
    miscoverage=0.1,
)
RANKED = {
    "target": "liver",
    "distances": [
        {
            "source": "lung",
            "lesions": 30,
            "frechet": 9.5,
        }
    ],
    "ranking": [
        {"source": "lung", "logme": -0.5},
        {"source": "random", "logme": -0.7},
    ],
}
TWO_CLASSES = ["benign", "malignant"]
NAMES = ("scratch", "transfer", "regularized", "bagging", "boosting")
HASHES = dict.fromkeys(("images", "index", "split"), "0" * 64)
EVIDENCE = {
    "boosting_alphas": [0.7, 0.0],
    "checks": [passed_check("patients", "liver", "30 patients in 4 parts", "none in two parts")],
    "hashes": {
        "source": HASHES,
        "target": HASHES,
        "models": dict.fromkeys(("pretrained", *NAMES), "0" * 64),
    },
    "ensembles": ensembles(),
    "tasks": None,
    "sources": RANKED,
    "learning_curve": None,
    "cross_validation": None,
    "conformal": conformal(TWO_CLASSES),
    "refusals": refusals(),
    "patient_effect": patient_effect(),
    "privacy": None,
}


class NoisyModel:
    """Predicts the labels, which are its images, with noise."""

    def __init__(self, classes: list[str], noise: float, seed: int) -> None:
        self.card = {"classes": classes}
        self.noise = noise
        self.seed = seed

    def predict(self, images: np.ndarray) -> np.ndarray:
        labels = images[:][:, 0].astype(int)  # all rows are read
        truth = np.eye(len(self.card["classes"]))[labels]
        noise = np.random.default_rng(self.seed).random(truth.shape)
        noisy = truth + self.noise * noise
        return noisy / noisy.sum(1, keepdims=True)


def study(classes: list[str], name: str = "liver", external: bool = True) -> EvaluatedDomain:
    """30 patients with two lesions each in train, validation, test and perhaps external."""
    last_part = "external" if external else "test"
    parts = np.array(["train", "validation", "test", last_part])
    lesion = np.arange(60)
    patients = lesion // 2
    # Most lesions are of the first class.
    codes = np.maximum(lesion * 3 // 23 % (len(classes) + 1) - 1, 0)
    index = pd.DataFrame(
        {
            "sample": lesion,
            "patient": [f"p{i}" for i in patients],
            "label": np.array(classes)[codes],
            "site": "",
            "split": "",
            "origin": "",
            "size": 5.0 + codes + lesion % 7,
        }
    )
    part_of_lesion = parts[patients % 4]
    rows = {}
    cases = {}
    for part in dict.fromkeys(parts):
        rows[part] = np.flatnonzero(part_of_lesion == part)
        if part != "train":
            of_part = index.iloc[rows[part]]
            cases[part] = Cases.of(of_part, classes, SETTINGS.resamples, generator(0, part))
    domain = Domain(name, codes[:, None], index, classes, {})
    return EvaluatedDomain(domain, rows, cases)


def assess_all(target: EvaluatedDomain, classes: list[str], noise: float) -> tuple[dict, dict]:
    """The assessments of the models and of the baselines, by name."""
    models = {}
    for seed, name in enumerate(NAMES):
        models[name] = target.assess(NoisyModel(classes, noise, seed))
    baselines = {"majority": target.assess_majority(), "size_alone": target.assess_size_alone()}
    return models, baselines


def tune_all(target: EvaluatedDomain, assessments: dict) -> dict:
    return {name: tune(model, target.cases, SETTINGS) for name, model in assessments.items()}


def evaluate(
    classes: list[str], external: bool = True, noise: float = 4
) -> tuple[dict, EvaluatedDomain, dict]:
    """The metrics, the target, and the assessments of models and baselines by name."""
    target = study(classes, external=external)
    models, baselines = assess_all(target, classes, noise)
    both = models | baselines
    tuned = tune_all(target, both)
    source = study(TWO_CLASSES, "lung", external)
    pretrained = source.assess(NoisyModel(TWO_CLASSES, 2, 9))
    scored = ScoredModels(models, baselines, choose_model(models), None, tuned)
    metrics = assemble_metrics(source, target, pretrained, scored, SETTINGS, EVIDENCE)
    return metrics, target, both


@pytest.fixture(scope="module")
def metrics() -> dict:
    return evaluate(TWO_CLASSES)[0]


def auroc_on_test(model: dict) -> float:
    return model["test"]["auroc"]["value"]


def summary_of(metrics: dict) -> list[str]:
    return list(summary_lines(metrics))


def nested_keys(value: object) -> object:
    """The keys of a dictionary and of the dictionaries in it."""
    if not isinstance(value, dict):
        return None
    return {key: nested_keys(item) for key, item in value.items()}


def test_an_unknown_key_raises_an_error(metrics):
    wrong = copy.deepcopy(metrics)
    wrong["models"]["bagging"]["test"]["auc"] = 0.9
    with pytest.raises(jsonschema.ValidationError, match="'auc' was unexpected"):
        check_metrics(wrong)


@pytest.mark.parametrize(
    "path", [("chosen",), ("models", "boosting"), ("models", "scratch", "test", "auroc", "low")]
)
def test_a_missing_key_raises_an_error(metrics, path):
    wrong = copy.deepcopy(metrics)
    *parents, last = path
    section = wrong
    for key in parents:
        section = section[key]
    del section[last]
    with pytest.raises(jsonschema.ValidationError):
        check_metrics(wrong)


@pytest.mark.parametrize("value", [1.2, -0.1, "0.5", [0.5]])
def test_an_impossible_auroc_raises_an_error(metrics, value):
    wrong = copy.deepcopy(metrics)
    wrong["models"]["scratch"]["test"]["auroc"]["value"] = value
    with pytest.raises(jsonschema.ValidationError):
        check_metrics(wrong)


def test_the_schema_is_a_valid_json_schema():
    jsonschema.Draft202012Validator.check_schema(json.loads(SCHEMA.read_text()))


def test_without_an_external_site_its_keys_are_null(metrics):
    found = evaluate(TWO_CLASSES, external=False)[0]
    assert found["models"]["bagging"]["external"] is None
    assert found["target"]["counts"]["external"] is None
    assert found["transfer_gain"]["transfer"]["external"] is None
    assert found["source"]["pretrained"]["external"] is None
    assert nested_keys(found["models"]["bagging"]["test"]) == nested_keys(
        metrics["models"]["bagging"]["test"]
    )
    assert found.keys() == metrics.keys()
    assert nested_keys(headline(found)) == nested_keys(headline(metrics))


def test_three_classes_pass_the_schema_without_a_threshold():
    classes = ["cyst", "haemangioma", "metastasis"]
    found = evaluate(classes)[0]
    scratch = found["models"]["scratch"]
    assert scratch["threshold"] is None
    assert scratch["operating_points"] is None
    calibrated = scratch["calibration"]["parts"]["test"]["isotonic"]
    assert calibrated["brier"]["value"] > 0
    assert set(scratch["test"]["per_class"]) == set(classes)
    assert auroc_on_test(scratch) > 0.6


def test_counts_by_hand(metrics):
    # The test part has the patients 2, 6, ... 26.
    test = metrics["target"]["counts"]["test"]
    assert test["patients"] == 7
    assert test["lesions"] == 14
    assert test["by_class"] == {
        "benign": {"patients": 5, "lesions": 10},
        "malignant": {"patients": 2, "lesions": 4},
    }


def test_the_gain_over_size_is_the_difference_of_the_two(metrics):
    source = metrics["source"]
    for part, found in source["gain_over_size"].items():
        pretrained = source["pretrained"][part]["auroc"]["value"]
        size_alone = source["size_alone"][part]["auroc"]["value"]
        assert found["value"] == pytest.approx(pretrained - size_alone, abs=2e-6)
        assert found["low"] < found["value"] < found["high"]


def test_the_ranking_is_compared_with_the_outcome(metrics):
    block = metrics["sources"]
    for key, value in RANKED.items():
        assert block[key] == value
    lung = auroc_on_test(metrics["models"]["transfer"])
    random = auroc_on_test(metrics["models"]["scratch"])
    found = block["came_true"]
    outcomes = {row["source"]: row["auroc"] for row in found["outcomes"]}
    assert outcomes == {"lung": lung, "random": random}
    assert found["logme_tau"] == np.sign(lung - random)  # LogME prefers the lung


def test_a_ranking_must_match_its_own_schema(metrics):
    wrong = copy.deepcopy(metrics)
    wrong["sources"]["distances"][0]["frechet"] = -0.1
    with pytest.raises(jsonschema.ValidationError, match="-0.1 is less"):
        check_metrics(wrong)
    del wrong["sources"]["distances"][0], wrong["sources"]["came_true"]
    with pytest.raises(jsonschema.ValidationError):
        check_metrics(wrong)


def test_the_majority_baseline_has_an_auroc_of_one_half(metrics):
    test = metrics["baselines"]["majority"]["test"]
    assert test["auroc"]["value"] == 0.5
    assert test["auroc"]["low"] == 0.5
    assert test["auroc"]["high"] == 0.5
    assert test["balanced_accuracy"]["value"] == 0.5
    assert test["accuracy"]["value"] == pytest.approx(10 / 14, abs=1e-6)
    assert test["precision"] == {"value": None, "low": None, "high": None, "left_out": 100}


def test_the_same_input_gives_the_same_bytes(metrics):
    assert json.dumps(evaluate(TWO_CLASSES)[0]) == json.dumps(metrics)


def test_the_gain_is_the_difference_of_the_aurocs(metrics):
    models = metrics["models"]
    difference = auroc_on_test(models["bagging"]) - auroc_on_test(models["scratch"])
    gain = metrics["transfer_gain"]["bagging"]["test"]
    assert gain["value"] == pytest.approx(difference, abs=2e-6)


def test_the_model_with_the_lowest_validation_log_loss_is_chosen(metrics):
    _, target, models = evaluate(TWO_CLASSES)
    losses = {}
    for name in NAMES:
        losses[name] = metrics["models"][name]["validation"]["log_loss"]
    assert metrics["chosen"]["model"] == min(losses, key=losses.get)
    perfect = target.assess(NoisyModel(TWO_CLASSES, 0, 0))
    assert choose_model({**models, "boosting": perfect}) == "boosting"


def test_clean_gives_plain_json():
    dirty = {"a": np.float64(1 / 3), "b": [np.nan, -0.0], "c": np.int64(2), "d": None, "e": "x"}
    expected = '{"a": 0.333333, "b": [null, 0.0], "c": 2, "d": null, "e": "x"}'
    assert json.dumps(clean(dirty)) == expected


def test_a_model_of_other_classes_raises_an_error():
    with pytest.raises(InputError, match=r"\['a', 'b'\], expected \['benign', 'malignant'\]"):
        study(TWO_CLASSES).assess(NoisyModel(["a", "b"], 1, 0))


def test_every_test_case_is_in_the_predictions_and_gives_the_same_scores(metrics):
    _, target, models = evaluate(TWO_CLASSES)
    table = prediction_table(target.cases, target.domain.classes, models)
    assert list(table)[:6] == ["sample", "patient", "part", "site", "label", "model"]
    assert list(table)[6:] == ["p_benign", "p_malignant", "predicted"]
    assert set(table["sample"]) == {*target.rows["test"], *target.rows["external"]}
    # 7 models and baselines, 14 test and 14 external cases.
    assert len(table) == 7 * 28
    bagging = table[(table["model"] == "bagging") & (table["part"] == "test")]
    accuracy = (bagging["predicted"] == bagging["label"]).mean()
    expected = metrics["models"]["bagging"]["test"]["accuracy"]["value"]
    assert accuracy == pytest.approx(expected, abs=1e-6)


def test_the_plots_have_every_model_and_part():
    _, target, models = evaluate(TWO_CLASSES)
    tuned = tune_all(target, models)
    tables = plot_tables(target.cases, target.domain.classes, models, tuned, 0.9)
    assert set(tables) == {"roc", "precision_recall", "calibration", "confusion", "decision"}
    for name, table in tables.items():
        assert list(table)[:2] == ["part", "model"]
        extra = {"all", "none"} if name == "decision" else set()
        assert set(table["model"]) == set(models) | extra
        assert set(table["part"]) == {"test", "external"}
    reliability = tables["calibration"]
    assert list(reliability) == [
        "part",
        "model",
        "calibration",
        "bin",
        "predicted",
        "observed",
        "low",
        "high",
        "cases",
    ]
    assert reliability["observed"].between(reliability["low"], reliability["high"]).all()
    for _, table in reliability.groupby(["part", "model", "calibration"]):
        assert table["cases"].sum() == 14
        assert table["bin"].is_unique
    assert set(reliability["calibration"]) == {"none", "temperature", "isotonic"}


def test_the_table_names_every_model(metrics):
    lines = summary_of(metrics)
    for name in (*NAMES, "majority", "size alone", "pretrained"):
        assert any(line.startswith(name) for line in lines)
    auroc = auroc_on_test(metrics["models"]["bagging"])
    assert f"{auroc:.3f} [" in "\n".join(lines)


def test_a_flagged_group_is_named_and_no_other(metrics):
    row = metrics["subgroups"]["rows"][0]
    gap = {"value": -0.2, "low": -0.3, "high": -0.1, "p": 0.002, "p_holm": 0.01, "left_out": 0}
    flagged = {**row, "gap": gap, "flagged": True}
    fair = {**row, "group": "fair"}
    subgroups = {"model": "bagging", "rows": [flagged, fair]}
    text = "\n".join(summary_lines({**metrics, "subgroups": subgroups}))
    assert f"bagging on size {row['group']} (test, " in text
    assert "-0.200 [-0.300, -0.100], p = 0.0100" in text
    assert "fair" not in text


@pytest.mark.parametrize(
    ("verdict", "start"),
    [
        ("helps", "Transfer helps: "),
        ("harms", "Transfer harms: "),
        ("no difference shown", "No difference shown "),
    ],
)
def test_the_last_line_has_the_verdict_and_its_gain(metrics, verdict, start):
    found = metrics["transfer_gain"]["transfer"]["test"]
    line = summary_of({**metrics, "verdict": verdict})[-1]
    assert line.startswith(start)
    assert line.endswith(f"{format_estimate(found, '+')} (90 %), p = {found['p']:.4f}.")


def test_the_last_line_names_the_reason_for_an_undefined_verdict(metrics):
    line = summary_of({**metrics, "verdict": "not defined"})[-1]
    assert line.endswith("the test part lacks a class.")


def test_other_tests_are_printed_before_the_verdict(metrics):
    changed = copy.deepcopy(metrics)
    changed["verdict"] = "no difference shown"
    found = changed["transfer_gain"]["transfer"]["test"]
    found |= {"p": 0.2, "p_holm": 0.6, "patients_needed": 512}
    found["delong"]["p"] = 0.25
    changed["verdict_from"] |= {"non_inferior": False, "detectable": 0.301}
    assert summary_of(changed)[-5:-1] == [
        "transfer over scratch: p = 0.6000 corrected for 4 models, p = 0.2500 by DeLong's test",
        "transfer may be worse than scratch by 0.05 or more",
        "a gain below 0.301 would probably not be shown by this test part",
        "about 512 test patients would be needed "
        "to distinguish the gain of this pair of networks from 0; there are 7",
    ]
    found["patients_needed"] = None
    changed["verdict_from"]["non_inferior"] = True
    assert summary_of(changed)[-3] == "transfer is no worse than scratch by 0.05 or more"


def test_the_comparisons_have_the_margin_and_the_interval_that_they_name(metrics):
    assert metrics["margin"] == SETTINGS.margin
    assert metrics["bootstrap"]["interval"] == "bca"
    for parts in metrics["transfer_gain"].values():
        for found in parts.values():
            assert found["non_inferior"] == (found["low"] > -metrics["margin"])
            assert found["p_holm"] >= found["p"]
            includes_0 = found["low"] <= 0 <= found["high"]
            assert (found["p"] < 0.1) == (not includes_0)


def test_a_part_without_a_class_has_no_gain_and_passes_the_schema():
    target = study(TWO_CLASSES)
    rows = target.cases["external"].rows.assign(label="benign")
    benign = Cases.of(rows, TWO_CLASSES, SETTINGS.resamples, generator(0, "benign"))
    target.cases["external"] = benign
    models, baselines = assess_all(target, TWO_CLASSES, noise=4)
    tuned = tune_all(target, models | baselines)
    scored = ScoredModels(models, baselines, choose_model(models), None, tuned)
    metrics = assemble_metrics(target, target, None, scored, SETTINGS, EVIDENCE)
    found = metrics["transfer_gain"]["bagging"]["external"]
    assert found["left_out"] == 100
    assert found["delong"] == {"low": None, "high": None, "p": None}
    assert found["value"] is None
    assert found["p"] is None
    assert found["p_holm"] is None
    assert found["non_inferior"] is None
    assert found["patients_needed"] is None
