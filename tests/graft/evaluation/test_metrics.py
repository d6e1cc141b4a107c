"""metrics.json: its keys, its schema, and what it says about transfer."""

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
from graft.evaluation.metrics import SCHEMA, assemble_metrics, check_metrics, choose_model, headline
from graft.evaluation.settings import Evaluate
from graft.evaluation.summary import summary_lines
from graft.evaluation.tables import plot_tables, prediction_table
from graft.evaluation.tuning import tune
from graft.leakage.rows import passed_check
from graft.statistics.cases import Cases
from graft.statistics.formatting import format_estimate

SETTINGS = Evaluate(
    resamples=100,
    confidence=0.9,
    margin=0.05,
    sensitivity=0.9,
    specificity=0.9,
)
RANKED = {
    "target": "liver",
    "distances": [
        {
            "source": "lung",
            "lesions": 30,
            "frechet": 9.5,
            "mmd": 0.1,
            "mmd_p": 0.001,
            "proxy_a": 1.5,
        }
    ],
    "ranking": [
        {"source": "lung", "logme": -0.5, "h_score": 0.4},
        {"source": "random", "logme": -0.7, "h_score": 0.5},
    ],
}
NAMES = ("scratch", "transfer", "regularized", "bagging", "boosting")
HASHES = dict.fromkeys(("images", "index", "split"), "0" * 64)
EVIDENCE = {
    "checks": [passed_check("patients", "liver", "30 patients in 4 parts", "none in two parts")],
    "hashes": {
        "source": HASHES,
        "target": HASHES,
        "models": dict.fromkeys(("pretrained", *NAMES), "0" * 64),
    },
    "sources": RANKED,
    "learning_curve": None,
    "cross_validation": None,
}


class Fake:
    """Predicts the labels, which are its images, with noise."""

    def __init__(self, classes: list[str], noise: float, seed: int) -> None:
        self.card, self.noise, self.seed = {"classes": classes}, noise, seed

    def predict(self, images: np.ndarray) -> np.ndarray:
        truth = np.eye(len(self.card["classes"]))[images[:, 0].astype(int)]
        blurred = truth + self.noise * np.random.default_rng(self.seed).random(truth.shape)
        return blurred / blurred.sum(1, keepdims=True)


def study(classes: list[str], name: str = "liver", external: bool = True) -> EvaluatedDomain:
    """30 patients with two lesions each in train, validation, test and perhaps external."""
    parts = np.array(["train", "validation", "test", "external" if external else "test"])
    patients = np.repeat(np.arange(30), 2)
    codes = np.maximum(
        np.arange(60) * 3 // 23 % (len(classes) + 1) - 1, 0
    )  # most are of the first class
    index = pd.DataFrame(
        {
            "sample": np.arange(60),
            "patient": [f"p{i}" for i in patients],
            "label": np.array(classes)[codes],
            "site": "",
            "split": "",
            "origin": "",
            "size": 5.0 + codes + np.arange(60) % 7,
        }
    )
    rows = {part: np.flatnonzero(parts[patients % 4] == part) for part in dict.fromkeys(parts)}
    cases = {
        part: Cases.of(index.iloc[found], classes, SETTINGS.resamples, generator(0, part))
        for part, found in rows.items()
        if part != "train"
    }
    return EvaluatedDomain(Domain(name, codes[:, None], index, classes, {}), rows, cases)


def evaluated(
    classes: list[str], external: bool = True, noise: float = 4
) -> tuple[dict, EvaluatedDomain, dict]:
    target = study(classes, external=external)
    models = {name: target.assess(Fake(classes, noise, seed)) for seed, name in enumerate(NAMES)}
    baselines = {"majority": target.assess_majority(), "size_alone": target.assess_size_alone()}
    source = study(["benign", "malignant"], "lung", external)
    pretrained = source.assess(Fake(["benign", "malignant"], 2, 9))
    tuned = {
        name: tune(model, target.cases, SETTINGS) for name, model in (models | baselines).items()
    }
    return (
        assemble_metrics(source, target, pretrained, models, baselines, tuned, SETTINGS, EVIDENCE),
        target,
        models | baselines,
    )


@pytest.fixture(scope="module")
def metrics() -> dict:
    return evaluated(["benign", "malignant"])[0]


def keys(value: object) -> object:
    return {key: keys(item) for key, item in value.items()} if isinstance(value, dict) else None


def test_an_extra_key_is_refused(metrics):
    wrong = copy.deepcopy(metrics)
    wrong["models"]["bagging"]["test"]["auc"] = 0.9
    with pytest.raises(jsonschema.ValidationError, match="'auc' was unexpected"):
        check_metrics(wrong)


@pytest.mark.parametrize(
    "path", [("chosen",), ("models", "boosting"), ("models", "scratch", "test", "auroc", "low")]
)
def test_a_missing_key_is_refused(metrics, path):
    wrong = copy.deepcopy(metrics)
    *way, last = path
    section = wrong
    for key in way:
        section = section[key]
    del section[last]
    with pytest.raises(jsonschema.ValidationError):
        check_metrics(wrong)


@pytest.mark.parametrize("value", [1.2, -0.1, "0.5", [0.5]])
def test_an_impossible_auroc_is_refused(metrics, value):
    wrong = copy.deepcopy(metrics)
    wrong["models"]["scratch"]["test"]["auroc"]["value"] = value
    with pytest.raises(jsonschema.ValidationError):
        check_metrics(wrong)


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(json.loads(SCHEMA.read_text()))


def test_without_an_external_site_its_keys_are_null(metrics):
    found = evaluated(["benign", "malignant"], external=False)[0]
    assert (
        found["models"]["bagging"]["external"] is None
        and found["target"]["counts"]["external"] is None
    )
    assert (
        found["transfer_gain"]["transfer"]["external"] is None
        and found["source"]["pretrained"]["external"] is None
    )
    assert keys(found["models"]["bagging"]["test"]) == keys(metrics["models"]["bagging"]["test"])
    assert found.keys() == metrics.keys() and keys(headline(found)) == keys(headline(metrics))


def test_three_classes_pass_the_schema_without_a_threshold():
    found = evaluated(["cyst", "haemangioma", "metastasis"])[0]
    assert (
        found["models"]["scratch"]["threshold"] is None
        and found["models"]["scratch"]["operating_points"] is None
    )
    assert (
        found["models"]["scratch"]["calibration"]["parts"]["test"]["isotonic"]["brier"]["value"] > 0
    )
    assert set(found["models"]["scratch"]["test"]["per_class"]) == {
        "cyst",
        "haemangioma",
        "metastasis",
    }
    assert found["models"]["scratch"]["test"]["auroc"]["value"] > 0.6


def test_counts_by_hand(metrics):
    test = metrics["target"]["counts"]["test"]  # patients 2, 6, ... 26
    assert (test["patients"], test["lesions"]) == (7, 14)
    assert test["by_class"] == {
        "benign": {"patients": 5, "lesions": 10},
        "malignant": {"patients": 2, "lesions": 4},
    }


def test_the_gain_over_size_is_the_difference_of_the_two(metrics):
    source = metrics["source"]
    for part, found in source["gain_over_size"].items():
        pretrained, size = (
            source[name][part]["auroc"]["value"] for name in ("pretrained", "size_alone")
        )
        assert (
            found["value"] == pytest.approx(pretrained - size, abs=2e-6)
            and found["low"] < found["value"] < found["high"]
        )


def test_the_ranking_is_compared_with_the_outcome(metrics):
    block, models = metrics["sources"], metrics["models"]
    assert {key: block[key] for key in RANKED} == RANKED
    lung, random = (models[name]["test"]["auroc"]["value"] for name in ("transfer", "scratch"))
    found = block["came_true"]
    assert {row["source"]: row["auroc"] for row in found["outcomes"]} == {
        "lung": lung,
        "random": random,
    }
    assert found["logme_tau"] == -found["h_score_tau"] == np.sign(lung - random)


def test_a_ranking_must_match_its_own_schema(metrics):
    wrong = copy.deepcopy(metrics)
    wrong["sources"]["distances"][0]["proxy_a"] = 2.1
    with pytest.raises(jsonschema.ValidationError, match="2.1 is greater"):
        check_metrics(wrong)
    del wrong["sources"]["distances"][0], wrong["sources"]["came_true"]
    with pytest.raises(jsonschema.ValidationError):
        check_metrics(wrong)


def test_the_majority_baseline_has_an_auroc_of_one_half(metrics):
    test = metrics["baselines"]["majority"]["test"]
    assert [test["auroc"][name] for name in ("value", "low", "high")] == [0.5, 0.5, 0.5]
    assert test["balanced_accuracy"]["value"] == 0.5 and test["accuracy"]["value"] == pytest.approx(
        10 / 14, abs=1e-6
    )
    assert test["precision"] == {"value": None, "low": None, "high": None, "left_out": 100}


def test_the_same_input_gives_the_same_bytes(metrics):
    assert json.dumps(evaluated(["benign", "malignant"])[0]) == json.dumps(metrics)


def test_the_gain_is_the_difference_of_the_areas(metrics):
    models = metrics["models"]
    difference = (
        models["bagging"]["test"]["auroc"]["value"] - models["scratch"]["test"]["auroc"]["value"]
    )
    assert metrics["transfer_gain"]["bagging"]["test"]["value"] == pytest.approx(
        difference, abs=2e-6
    )


def test_the_best_by_validation_log_loss_is_chosen(metrics):
    _, target, models = evaluated(["benign", "malignant"])
    loss = {name: metrics["models"][name]["validation"]["log_loss"] for name in NAMES}
    assert metrics["chosen"]["model"] == min(loss, key=loss.get)
    perfect = target.assess(Fake(["benign", "malignant"], 0, 0))
    assert choose_model({**models, "boosting": perfect}) == "boosting"


def test_clean_leaves_plain_json():
    dirty = {"a": np.float64(1 / 3), "b": [np.nan, -0.0], "c": np.int64(2), "d": None, "e": "x"}
    assert (
        json.dumps(clean(dirty)) == '{"a": 0.333333, "b": [null, 0.0], "c": 2, "d": null, "e": "x"}'
    )


def test_a_model_of_other_classes_is_refused():
    with pytest.raises(InputError, match=r"\['a', 'b'\], expected \['benign', 'malignant'\]"):
        study(["benign", "malignant"]).assess(Fake(["a", "b"], 1, 0))


def test_every_test_case_is_in_the_predictions_and_gives_the_same_scores(metrics):
    _, target, models = evaluated(["benign", "malignant"])
    table = prediction_table(target.cases, target.domain.classes, models)
    assert list(table)[:6] == ["sample", "patient", "part", "site", "label", "model"]
    assert list(table)[6:] == ["p_benign", "p_malignant", "predicted"]
    assert (
        set(table["sample"]) == {*target.rows["test"], *target.rows["external"]}
        and len(table) == 7 * 28
    )
    mine = table[(table["model"] == "bagging") & (table["part"] == "test")]
    assert (mine["predicted"] == mine["label"]).mean() == pytest.approx(
        metrics["models"]["bagging"]["test"]["accuracy"]["value"], abs=1e-6
    )


def test_the_plots_have_every_model_and_part():
    _, target, models = evaluated(["benign", "malignant"])
    tuned = {name: tune(model, target.cases, SETTINGS) for name, model in models.items()}
    tables = plot_tables(target.cases, target.domain.classes, models, tuned, 0.9)
    assert set(tables) == {"roc", "precision_recall", "calibration", "confusion", "decision"}
    for name, table in tables.items():
        assert list(table)[:2] == ["part", "model"]
        assert set(table["model"]) == {*models, *(("all", "none") if name == "decision" else ())}
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
        assert table["cases"].sum() == 14 and table["bin"].is_unique
    assert set(reliability["calibration"]) == {"none", "temperature", "isotonic"}


def test_the_table_names_every_model(metrics):
    told = list(summary_lines(metrics))
    for name in (*NAMES, "majority", "size alone", "pretrained"):
        assert any(line.startswith(name) for line in told)
    assert f"{metrics['models']['bagging']['test']['auroc']['value']:.3f} [" in "\n".join(told)


def test_a_flagged_group_is_named_and_no_other(metrics):
    row = metrics["subgroups"]["rows"][0]
    gap = {"value": -0.2, "low": -0.3, "high": -0.1, "p": 0.002, "p_holm": 0.01, "left_out": 0}
    flagged = {
        "model": "bagging",
        "rows": [{**row, "gap": gap, "flagged": True}, {**row, "group": "fair"}],
    }
    told = "\n".join(summary_lines({**metrics, "subgroups": flagged}))
    assert (
        f"bagging on size {row['group']} (test, " in told
        and "-0.200 [-0.300, -0.100], p = 0.0100" in told
    )
    assert "fair" not in told


def test_the_last_line_has_the_verdict_and_its_gain(metrics):
    found = metrics["transfer_gain"]["transfer"]["test"]
    numbers = f"{format_estimate(found, '+')} (90 %), p = {found['p']:.4f}."
    starts = {
        "helps": "Transfer helps: ",
        "harms": "Transfer harms: ",
        "no difference shown": "No difference shown ",
    }
    for said, start in starts.items():
        told = list(summary_lines({**metrics, "verdict": said}))[-1]
        assert told.startswith(start) and told.endswith(numbers)
    assert list(summary_lines({**metrics, "verdict": "not defined"}))[-1].endswith(
        "the test part lacks a class."
    )


def test_other_tests_are_printed_before_the_verdict(metrics):
    told = copy.deepcopy(metrics)
    found = told["transfer_gain"]["transfer"]["test"]
    found |= {"p": 0.2, "p_holm": 0.6, "patients_needed": 512}
    found["delong"]["p"] = 0.25
    told["verdict"] = "no difference shown"
    told["verdict_from"]["non_inferior"] = False
    assert list(summary_lines(told))[-4:-1] == [
        "transfer over scratch: p = 0.6000 corrected for 4 models, p = 0.2500 by DeLong's test",
        "transfer may be worse than scratch by 0.05 or more",
        "about 512 test patients would be needed "
        "to distinguish the gain of this pair of networks from 0; there are 7",
    ]
    found["patients_needed"] = None
    told["verdict_from"]["non_inferior"] = True
    assert list(summary_lines(told))[-2] == "transfer is no worse than scratch by 0.05 or more"


def test_the_comparisons_have_the_margin_and_the_interval_that_they_name(metrics):
    assert metrics["margin"] == SETTINGS.margin and metrics["bootstrap"]["interval"] == "bca"
    for parts in metrics["transfer_gain"].values():
        for found in parts.values():
            assert (
                found["non_inferior"] == (found["low"] > -metrics["margin"])
                and found["p_holm"] >= found["p"]
            )
            assert (found["p"] < 0.1) == (not found["low"] <= 0 <= found["high"])


def test_a_part_without_a_class_has_no_gain_and_passes_the_schema():
    target = study(["benign", "malignant"])
    benign = target.cases["external"]
    rows = benign.rows.assign(label="benign")
    target.cases["external"] = Cases.of(
        rows, ["benign", "malignant"], SETTINGS.resamples, generator(0, "benign")
    )
    models = {
        name: target.assess(Fake(["benign", "malignant"], 4, seed))
        for seed, name in enumerate(NAMES)
    }
    baselines = {"majority": target.assess_majority(), "size_alone": target.assess_size_alone()}
    tuned = {
        name: tune(model, target.cases, SETTINGS) for name, model in (models | baselines).items()
    }
    found = assemble_metrics(target, target, None, models, baselines, tuned, SETTINGS, EVIDENCE)[
        "transfer_gain"
    ]["bagging"]["external"]
    assert found["left_out"] == 100 and found["delong"] == {"low": None, "high": None, "p": None}
    assert {found[key] for key in ("value", "p", "p_holm", "non_inferior", "patients_needed")} == {
        None
    }
