"""The page in a real browser, as a reader, a screen reader and a printer get it."""

import base64
import json
from collections.abc import Iterator

import pytest

from graft.report import page
from tests.browser import Tab, find_browser, requested_urls, run_browser

PHONE_PX = 400
DESKTOP_PX = 1280
NETWORK_OR_CONSOLE = {
    "Log.entryAdded",
    "Runtime.consoleAPICalled",
    "Runtime.exceptionThrown",
    "Network.loadingFailed",
}
FACTS = """(() => {
  const all = (query) => [...document.querySelectorAll(query)];
  const count = (query, wrong) => all(query).filter(wrong).length;
  const text = (id) => (document.getElementById(id) || {textContent: ""}).textContent;
  const label = (node) => (node.getAttribute("aria-labelledby") || "").split(" ").map(text)
    .join(" ").trim();
  const outside = (node) => {
    const box = node.getBoundingClientRect();
    const drawing = node.ownerSVGElement.getBoundingClientRect();
    return box.left < drawing.left - 3 || box.right > drawing.right + 3;
  };
  const root = document.documentElement;
  return JSON.stringify({
    overflow: root.scrollWidth - root.clientWidth,
    headings: all("h1, h2, h3, h4, h5, h6").map((node) => Number(node.tagName[1])),
    language: root.lang,
    drawings: all("svg[role=img]").length,
    tables: all("table").length,
    cutLabels: all("svg[role=img] text").filter(outside).map((node) => node.textContent),
    faults: {
      imagesWithoutText: count("img", (node) => !node.alt || !node.naturalWidth),
      drawingsWithoutText: count("svg:not([aria-hidden=true])",
        (node) => node.role !== "img" || !label(node)),
      tablesWithoutCaption: count("table",
        (node) => !node.caption || !node.caption.textContent.trim()),
      headCellsWithoutScope: all("th:not([scope]), thead td").length,
      scrollRegionsWithoutLabel: all(".scroll:not([aria-label]), .scroll:not([tabindex])").length,
      brokenLinks: count("a", (node) => !document.getElementById(node.hash.slice(1))),
    },
  });
})()"""


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    browser = find_browser()
    if browser is None:
        pytest.skip("no Chromium or Chrome is installed")
    with run_browser(browser, tmp_path_factory.mktemp("browser")) as tab:
        yield tab


@pytest.fixture(scope="module")
def loud_page(tmp_path_factory: pytest.TempPathFactory):
    """A page that requests a file and writes to the console."""
    path = tmp_path_factory.mktemp("loud") / "loud.html"
    path.write_text(
        "<img src='http://127.0.0.1:9/x.png'><script>console.log('x'); y</script>",
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize("width", [PHONE_PX, DESKTOP_PX])
@pytest.mark.parametrize("options", [{}, {"bare": True, "external": False}], ids=["full", "bare"])
def test_the_page_is_accessible_and_loads_nothing(tab, read_run, tmp_path, options, width):
    path = tmp_path / "report.html"
    path.write_text(page.render_page(read_run(**options)), encoding="utf-8")
    tab.open_page(path, width)
    facts = json.loads(tab.evaluate(FACTS))
    check_layout(facts)
    assert set(facts["faults"].values()) == {0}, facts["faults"]
    requested = {url for url in requested_urls(tab.events) if not url.startswith("data:")}
    assert requested == {path.as_uri()}
    assert not NETWORK_OR_CONSOLE & {event.get("method") for event in tab.events}


def test_the_page_can_be_printed(tab, read_run, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(page.render_page(read_run()), encoding="utf-8")
    tab.open_page(path, DESKTOP_PX)
    printed = base64.b64decode(tab.send("Page.printToPDF", preferCSSPageSize=True)["data"])
    assert printed.startswith(b"%PDF")
    assert len(printed) > 50_000


def test_requests_and_console_messages_are_detected(tab, loud_page):
    tab.open_page(loud_page, PHONE_PX)
    methods = {event.get("method") for event in tab.events}
    expected = {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Network.loadingFailed"}
    assert expected <= methods
    assert any(url.endswith("x.png") for url in requested_urls(tab.events))


def check_layout(facts: dict) -> None:
    """Nothing is cut off, and the headings skip no level."""
    assert facts["overflow"] <= 0, "the page is wider than the window"
    assert facts["cutLabels"] == []
    assert facts["language"] == "en"
    assert facts["drawings"] > 2
    assert facts["tables"] > 8
    headings = facts["headings"]
    assert headings[0] == 1
    assert headings.count(1) == 1
    for before, after in zip(headings, headings[1:], strict=False):
        assert after - before <= 1
