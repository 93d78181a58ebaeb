"""The page in a real browser: live, by keyboard, on a phone, without a complaint."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from programs import eventually
from watch_parts import TurnedClock

from dgmix.watch.settings import WatchSettings

sys.path[:0] = [
    str(Path(__file__).parents[1] / "web"),
    str(Path(__file__).parents[2] / "evaluate" / "report"),
]

import chromium
from page_parts import CALM, ODD, Served, serving

pytestmark = pytest.mark.live
SERIOUS = ("serious", "critical")


class Visitor(chromium.Browser):
    """A tab that visits a served watch."""

    def visit(self, served: Served, path: str = "", width: int = 1280, dark: bool = False) -> None:
        self.complaints, self._events = [], []
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.ask("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.ask("Page.navigate", url=served.page.url + path)
        self.loaded()

    def loaded(self) -> None:
        """Wait until a page is loaded."""
        while "Page.loadEventFired" not in self._events:
            self._receive()
        self._events = []

    def log_in(self, served: Served) -> None:
        """Log in as a person does, by keyboard."""
        self.visit(served)
        self.run("document.querySelector('[name=key]').focus()")
        self.type(served.token)
        self.press("Enter")
        self.loaded()
        self.visit(served)

    def type(self, text: str) -> None:
        """Type a text where the focus is."""
        self.ask("Input.insertText", text=text)

    def press(self, key: str) -> None:
        """Press a key and let it go."""
        codes = {"Enter": 13, "Tab": 9, " ": 32}
        about = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
        text = {"Enter": "\r", " ": " "}.get(key)
        self.ask(
            "Input.dispatchKeyEvent", type="keyDown", **about, **({"text": text} if text else {})
        )
        self.ask("Input.dispatchKeyEvent", type="keyUp", **about)

    def text(self, selector: str) -> str:
        """Return the text of the first element that a selector finds."""
        return str(self.run(f"return document.querySelector({json.dumps(selector)})?.innerText"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Visitor]:
    if not chromium.PROGRAM:
        pytest.skip("chromium is not installed")
    visitor = Visitor()
    yield visitor
    visitor.close()


@pytest.fixture
def served(make_settings: Callable[..., WatchSettings], clock: TurnedClock) -> Iterator[Served]:
    with serving(make_settings({"title": "Feed pump"}, page={"port": 0}), clock) as served:
        served.watch.machines["pump"].observe("listening", "")
        served.feed(*[CALM] * 12, ODD, ODD, ODD, *[CALM] * 5)
        yield served


def test_what_happens_is_shown_as_it_happens(browser: Visitor, served: Served) -> None:
    browser.log_in(served)
    assert browser.text(".state") == "● normal"
    eventually(lambda: browser.text("#connection") == "live")
    served.feed(ODD, ODD, ODD)
    eventually(lambda: browser.text(".state") == "▲ anomaly")
    assert browser.text("[data-field=p_value]") == "0.01"
    served.watch.machines["pump"].observe("lost", "unplugged")
    eventually(lambda: browser.text("[data-field=source]") == "lost")
    assert browser.complaints == []


def test_the_spectrogram_rolls(browser: Visitor, served: Served) -> None:
    browser.log_in(served)
    browser.visit(served, "machine/pump")
    drawn = "return document.querySelector('canvas').toDataURL()"
    blank = "const one = document.createElement('canvas'); one.width = 240; one.height = 48;"
    eventually(lambda: browser.run(drawn) != browser.run(f"{blank} return one.toDataURL()"))
    before = browser.run(drawn)
    eventually(lambda: browser.text("#connection") == "live")
    served.feed(CALM, CALM)
    eventually(lambda: browser.run(drawn) != before)
    assert browser.complaints == []


def test_an_event_is_played_labelled_and_taken_back_by_keyboard(
    browser: Visitor, served: Served
) -> None:
    browser.log_in(served)
    browser.visit(served, f"event/{served.event()['id']}")
    played = browser.run(
        "const player = document.querySelector('audio'); await player.play();"
        "await new Promise((done) => player.addEventListener('timeupdate', done, { once: true }));"
        "player.pause(); return player.currentTime;"
    )
    assert played > 0
    browser.run("document.querySelector('[name=who]').focus()")
    browser.type("Ada")
    browser.press("Tab")
    browser.type("1500rpm")
    browser.press("Tab")
    browser.press("Tab")
    assert browser.run("return document.activeElement.innerText") == "This was healthy"
    browser.press("Enter")
    browser.loaded()
    assert "Ada called it healthy (condition 1500rpm)" in browser.text("#label")
    assert served.event()["label"] == "healthy"
    browser.run("document.querySelector('#label button').focus()")
    browser.press(" ")
    browser.loaded()
    assert served.event()["label"] is None
    assert browser.complaints == []


def test_everything_is_reached_by_keyboard_and_shows_where_the_focus_is(
    browser: Visitor, served: Served
) -> None:
    browser.log_in(served)
    reached: list[str] = []
    for _ in range(12):
        browser.press("Tab")
        reached.append(browser.run("return document.activeElement.innerText?.trim()"))
    assert "To the content" in reached
    assert "Feed pump" in reached
    assert "Log out" in reached
    browser.visit(served)
    browser.press("Tab")
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    assert browser.run(outline) == "solid"


@pytest.mark.parametrize("path", ["", "machine/pump", "machine/pump?stretch=30d", "event"])
def test_a_phone_shows_all_of_it_without_scrolling_sideways(
    browser: Visitor, served: Served, path: str
) -> None:
    browser.log_in(served)
    browser.visit(served, path.replace("event", f"event/{served.event()['id']}"), width=390)
    assert browser.run("return document.documentElement.scrollWidth") <= 390
    assert browser.complaints == []


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("path", ["", "machine/pump", "event"])
def test_nothing_serious_by_axe(browser: Visitor, served: Served, path: str, dark: bool) -> None:
    package = importlib.util.find_spec("axe_core_python")
    if package is None or package.submodule_search_locations is None:
        pytest.skip("axe-core-python is not installed")
    script = Path(package.submodule_search_locations[0], "axe.min.js").read_text("utf-8")
    browser.log_in(served)
    browser.visit(served, path.replace("event", f"event/{served.event()['id']}"), dark=dark)
    browser.ask("Runtime.evaluate", expression=script)
    result: dict[str, Any] = browser.run("return await axe.run()")
    serious = [
        (each["id"], each["nodes"][0]["html"])
        for each in result["violations"]
        if each["impact"] in SERIOUS
    ]
    assert serious == []
    assert result["passes"]


def test_the_page_works_without_colour(browser: Visitor, served: Served) -> None:
    browser.log_in(served)
    served.feed(ODD, ODD, ODD)
    states = browser.run(
        "return [...document.querySelectorAll('.state')].map((each) => each.innerText)"
    )
    assert all(len(state.split(" ", 1)) == 2 for state in states)
