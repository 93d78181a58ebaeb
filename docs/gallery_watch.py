"""Make the pictures of `dgmix watch` in docs/images: python docs/gallery_watch.py [SECONDS]

Runs `dgmix watch --demo` for so many seconds, 110 by default: then a fan is broken, a slide rail
runs at a speed that it has not learned, and a gearbox has lost its microphone. Needs Chromium.
"""

import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from dgmix.watch.demo import prepare, run_demo

ROOT = Path(__file__).parents[1]
ADDRESS = "http://127.0.0.1:8765"
QUALITY = 70
ROLL_SECONDS = 20  # the spectrogram rolls from when the page is opened


def main(seconds: float) -> None:
    """Run the demonstration and take the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        demo = subprocess.Popen([sys.executable, __file__, "--serve", folder])
        try:
            time.sleep(seconds)
            take_pictures((Path(folder) / "state" / "token").read_text().strip())
        finally:
            demo.terminate()
            demo.wait()


def take_pictures(token: str) -> None:
    """Write the pictures: all machines, one in dark, an event, a phone."""
    sys.path[:0] = [str(ROOT / "tests" / "evaluate" / "report")]
    from chromium import Browser

    class Visitor(Browser):
        """A tab on a served page."""

        def visit(self, path: str, width: int = 1200, dark: bool = False) -> None:
            """Show a page of the demonstration."""
            page = Address(ADDRESS + path)
            self.open(page, width, 900, dark)  # type: ignore[arg-type]

    browser = Visitor()
    try:
        browser.visit("/")
        browser.run(
            f"document.querySelector('[name=key]').value = {json.dumps(token)};"
            "setTimeout(() => document.forms[0].submit(), 0)"
        )
        while not browser.run("return document.querySelector('.state') !== null"):
            time.sleep(1)
            browser.visit("/")
        save("machines", browser.picture("main", QUALITY))
        browser.visit("/machine/fan", dark=True)
        time.sleep(ROLL_SECONDS)
        save("machine-dark", browser.picture("main", QUALITY))
        browser.visit(f"/event/{anomaly(token)}")
        save("event", browser.picture("main", QUALITY))
        browser.visit("/", width=390)
        save("phone", browser.picture("html", QUALITY, most=900))
    finally:
        browser.close()


class Address:
    """An address in place of a page's path."""

    def __init__(self, address: str) -> None:
        self._address = address

    def absolute(self) -> "Address":
        """Return the address itself."""
        return self

    def as_uri(self) -> str:
        """Return the address as a text."""
        return self._address


def anomaly(token: str) -> str:
    """Return the id of the fan's anomaly."""
    request = urllib.request.Request(
        f"{ADDRESS}/api/v1/events", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request) as answer:
        events = json.load(answer)
    return next(each["id"] for each in events if each["kind"] == "anomaly")


def save(name: str, picture: bytes) -> None:
    """Write a picture to docs/images."""
    (ROOT / "docs" / "images" / f"watch-{name}.webp").write_bytes(picture)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        run_demo(Path(sys.argv[2]))
    else:
        main(float(sys.argv[1]) if sys.argv[1:] else 110.0)
