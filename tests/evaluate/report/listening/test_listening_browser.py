"""The report of scored recordings in a browser: it sounds, sorts and complains of nothing."""

import importlib.util
from pathlib import Path

import pytest

from dgmix.evaluate.report.listening import write_listening_report

pytestmark = pytest.mark.slow
WAIT = """
const until = async (so) => {
  while (!so()) await new Promise((go) => setTimeout(go, 20));
};
"""
LISTEN = """
const bytes = (player) => Uint8Array.from(atob(player.src.split(",")[1]), (c) => c.charCodeAt(0));
const answer = [];
for (const player of document.querySelectorAll("audio")) {
  await until(() => player.readyState || player.error);
  const context = new OfflineAudioContext(1, 16000, 16000);
  const sound = await context.decodeAudioData(bytes(player).buffer);
  const peak = sound.getChannelData(0).reduce((most, value) => Math.max(most, value), 0);
  answer.push([player.readyState, player.duration, sound.duration, peak]);
}
return answer;
"""
PLAY = """
const [first, second] = document.querySelectorAll("audio");
const player = first.closest(".player");
const now = player.querySelector(".now");
const hidden = getComputedStyle(now).visibility;
await first.play();
await until(() => first.currentTime > 0 && now.getAttribute("transform") !== "translate(0)");
const shown = getComputedStyle(now).visibility;
const chart = second.closest(".player").querySelector("svg");
const at = new DOMPoint(220, 100).matrixTransform(chart.getScreenCTM());
chart.dispatchEvent(new MouseEvent("click", { clientX: at.x, clientY: at.y, bubbles: true }));
await until(() => first.paused && !second.paused);
return [hidden, shown, first.paused, second.currentTime / second.duration];
"""
SORT = """
const table = document.querySelector("table.sortable");
const texts = (row) => [...row.cells].map((cell) => cell.textContent);
const cells = () => [...table.tBodies[0].rows].map(texts);
const click = (column) => table.tHead.rows[0].cells[column].querySelector("button").click();
const answer = [];
click(4); answer.push(cells());
click(0); answer.push(cells());
return [answer, document.documentElement.scrollWidth];
"""


@pytest.fixture(scope="module")
def written(workshop, tmp_path_factory):
    output = tmp_path_factory.mktemp("report") / "listen.html"
    return write_listening_report(
        workshop.detector, workshop.queries, output, healthy=workshop.healthy, top=3
    )


def test_every_player_has_sound(browser, written):
    browser.open(written)
    players = browser.run(WAIT + LISTEN)
    assert len(players) == 6
    for state, duration, decoded, peak in players:
        assert state >= 1
        assert duration == pytest.approx(decoded, abs=0.1)
        assert peak > 0.1
    assert browser.complaints == []
    assert {address.split(":")[0] for address in browser.loads} <= {"file", "data"}
    assert sum(address.startswith("file:") for address in browser.loads) == 1


def test_a_line_follows_the_sound_and_a_click_moves_it(browser, written):
    browser.open(written)
    hidden, shown, first_paused, share = browser.run(WAIT + PLAY)
    assert (hidden, shown) == ("hidden", "visible")
    assert first_paused
    assert 0.45 < share < 0.9
    assert browser.complaints == []


def test_sorts_on_a_phone(browser, written):
    browser.open(written, width=360)
    (by_score, by_name), width = browser.run(SORT)
    scores = [float(row[4]) for row in by_score]
    assert scores == sorted(scores, reverse=True)
    names = [row[0] for row in by_name]
    assert sorted(names) == sorted(row[0] for row in by_score)
    assert names.index("beep.wav") < names.index("calm_0.wav") < names.index("calm_1.wav")
    assert width <= 360
    assert browser.complaints == []


def test_a_recording_without_company_is_no_wider_than_one_with_it(browser, workshop, tmp_path):
    alone = write_listening_report(workshop.detector, workshop.queries, tmp_path / "a.html", top=2)
    browser.open(alone)
    size = "const box = document.querySelector('.player').getBoundingClientRect();"
    width, height = browser.run(size + "return [box.width, box.height];")
    assert width <= 640
    assert height <= 640
    assert browser.complaints == []


def test_nothing_by_axe(browser, written):
    package = importlib.util.find_spec("axe_core_python")
    if package is None or package.submodule_search_locations is None:
        pytest.skip("axe-core-python is not installed")
    browser.open(written)
    script = Path(package.submodule_search_locations[0], "axe.min.js").read_text("utf-8")
    browser.ask("Runtime.evaluate", expression=script)
    result = browser.run("return await axe.run()")
    assert [(each["id"], each["nodes"][0]["html"]) for each in result["violations"]] == []
    assert result["passes"]


def test_numbers_in_the_table_of_the_detector_are_short(browser, written):
    browser.open(written)
    cells = browser.run(
        "return [...document.querySelectorAll('[aria-labelledby=detector] td')]"
        ".map((cell) => cell.textContent);"
    )
    assert len(cells) > 10
    assert [cell for cell in cells if any(len(word) > 9 for word in cell.split(", "))] == []
