"""Chromium without a window, driven through a pipe by the DevTools protocol.

https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
PROGRAM = next(filter(None, map(shutil.which, NAMES)), "")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)
PATIENCE = 240.0
# Starts a program with the two given file descriptors as its numbers 3 and 4.
WIRED = """
import fcntl, os, sys
for number, wire in enumerate([fcntl.fcntl(int(w), fcntl.F_DUPFD, 64) for w in sys.argv[1:3]], 3):
    os.dup2(wire, number)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """One tab. `complaints` are what its console said, `loads` the addresses it asked for."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self.loads: list[str] = []
        self._events: list[str] = []
        self._pending = b""
        self._number = 0
        self._session = ""
        self._profile = tempfile.mkdtemp()
        commands, self._out = os.pipe()
        self._in, answers = os.pipe()
        wires, profile = (str(commands), str(answers)), f"--user-data-dir={self._profile}"
        self._process = subprocess.Popen(
            [sys.executable, "-c", WIRED, *wires, PROGRAM, *OPTIONS, profile],
            pass_fds=(commands, answers),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        try:
            self._attach()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the browser."""
        os.close(self._out)
        os.close(self._in)
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self._profile, ignore_errors=True)

    def open(self, page: Path, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Show a page in a window of this size and wait until it is loaded."""
        self.complaints, self.loads, self._events = [], [], []
        phone = width < 600
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
        self.ask("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.ask("Page.navigate", url=page.absolute().as_uri())
        while "Page.loadEventFired" not in self._events:
            self._receive()

    def run(self, script: str) -> Any:
        """Return what a script returns; it may await, and its clicks count as a person's."""
        answer = self.ask(
            "Runtime.evaluate",
            expression=f"(async () => {{{script}}})()",
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def picture(self, selector: str = "html", quality: int = 80, most: int = 4000) -> bytes:
        """Return a WebP picture of the first element that a selector finds."""
        box = self.run(
            f"const box = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            "return { x: box.x + scrollX - 12, y: box.y + scrollY, width: box.width + 24,"
            f" height: Math.min(box.height + 12, {most}), scale: 1 }};"
        )
        options = {"format": "webp", "quality": quality, "captureBeyondViewport": True}
        return base64.b64decode(self.ask("Page.captureScreenshot", clip=box, **options)["data"])

    def _attach(self) -> None:
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> Any:
        """Return the browser's answer to a command of the protocol."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise AssertionError(answer["error"])
                return answer["result"]

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._pending:
            if not select.select([self._in], [], [], PATIENCE)[0]:
                raise TimeoutError("the browser does not answer")
            part = os.read(self._in, 1 << 20)
            if not part:
                raise EOFError("the browser has ended")
            self._pending += part
        first, _, self._pending = self._pending.partition(b"\0")
        message: dict[str, Any] = json.loads(first)
        self._note(message)
        return message

    def _note(self, message: dict[str, Any]) -> None:
        method, parameters = message.get("method", ""), message.get("params", {})
        self._events.append(method)
        if method == "Network.requestWillBeSent":
            self.loads.append(parameters["request"]["url"])
        if method in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
            self.complaints.append(json.dumps(parameters))
