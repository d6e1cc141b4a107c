"""The page, whatever the run left behind."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from graft.common.files import InputError
from graft.evaluation import metrics
from graft.report import curves, evidence, figures, page
from graft.report.charts import Chart

ROOT = Path(__file__).parents[3]
CSS = (page.TEMPLATES / "page.css").read_text(encoding="utf-8")
BLOCKS = ("learning_curve", "cross_validation", "sources", "explain/saliency", "explain/robustness")
TWO, THREE = ("benign", "malignant"), ("cyst", "benign", "malignant")
LEAST_CONTRAST = {
    "text": 4.5,
    "quiet": 4.5,
    "link": 4.5,
    "good": 4.5,
    "bad": 4.5,  # WCAG 2.2, 1.4.3 and 1.4.11
    "ink": 3,
    "blue": 3,
    "vermillion": 3,
    "green": 3,
    "purple": 3,
    "grey": 3,
}


@pytest.fixture
def undrawn(monkeypatch):
    """Charts without their lines: these have tests of their own, and take the longest."""

    def draw(
        name: str, title: str, alt: str, paint: object, key: tuple = (), size: tuple = ()
    ) -> Chart:
        return Chart(name, title, alt, "", key)

    for module in (curves, figures):
        monkeypatch.setattr(module, "draw", draw)


def test_a_full_run_has_every_section_and_the_same_bytes_twice(read_run):
    run = read_run()
    html = page.render(run)
    assert html == page.render(run)
    assert all(f'<section id="{section.name}"' in html for section in page.SECTIONS)
    assert "was not run" not in html and html.count("data:image/png;base64,") == 2
    assert "Transfer helps." in html and len(html) < 3e6


@pytest.mark.parametrize(
    ("bare", "classes", "external"),
    [(True, TWO, True), (True, THREE, False), (False, THREE, False)],
)
def test_null_is_said_in_words(read_run, bare, classes, external):
    html = page.render(read_run(classes=classes, bare=bare, external=external))
    words = re.sub(r"<[^>]+>", " ", html[html.index("<body>") :])
    assert not re.search(r"\b(None|nan|NaN|null|Undefined)\b", words)
    assert ("dvc exp run -S evaluate.folds=5" in html) == bare
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
    html = page.render(read_run(change=lambda found: found.update(verdict=verdict)))
    assert re.search(r"<h2[^>]*>([^<]*)", html)[1] == headline


def test_names_of_the_data_are_no_markup(read_run, undrawn):
    evil = '<img src=x onerror="alert(1)">'
    html = page.render(read_run(classes=("benign", evil)))
    assert evil not in html and "&lt;img src=x" in html
    assert "<b>a & b</b>" not in html  # a site of the subgroups


def test_elements_have_names_of_their_own_and_no_patient_or_other_place_is_named(read_run):
    html = page.render(read_run())
    names = re.findall(r'\bid="([^"]+)"', html)
    assert len(names) == len(set(names))
    assert "81f845995db91ade" not in html
    references = set(
        re.findall(r"""(?:src|href)\s*=\s*["']([^"'#d][^"']*)|url\((?!#)([^)]*)\)|@import""", html)
    )
    assert (
        references == set()
        and "http://" not in html
        and "https://" not in html
        and "<script" not in html
    )


def test_pictures_beyond_the_size_of_the_page_are_left_out(read_run, undrawn, monkeypatch):
    run = read_run(maps=4)
    monkeypatch.setattr(
        "graft.report.explained.MOST_BYTES", 2 * len(run.pictures["maps/0.png"]) + 500
    )
    html = page.render(run)
    assert html.count("data:image/png;base64,") == 2 and "2 more in metrics/explain/maps" in html


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
def test_colours_stand_out_from_the_page(mode):
    colours = dict(
        re.findall(r"--(\w+): (#\w+);", re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)[mode])
    )
    for name, least in LEAST_CONTRAST.items():
        assert contrast(colours[name], colours["paper"]) >= least, name


def test_a_file_that_is_not_there_is_named(write_run):
    folder = write_run()
    card = folder.parent / "models/best/card.json"
    (folder / "predictions.csv").write_text("sample,part\n1,test\n")
    with pytest.raises(InputError, match="predictions.csv: "):
        evidence.read(folder, card, {})
    (folder / "metrics.json").write_text("{}")
    with pytest.raises(InputError, match="metrics.json: has no 'models'"):
        evidence.read(folder, card, {})


def test_the_metrics_shown_here_are_those_that_evaluate_writes(write_run):
    found = json.loads((write_run() / "metrics.json").read_text())
    schema = json.loads((ROOT / "graft/metrics.schema.json").read_text())
    if unknown := sorted(found.keys() - schema["properties"].keys()):
        pytest.skip(f"metrics.schema.json does not know {', '.join(unknown)}")
    metrics.check_metrics(found)


@pytest.mark.parametrize("name", BLOCKS)
def test_the_blocks_shown_here_are_those_that_the_stages_write(write_run, name):
    schema = ROOT / f"graft/{Path(name).name}.schema.json"
    if not schema.exists():
        pytest.skip(f"{schema.name} is not there")
    folder = write_run()
    if name.startswith("explain/"):
        block = json.loads((folder / f"{name}.json").read_text())
    else:
        block = json.loads((folder / "metrics.json").read_text())[name]
        block = block if name == "sources" else {name: block}
    jsonschema.Draft202012Validator(json.loads(schema.read_text())).validate(block)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, by WCAG 2.2."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    code = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
