"""The page as HTML, for complete and for incomplete runs."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from graft.charts.svg import Chart
from graft.common.documents import check_schema
from graft.common.files import InputError
from graft.evaluation.metrics import without_patients
from graft.evidence.evidence import (
    CURVES,
    OF_BOTH_CLASSES,
    REQUIRED_KEYS,
    Evidence,
    load_evidence,
)
from graft.membership.document import attacks_document
from graft.report import curves, figures, page
from tests.run_attacks import attack, guarantee
from tests.seals import flip_bit, reseal

ROOT = Path(__file__).parents[3]
CSS = (page.TEMPLATES / "page.css").read_text(encoding="utf-8")
SCHEMAS = {
    "learning_curve": "repeated_evaluation/learning_curve.schema.json",
    "cross_validation": "repeated_evaluation/cross_validation.schema.json",
    "sources": "ranking/sources.schema.json",
    "explain/saliency": "explain/saliency.schema.json",
    "explain/robustness": "explain/robustness.schema.json",
}
TWO = ("benign", "malignant")
THREE = ("cyst", "benign", "malignant")
MIN_TEXT_CONTRAST = 4.5  # WCAG 2.2, 1.4.3
MIN_GRAPHICS_CONTRAST = 3  # WCAG 2.2, 1.4.11
TEXT_COLOURS = ("text", "quiet", "link", "good", "bad")
GRAPHICS_COLOURS = ("ink", "blue", "vermillion", "green", "purple", "grey")


@pytest.fixture
def undrawn(monkeypatch):
    """Leave out the drawings, which have tests of their own and take the longest."""

    def describe_chart(
        name: str, title: str, alt: str, paint: object, legend: tuple = (), size: tuple = ()
    ) -> Chart:
        return Chart(name, title, alt, "", legend)

    for module in (curves, figures):
        monkeypatch.setattr(module, "draw_chart", describe_chart)


def test_a_complete_run_has_every_section(read_run):
    html = page.render_page(read_run())
    for section in page.SECTIONS:
        assert f'<section id="{section.name}"' in html
    assert "was not computed" not in html
    assert html.count("data:image/png;base64,") == 2
    assert "Transfer helps." in html
    assert len(html) < 3e6


def test_a_model_that_is_worse_than_lesion_size_is_named_before_the_verdict(read_run, undrawn):
    def enlarge(metrics: dict) -> None:
        metrics["baselines"]["size_alone"]["test"]["auroc"]["value"] = 0.91
        gap = {"value": -0.105, "low": -0.2, "high": -0.01, "p": 0.03, "left_out": 0}
        metrics["target"]["gain_over_size"]["test"] = gap

    html = page.render_page(read_run(change=enlarge))
    warning = "The chosen model, bagging, scores below size alone on the test part: its AUROC is"
    assert html.index(warning) < html.index('id="verdict"')
    assert "(difference −0.105 [−0.200,\N{NO-BREAK SPACE}−0.010])" in html


def test_a_successful_attack_is_named_before_the_verdict_and_a_broken_guarantee_in_red(
    read_run, undrawn
):
    run = read_run()
    html = page.render_page(run)
    warning = "Whoever has one of these models can infer better than by guessing"
    assert html.index('id="verdict"') < html.index(warning) < html.index('id="contents"')
    assert 'class="broken"' not in html
    section = html[html.index('<section id="attacks"') :]
    assert section.count("the attack stays below both.") == 1
    assert section.count('<td class="n bad">0.800') == 1
    assert "deep was not attacked: this run has no such model." in section
    broken = attack("pretrained", 0.9, guarantee(below=False, broken=True))
    html = page.render_page(replace(run, attacks=attacks_document([broken], {}, 0.95)))
    first = '<strong class="broken">The privacy guarantee of pretrained is broken: the attack'
    assert html.index(first) < html.index('id="verdict"')
    assert '<td class="bad">broken</td>' in html
    assert '<strong class="broken">pretrained: the attack succeeds.' in html


def test_a_run_without_attacks_says_why(read_run, undrawn):
    left_out = {"pretrained": "its weights were trained elsewhere, on unknown patients"}
    html = page.render_page(replace(read_run(), attacks=attacks_document([], left_out, 0.95)))
    assert "pretrained was not attacked: its weights were trained elsewhere" in html


def test_one_line_says_how_many_labels_were_used_for_what(read_run, undrawn):
    html = page.render_page(read_run())
    line = "Labels of liver: 42 patients (65 lesions) to train on; 20 patients (36 lesions) more"
    assert html.count(line) == 1
    assert "scores below size alone" not in html


def test_a_run_without_a_validation_part_says_so(read_run, undrawn):
    def fold(metrics: dict) -> None:
        metrics["validated"] = {"by": "folds", "folds": 5, "patients": 42, "lesions": 65}
        metrics["target"]["counts"]["validation"] = None

    html = page.render_page(read_run(change=fold))
    assert "to train on, and none more: training stops after a fixed number of epochs" in html
    assert "the best on the training part out of fold" in html
    assert "the validation part" not in html


def test_the_same_run_gives_the_same_bytes(read_run):
    run = read_run()
    assert page.render_page(run) == page.render_page(run)


@pytest.mark.parametrize(
    ("bare", "classes", "external"),
    [(True, TWO, True), (True, THREE, False), (False, THREE, False)],
)
def test_missing_results_are_explained_in_words(read_run, bare, classes, external):
    html = page.render_page(read_run(classes=classes, bare=bare, external=external))
    text = re.sub(r"<[^>]+>", " ", html[html.index("<body>") :])
    assert not re.search(r"\b(None|nan|NaN|null|Undefined)\b", text)
    assert ("dvc exp run -S cross_validation.folds=5" in html) == bare
    assert ("No site was held out" in html) == (not external)
    assert ("more than two classes" in html) == (len(classes) == 3)


@pytest.mark.parametrize(
    ("verdict", "headline"),
    [
        ("helps", "Transfer helps."),
        ("harms", "Transfer harms."),
        ("no difference shown", "No difference shown."),
        ("not defined", "Not defined."),
    ],
)
def test_the_verdict_comes_first(read_run, undrawn, verdict, headline):
    html = page.render_page(read_run(change=lambda metrics: metrics.update(verdict=verdict)))
    assert re.search(r"<h2[^>]*>([^<]*)", html)[1] == headline


@pytest.mark.parametrize(
    ("bare", "epochs", "start", "first"),
    [
        (False, 0, "lung", "training on lung first"),
        (True, 0, "imagenet", "starting from the weights imagenet"),
        (False, 3, "lung", "learning from images without labels and training on lung first"),
        (True, 3, "self-supervised", "learning from images without labels first"),
    ],
)
def test_the_question_names_what_the_transferred_weights_come_from(
    read_run, undrawn, bare, epochs, start, first
):
    run = read_run(bare=bare)
    question = f"Does {first} help to diagnose liver?"
    changed = {"pretrain": {"source": start}, "self_supervise": {"epochs": epochs}}
    parameters = {**run.parameters, **changed}
    html = page.render_page(replace(run, parameters=parameters))
    assert f"<h1>{question}</h1>" in html
    assert f"<title>{start} to liver: " in html


def test_names_from_the_data_are_not_markup(read_run, undrawn):
    evil = '<img src=x onerror="alert(1)">'
    html = page.render_page(read_run(classes=("benign", evil)))
    assert evil not in html
    assert "&lt;img src=x" in html
    assert "<b>a & b</b>" not in html  # a site of the subgroups


def test_unknown_patients_are_not_counted(read_run):
    def forget(metrics: dict) -> None:
        metrics |= without_patients(metrics)
        metrics["bootstrap"]["unit"] = "lesion"

    html = page.render_page(read_run(change=forget))
    text = re.sub(r"<[^>]+>", " ", html[html.index("<body>") :])
    assert "The data does not say whose lesions these are" in text
    counts = re.findall(r"[\d,.]+ (?:labelled |test )?patients?", text)
    assert counts == ["140 patients"]  # of the fake run's row of checks


def test_element_ids_are_unique(read_run):
    ids = re.findall(r'\bid="([^"]+)"', page.render_page(read_run()))
    assert len(ids) == len(set(ids))


def test_the_page_names_no_patient(read_run, undrawn):
    assert "81f845995db91ade" not in page.render_page(read_run())


def test_the_page_refers_to_no_other_file(read_run):
    html = page.render_page(read_run())
    pattern = r"""(?:src|href)\s*=\s*["']([^"'#d][^"']*)|url\((?!#)([^)]*)\)|@import"""
    assert re.findall(pattern, html) == []
    for forbidden in ("http://", "https://", "<script"):
        assert forbidden not in html


def test_the_page_names_the_parameter_file_as_it_is_told(read_run, undrawn):
    assert "params.yaml, as used in this run" in page.render_page(read_run())


def test_pictures_that_would_make_the_page_too_large_are_left_out(read_run, undrawn, monkeypatch):
    run = read_run(maps=4)
    two_pictures = 2 * len(run.pictures["maps/0.png"]) + 500
    monkeypatch.setattr("graft.report.explained.MAX_BYTES", two_pictures)
    html = page.render_page(run)
    assert html.count("data:image/png;base64,") == 2
    assert f"2 more are in {run.pictures_folder}" in html


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
def test_colours_have_enough_contrast_with_the_page(mode):
    block = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)[mode]
    colours = dict(re.findall(r"--(\w+): (#\w+);", block))
    for name in TEXT_COLOURS:
        assert contrast(colours[name], colours["paper"]) >= MIN_TEXT_CONTRAST, name
    for name in GRAPHICS_COLOURS:
        assert contrast(colours[name], colours["paper"]) >= MIN_GRAPHICS_CONTRAST, name


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("predictions.csv", "sample,part\n1,test\n", "predictions.csv: was changed after it was"),
        ("metrics.json", "{}", "metrics.json: has no key 'sha256'"),
        ("metrics.json", "{", "metrics.json: cannot be read as JSON"),
    ],
)
def test_an_error_names_the_file_and_what_is_missing(write_run, file, content, message):
    folder = write_run()
    (folder / file).write_text(content)
    with pytest.raises(InputError, match=message):
        load(folder)


def load(folder: Path) -> Evidence:
    card = folder.parent / "models/best/card.json"
    parameters = {"target": "liver", "domains": {"liver": {"classes": list(TWO)}}}
    return load_evidence(folder, card, parameters, parameters_name="p", commands={}, synthetic=True)


def edit_table(folder: Path, name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    path = folder / name
    change(pd.read_csv(path)).to_csv(path, index=False)
    reseal(folder / "metrics.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(columns="label"), "predictions.csv: has no column 'label'"),
        (
            lambda table: table[1:],
            "predictions.csv: has 61 predictions of scratch on the part test",
        ),
        (lambda table: table[table["model"] != "transfer"], "has 0 predictions of transfer"),
        (lambda table: table.assign(sample=1), "expected one of each of its 62 lesions"),
    ],
)
def test_missing_predictions_are_noticed(write_run, change, message):
    folder = write_run()
    edit_table(folder, "predictions.csv", change)
    with pytest.raises(InputError, match=message):
        load(folder)


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize(("column", "value"), [("model", "transfer"), ("part", "external")])
def test_a_missing_curve_is_noticed(write_run, name, column, value):
    folder = write_run()
    edit_table(folder, f"plots/{name}.csv", lambda table: table[table[column] != value])
    with pytest.raises(InputError, match=f"{name}.csv: has no rows of .* on the part "):
        load(folder)


def test_a_test_part_of_one_class_has_no_roc_curve(write_run):
    folder = write_run()
    edit_table(folder, "predictions.csv", lambda table: table.assign(label="benign"))
    for name in OF_BOTH_CLASSES:
        edit_table(folder, f"plots/{name}.csv", lambda table: table[:0])
    assert load(folder).curves["roc"].empty


@pytest.mark.parametrize("key", REQUIRED_KEYS)
def test_a_missing_block_of_the_metrics_is_noticed(write_run, key):
    folder = write_run()
    reseal(folder / "metrics.json", lambda metrics: metrics.pop(key))
    with pytest.raises(InputError, match=f"metrics.json: has no '{key}', expected metrics of"):
        load(folder)


@pytest.mark.parametrize("name", ["plots/roc.csv", "plots/decision.csv", "explain/maps/0.png"])
def test_a_missing_file_is_noticed(write_run, name):
    folder = write_run()
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"{name}: is missing, expected a file"):
        load(folder)


@pytest.mark.parametrize("name", ["saliency", "robustness"])
def test_an_explanation_of_another_model_is_noticed(write_run, name):
    folder = write_run()
    reseal(folder / f"explain/{name}.json", lambda content: content.update(model="scratch"))
    with pytest.raises(InputError, match=f"{name}.json: is about scratch, expected bagging"):
        load(folder)


def test_attacks_on_models_of_another_run_are_noticed(write_run):
    folder = write_run()

    def change(content: dict) -> None:
        content["models"][2]["weights_sha256"] = "1" * 64

    reseal(folder / "attacks.json", change)
    with pytest.raises(InputError, match="attacks.json: is about other weights of transfer, expe"):
        load(folder)


def test_a_card_of_another_model_is_noticed(write_run):
    folder = write_run()
    change = {"weights_sha256": "1" * 64}
    reseal(folder.parent / "models/best/card.json", lambda card: card.update(change))
    with pytest.raises(InputError, match="best/card.json: was changed after it was written"):
        load(folder)


def test_a_flipped_bit_in_any_file_is_noticed(write_run):
    folder = write_run()
    random = np.random.default_rng(3)
    paths = [path for path in sorted(folder.parent.rglob("*.*")) if path.is_file()]
    assert len(paths) == 12
    for path in paths:
        content = path.read_bytes()
        flip_bit(path, int(random.integers(len(content) - 1)), int(random.integers(8)))
        with pytest.raises(InputError, match=f"{path}: "):
            load(folder)
        path.write_bytes(content)
    load(folder)


def test_the_fake_metrics_match_the_schema(write_run):
    metrics = json.loads((write_run() / "metrics.json").read_text())
    check_schema(metrics, ROOT / "graft/evaluation/metrics.schema.json")


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_fake_blocks_match_their_schemas(write_run, name):
    folder = write_run()
    if name.startswith("explain/"):
        content = json.loads((folder / f"{name}.json").read_text())
    else:
        block = json.loads((folder / "metrics.json").read_text())[name]
        content = block if name == "sources" else {name: block}
    check_schema(content, ROOT / "graft" / SCHEMAS[name])


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours (WCAG 2.2)."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """The relative luminance of a colour written as #rgb or #rrggbb (WCAG 2.2)."""
    digits = colour[1:]
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    total = 0.0
    for start, weight in ((0, 0.2126), (2, 0.7152), (4, 0.0722)):
        part = int(digits[start : start + 2], 16) / 255
        linear = part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        total += weight * linear
    return total


def test_the_cost_of_privacy_is_a_sentence_on_the_source(read_run, undrawn):
    sentence = "The network of lung was trained with differential privacy <b>."
    html = page.render_page(
        read_run(change=lambda metrics: metrics.update(privacy={"sentence": sentence}))
    )
    section = html[html.index('<section id="source"') : html.index('<section id="curves"')]
    assert "<p>The network of lung was trained with differential privacy &lt;b&gt;.</p>" in section
