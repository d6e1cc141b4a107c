"""Controls a headless browser through the DevTools protocol."""

import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.sync.client import ClientConnection, connect

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT_S = 60  # for the start and for each answer on a busy machine
HEIGHT_PX = 900
POLL_S = 0.05
KEY_CODES = {
    "Tab": 9,
    "Enter": 13,
    "PageUp": 33,
    "PageDown": 34,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
}
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--remote-debugging-port=0",
)


class Tab:
    """One page of a browser; `events` has every message since the page was opened."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.last_id = 0
        self.events: list[dict] = []

    def send(self, method: str, **parameters: object) -> dict:
        """Send a command and return its result."""
        self.last_id += 1
        command = {"id": self.last_id, "method": method, "params": parameters}
        self.socket.send(json.dumps(command))
        return self._receive_until(lambda event: event.get("id") == self.last_id)["result"]

    def open_page(self, page: Path | str, width: int) -> None:
        """Open a file or an address in a window of `width` CSS pixels, and wait for it."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=HEIGHT_PX,
            deviceScaleFactor=1,
            mobile=False,
        )
        self.events.clear()
        self.send("Page.navigate", url=page.as_uri() if isinstance(page, Path) else page)
        if not any(is_load(event) for event in self.events):
            self._receive_until(is_load)

    def evaluate(self, expression: str) -> str:
        """The value of a JavaScript expression."""
        return self.send("Runtime.evaluate", expression=expression)["result"]["value"]

    def wait_for(self, expression: str) -> None:
        """Wait until a JavaScript expression is true."""
        deadline = time.monotonic() + TIMEOUT_S
        while not self.evaluate(f"Boolean({expression})"):
            if time.monotonic() > deadline:
                pytest.fail(f"the page did not reach {expression} within {TIMEOUT_S} s")
            time.sleep(POLL_S)

    def choose_file(self, selector: str, path: Path) -> None:
        """Choose a file in an input of the page."""
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def press(self, key: str) -> None:
        """Press a key where the focus is."""
        text = {"Enter": "\r"}.get(key, "")
        code = KEY_CODES.get(key, 0)
        for kind in ("keyDown", "keyUp"):
            self.send(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                text=text if kind == "keyDown" else "",
                windowsVirtualKeyCode=code,
            )

    def click(self, x: float, y: float) -> None:
        """Click at a point of the window, in CSS pixels."""
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def _receive_until(self, wanted: Callable[[dict], bool]) -> dict:
        while True:
            event = json.loads(self.socket.recv(timeout=TIMEOUT_S))
            self.events.append(event)
            if wanted(event):
                return event


def is_load(event: dict) -> bool:
    return event.get("method") == "Page.loadEventFired"


def requested_urls(events: list[dict]) -> list[str]:
    urls = []
    for event in events:
        if event.get("method") == "Network.requestWillBeSent":
            urls.append(event["params"]["request"]["url"])
    return urls


def find_browser() -> str | None:
    for name in BROWSERS:
        path = shutil.which(name)
        if path:
            return path
    return None


@contextmanager
def run_browser(browser: str, profile: Path) -> Iterator[Tab]:
    """Start a browser with a new profile and yield its first tab."""
    command = [browser, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    with (profile / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        with connect(wait_for_address(profile, process), max_size=None) as socket:
            tab = Tab(socket)
            for domain in ("Page", "Network", "Runtime", "Log"):
                tab.send(f"{domain}.enable")
            yield tab
    finally:
        process.terminate()
        process.wait(TIMEOUT_S)


def wait_for_address(profile: Path, process: subprocess.Popen) -> str:
    """The address of the first tab, once the browser has written its port to the profile."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            log = (profile / "log").read_text()[-500:]
            pytest.fail(f"the browser exited with {process.returncode}: {log}")
        address = read_address(profile / "DevToolsActivePort")
        if address:
            return address
        time.sleep(0.1)
    pytest.fail(f"the browser did not start within {TIMEOUT_S} s")


def read_address(port_file: Path) -> str | None:
    """The address of the first tab; None if the browser is not ready."""
    try:
        port = port_file.read_text().split()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
            targets = json.load(answer)
    except (OSError, IndexError):
        return None
    for target in targets:
        if target["type"] == "page":
            return target["webSocketDebuggerUrl"]
    return None
