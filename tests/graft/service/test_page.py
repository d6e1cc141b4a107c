"""The page: what it may load, and how it works in a real browser."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.service.served import TOKEN
from tests.browser import Tab, find_browser, requested_urls, run_browser
from tests.graft.service.conftest import REAL_SERIES, SHARED, zipped

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "graft/service/page"
CT = SHARED / "ct_volume/lung1_image.nrrd"
NOISE = {"Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"}
FAULTS = """(() => {
  const all = (query) => [...document.querySelectorAll(query)];
  const count = (query, wrong) => all(query).filter(wrong).length;
  const named = (node) => node.labels?.length || node.getAttribute("aria-label")
    || node.textContent.trim();
  return JSON.stringify({
    unnamed: count("input, select, button, canvas", (node) => !named(node)),
    sections: count("section", (node) => !document.getElementById(
      node.getAttribute("aria-labelledby"))),
    headings: count("h1", () => true) - 1,
    positive: count("[tabindex]", (node) => node.tabIndex > 0),
    overflow: Math.max(0, document.documentElement.scrollWidth - innerWidth),
  });
})()"""
CONTRAST = """(() => {
  const style = getComputedStyle(document.documentElement);
  const value = (name) => {
    const [r, g, b] = style.getPropertyValue(name).trim().slice(1).match(/../g)
      .map((part) => parseInt(part, 16) / 255)
      .map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, two) => {
    const [low, high] = [value(one), value(two)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  return JSON.stringify([
    ...["--text", "--quiet", "--accent", "--warn", "--error"].flatMap(
      (name) => [ratio(name, "--page"), ratio(name, "--panel")]),
    ratio("--accent", "--on-accent")]);
})()"""


def test_the_page_has_no_inline_code_and_nothing_from_elsewhere():
    for path in PAGE.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|\son\w+=|style=|<script>|<style>|eval\(", text), path.name


def test_every_element_that_the_scripts_find_is_in_the_page():
    page = (PAGE / "index.html").read_text(encoding="utf-8")
    for name in ("main.js", "results.js"):
        script = (PAGE / name).read_text(encoding="utf-8")
        for found in re.findall(r'(?:find|fillList)\("([a-z-]+)"', script):
            assert f'id="{found}"' in page, found


def test_violet_is_evidence_for_and_orange_against_as_in_the_reports():
    page, style, script = (
        (PAGE / name).read_text(encoding="utf-8")
        for name in ("index.html", "style.css", "viewer.js")
    )
    for sign, name, colour in [("for", "violet", "#b366ff"), ("against", "orange", "#ff8c00")]:
        assert f'<span class="{sign}">{name}</span> is evidence {sign}' in " ".join(page.split())
        assert f".{sign} {{ background: {colour}; }}" in style
        [drawn] = re.findall(rf"const {sign.upper()} = \[(.*)\];", script)
        shares = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        assert [float(share) for share in drawn.split(",")] == pytest.approx(shares, abs=0.01)


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Tab]:
    found = find_browser()
    if found is None:
        pytest.skip("no Chromium or Chrome is installed")
    with run_browser(found, tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def tab(browser, served) -> Iterator[Tab]:
    browser.open_page("about:blank", 1100)
    browser.open_page(f"{served.url}/#token={TOKEN}", 1100)
    browser.wait_for("document.getElementById('model-facts').children.length")
    yield browser
    assert not NOISE & {event.get("method") for event in browser.events}
    assert all(url.startswith(served.url) for url in requested_urls(browser.events))


def text_of(tab: Tab, name: str) -> str:
    return tab.evaluate(f"document.getElementById('{name}').textContent")


def open_scan(tab: Tab, path: Path) -> None:
    tab.choose_file("#file", path)
    tab.wait_for(
        "!document.getElementById('lesion').hidden || !document.getElementById('error').hidden"
    )
    assert text_of(tab, "error") == ""


def wait_for_answer(tab: Tab) -> None:
    tab.wait_for(
        "!document.getElementById('answer').hidden || !document.getElementById('error').hidden"
    )
    assert text_of(tab, "error") == ""


def move_cross(tab: Tab) -> None:
    tab.evaluate("document.getElementById('view').focus(); 0")
    tab.press("ArrowUp")


def position(tab: Tab) -> list[float]:
    numbers = re.search(r"x (\S+), y (\S+), z (\S+) mm", text_of(tab, "position"))
    return [float(number) for number in numbers.groups()]


def check_percent(tab: Tab, probability: float) -> None:
    shown = re.findall(r"([\d.]+) %", text_of(tab, "probabilities"))
    assert float(shown[-1]) == pytest.approx(100 * probability, abs=0.3)  # the position is rounded


def test_the_keyboard_alone_predicts_for_a_lesion(tab, scan, predictor):
    assert "token" not in tab.evaluate("location.href")
    open_scan(tab, scan)
    tab.evaluate("document.getElementById('view').focus(); 0")
    before = position(tab)
    for key in ("ArrowLeft", "ArrowUp", "PageUp"):
        tab.press(key)
    moved = np.array(position(tab)) - before
    assert moved == pytest.approx([1.5, 2.5, 1.0], abs=0.11)  # to the patient's right, front, up
    tab.press("Enter")
    wait_for_answer(tab)
    x, y, z = position(tab)
    check_percent(tab, predictor.predict(scan, at=(x, y, z)).probabilities["malignant"])
    assert "Probability of malignant" in text_of(tab, "status")
    assert "chosen for sensitivity" in text_of(tab, "facts")
    assert "Liver <b>model</b>" in text_of(tab, "card")
    assert tab.evaluate("document.querySelector('#point [value=specificity]').disabled")
    assert tab.evaluate("document.getElementById('status').getAttribute('aria-live')") == "polite"
    assert not tab.evaluate("document.getElementById('opacity').disabled")
    for width in (1100, 400):
        tab.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=False,
        )
        faults = json.loads(tab.evaluate(FAULTS))
        assert set(faults.values()) == {0}, (width, faults)


def test_a_scan_that_is_opened_during_a_prediction_can_be_predicted(tab, scan):
    open_scan(tab, scan)
    move_cross(tab)
    tab.evaluate(
        "document.getElementById('predict').click();"
        "document.getElementById('file').dispatchEvent(new Event('change')); 0"
    )
    tab.wait_for("document.getElementById('status').textContent.includes('Point at')")
    assert not tab.evaluate("document.getElementById('predict').disabled")
    tab.evaluate("document.getElementById('predict').click(); 0")  # at a place nobody chose
    assert "Point at the lesion first" in text_of(tab, "status")
    move_cross(tab)
    tab.evaluate("document.getElementById('predict').click(); 0")
    wait_for_answer(tab)


def test_contrast_suffices_in_light_and_dark(tab):
    for scheme in ("light", "dark"):
        tab.send(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        assert min(json.loads(tab.evaluate(CONTRAST))) >= 4.5, scheme


def test_a_damaged_scan_is_an_alert(tab, tmp_path):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(b"no scan")
    tab.choose_file("#file", path)
    tab.wait_for("!document.getElementById('error').hidden")
    assert "scan.nii.gz" in text_of(tab, "error")
    assert tab.evaluate("document.getElementById('error').getAttribute('role')") == "alert"
    tab.events.clear()  # the browser logs the status 422


def test_a_click_on_a_real_scan_predicts_there(tab, predictor):
    if not CT.exists():
        pytest.skip(f"no real CT at {CT}: set GRAFT_SHARED_DATA to try it")
    open_scan(tab, CT)
    assert "48 slices of 512 by 512" in text_of(tab, "status")
    tab.evaluate("document.getElementById('view').scrollIntoView(); 0")
    box = json.loads(
        tab.evaluate("JSON.stringify(document.getElementById('view').getBoundingClientRect())")
    )
    tab.click(box["x"] + 0.5 * box["width"], box["y"] + 0.6 * box["height"])
    wait_for_answer(tab)
    x, y, z = position(tab)
    assert "Refused" in text_of(tab, "answer-text")
    assert "5 mm per voxel" in text_of(tab, "reasons")
    check_percent(tab, predictor.predict(CT, at=(x, y, z)).probabilities["malignant"])


def test_a_real_series_works_from_the_file_to_the_answer(tab, tmp_path):
    path = tmp_path / "series.zip"
    path.write_bytes(zipped(REAL_SERIES))
    open_scan(tab, path)
    assert "5 slices of 16 by 16" in text_of(tab, "status")
    move_cross(tab)
    tab.evaluate("document.getElementById('predict').click(); 0")
    wait_for_answer(tab)
    assert text_of(tab, "answer-text") in text_of(tab, "status")
