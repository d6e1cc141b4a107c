from dataclasses import replace

import pytest
from huggingface_hub import ModelCard
from ruamel.yaml import YAML

from graft.familiarity.familiar import Familiar
from graft.release.fitted import Fitted
from graft.release.readme import licence_of, model_card
from tests.run_explained import card_document
from tests.run_metrics import SHA, metrics_document
from tests.runs import without_external

FITTED = Fitted(
    name="bagging",
    source="lung",
    target="liver",
    temperature=1.73,
    points={"sensitivity": 0.31, "specificity": 0.31},
    wanted={"sensitivity": 0.9, "specificity": 0.9},
    miscoverage=0.1,
    quantiles={"benign": 0.7, "malignant": 0.7},
    familiar=Familiar({}, [], [], {}, ()),
    licence="CC-BY-NC-4.0",
    provenance={},
)


def write(metrics: dict | None = None, fitted: Fitted = FITTED) -> str:
    classes = list(fitted.quantiles)
    return model_card(metrics or metrics_document(classes), card_document(classes), fitted)


def test_the_front_matter_is_what_hugging_face_reads():
    card = ModelCard(write())
    assert card.data.license == "cc-by-nc-4.0"
    assert card.data.library_name == "graft"
    assert {"graft", "research-only", "liver"} <= set(card.data.tags)
    found = [(r.dataset_split, r.metric_type, r.metric_value) for r in card.data.eval_results]
    assert found == [
        ("test", "roc_auc", 0.805),
        ("test", "brier_score", 0.6),
        ("external", "roc_auc", 0.786),
        ("external", "brier_score", 0.6),
    ]
    front = YAML(typ="safe").load(write().split("---")[1])
    assert front["model-index"][0]["name"] == "graft-liver"


def test_the_text_has_every_section_and_says_what_failed():
    text = write()
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        "## Intended use and limits",
        "## Training data",
        "## Evaluation",
        "## Verdict on transfer",
        "## Calibration",
        "## Coverage",
        "## Refusals",
        "## Files",
    ]
    assert "**Research only.** This is not a medical device" in text
    assert f"`{SHA}`" in text
    assert "**The coverage of benign fails on the external part:**" in text
    assert write() == text


def test_every_table_has_as_many_cells_as_columns():
    for metrics in (metrics_document(["benign", "malignant"]), one_part()):
        widths = {0}
        for line in write(metrics).splitlines():
            cells = line.count("|")
            assert not cells or widths == {0} or cells in widths
            widths = {cells}


def one_part() -> dict:
    return without_external(metrics_document(["benign", "malignant"]))


def test_without_a_held_out_site_the_text_says_so():
    text = write(one_part())
    assert "No site was held out" in text
    assert "external |" not in text
    assert "No interval lies below 90" in text


def test_a_private_source_has_its_guarantee_and_no_digest():
    metrics = metrics_document(["benign", "malignant"])
    metrics["privacy"] = {"epsilon": 3.0, "patients": 41}
    metrics["hashes"]["source"] = {"images": "1" * 64, "split": "2" * 64}
    entry = {"domain": "lung", "unit": "patient", "epsilon": 3.0, "delta": 0.0002}
    card = card_document(["benign", "malignant"]) | {"privacy": [entry]}
    text = model_card(metrics, card, FITTED)
    guarantee = "each patient of lung who was trained on: ε = 3, δ = 0.0002."
    assert f"Differential privacy towards {guarantee}" in text
    assert "It does not cover the patients of `liver`" in text
    # The number of patients counts as public, that of their lesions does not.
    assert "| lung | 41 patients | withheld | withheld |" in text
    assert "1" * 64 not in text and "2" * 64 not in text
    assert "Differential privacy" not in write()


def test_three_classes_have_no_operating_points():
    classes = ["cyst", "haemangioma", "metastasis"]
    three = replace(FITTED, points={}, wanted={}, quantiles=dict.fromkeys(classes, None))
    text = write(metrics_document(classes), three)
    assert "sensitivity at the point" not in text
    assert "There are too few cases of cyst for a quantile" in text
    assert "tells cyst, haemangioma from metastasis lesions" in text


@pytest.mark.parametrize(
    ("expression", "keys"),
    [
        ("Apache-2.0", ("apache-2.0", None)),
        ("LicenseRef-unspecified", ("other", "unspecified")),
        ("MIT OR Apache-2.0", ("other", "mit or apache-2.0")),
    ],
)
def test_licences_have_the_names_of_hugging_face(expression, keys):
    assert licence_of(expression) == keys
