"""The page in a real browser, spoken to by the DevTools protocol: what a reader, a screen reader and a printer get."""

import base64
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import ClientConnection, connect

from graft.report import page

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
START_S = 60  # of a browser on a busy machine
FACTS = """(() => {
  const all = (query) => [...document.querySelectorAll(query)];
  const named = (node) => (node.getAttribute("aria-labelledby") || "").split(" ")
    .map((id) => (document.getElementById(id) || {textContent: ""}).textContent).join(" ").trim();
  return JSON.stringify({
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    headings: all("h1, h2, h3, h4, h5, h6").map((node) => Number(node.tagName[1])),
    silentPictures: all("img").filter((node) => !node.alt || !node.naturalWidth).length,
    silentDrawings: all("svg:not([aria-hidden=true])").filter((node) => !(node.role === "img" && named(node))).length,
    drawings: all("svg[role=img]").length,
    tables: all("table").length,
    nameless: all("table").filter((node) => !node.caption || !node.caption.textContent.trim()).length,
    headless: all("th:not([scope]), thead td").length,
    regions: all(".scroll:not([aria-label]), .scroll:not([tabindex])").length,
    strayLinks: all("a").filter((node) => !document.getElementById(node.hash.slice(1))).length,
    language: document.documentElement.lang,
    ragged: all("svg[role=img] text").filter((node) => {
      const box = node.getBoundingClientRect(), around = node.ownerSVGElement.getBoundingClientRect();
      return box.left < around.left - 3 || box.right > around.right + 3;
    }).map((node) => node.textContent),
  });
})()"""


class Tab:
    """One page of a browser. What it says unasked is kept in `events`."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket, self.sent, self.events = socket, 0, []

    def ask(self, method: str, **arguments: object) -> dict:
        self.sent += 1
        self.socket.send(json.dumps({"id": self.sent, "method": method, "params": arguments}))
        return self._until(lambda message: message.get("id") == self.sent)["result"]

    def open(self, path: Path, width: int) -> dict:
        """The facts of a page at a width in CSS pixels."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=False,
        )
        self.events.clear()
        self.ask("Page.navigate", url=path.as_uri())
        if not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self._until(lambda message: message.get("method") == "Page.loadEventFired")
        return json.loads(self.ask("Runtime.evaluate", expression=FACTS)["result"]["value"])

    def _until(self, wanted: object) -> dict:
        while True:
            message = json.loads(self.socket.recv(timeout=START_S))
            self.events += [message]
            if wanted(message):
                return message


@pytest.fixture(scope="module")
def tab(tmp_path_factory) -> Iterator[Tab]:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"no browser here: looked for {', '.join(BROWSERS)}")
    home = tmp_path_factory.mktemp("browser")
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--remote-debugging-port=0",
    ]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [browser, *flags, f"--user-data-dir={home}", "about:blank"], stdout=log, stderr=log
        )
    try:
        with connect(address(home, process), max_size=None) as socket:
            found = Tab(socket)
            for domain in ("Page", "Network", "Runtime", "Log"):
                found.ask(f"{domain}.enable")
            yield found
    finally:
        process.terminate()
        process.wait(START_S)


def address(home: Path, process: subprocess.Popen) -> str:
    """Where the first page of a browser listens, once it has written down its port."""
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if process.poll() is not None:
            pytest.fail(
                f"the browser ended with {process.returncode}: {(home / 'log').read_text()[-500:]}"
            )
        try:
            port = (home / "DevToolsActivePort").read_text().split()[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
                return next(
                    each["webSocketDebuggerUrl"]
                    for each in json.load(answer)
                    if each["type"] == "page"
                )
        except (OSError, IndexError, StopIteration):
            time.sleep(0.1)
    pytest.fail(f"the browser did not start in {START_S} s")


@pytest.mark.parametrize("options", [{}, {"bare": True, "external": False}], ids=["full", "bare"])
def test_everyone_can_read_the_page(tab, read_run, tmp_path, options):
    path = tmp_path / "report.html"
    path.write_text(page.render(read_run(**options)), encoding="utf-8")
    for width in (400, 1280):  # a telephone, a desk
        stands(tab.open(path, width), width)
        keeps_to_itself(tab.events, path)
    made = base64.b64decode(tab.ask("Page.printToPDF", preferCSSPageSize=True)["data"])
    assert made.startswith(b"%PDF") and len(made) > 50_000


def stands(facts: dict, width: int) -> None:
    """Nothing is cut off, everything has a name, headings leave out no step."""
    assert facts["overflow"] <= 0, f"wider than a window of {width} pixels"
    assert facts["headings"][0] == 1 and facts["headings"].count(1) == 1
    steps = zip(facts["headings"], facts["headings"][1:], strict=False)
    assert all(after - before <= 1 for before, after in steps)
    assert facts["drawings"] > 2 and facts["tables"] > 8 and facts["language"] == "en"
    faults = ("silentPictures", "silentDrawings", "nameless", "headless", "regions", "strayLinks")
    assert {name: facts[name] for name in faults} == dict.fromkeys(faults, 0)
    assert facts["ragged"] == []


def keeps_to_itself(events: list[dict], path: Path) -> None:
    """Nothing was asked of the network, and nothing complained of."""
    assert {url for url in asked(events) if not url.startswith("data:")} == {path.as_uri()}
    loud = (
        "Log.entryAdded",
        "Runtime.consoleAPICalled",
        "Runtime.exceptionThrown",
        "Network.loadingFailed",
    )
    assert [event for event in events if event.get("method") in loud] == []


def asked(events: list[dict]) -> list[str]:
    """The addresses that were asked for."""
    return [
        event["params"]["request"]["url"]
        for event in events
        if event.get("method") == "Network.requestWillBeSent"
    ]


def test_a_request_would_have_been_seen(tab, tmp_path):
    (tmp_path / "loud.html").write_text(
        "<img src='http://127.0.0.1:9/x.png'><script>console.log('x'); y</script>"
    )
    tab.open(tmp_path / "loud.html", 400)
    methods = {event.get("method") for event in tab.events}
    assert {
        "Runtime.consoleAPICalled",
        "Runtime.exceptionThrown",
        "Network.loadingFailed",
    } <= methods
    assert any(url.endswith("x.png") for url in asked(tab.events))
