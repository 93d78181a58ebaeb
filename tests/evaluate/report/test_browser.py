"""The page in a browser: its script runs, sorts, filters and reads values."""

import json
import re

import pytest

from dgmix.evaluate.report import write_report

pytestmark = pytest.mark.slow
PROBE = """
const answer = {};
const cells = (row) => [...row.cells].map((cell) => cell.textContent);
const rows = (table) => [...table.tBodies[0].rows].map(cells);
const table = document.querySelector("table.sortable");
const omega = [...table.tHead.rows[0].cells].find((cell) => cell.textContent === "Ω");
omega.querySelector("button").click();
answer.descending = [omega.getAttribute("aria-sort"), rows(table)];
omega.querySelector("button").click();
answer.ascending = [omega.getAttribute("aria-sort"), rows(table)];
const seen = () => [...document.querySelectorAll("[data-machine]")].filter((p) => !p.hidden)
  .map((p) => [p.dataset.machine, p.dataset.system ?? ""]);
answer.first = seen();
const form = document.querySelector("form");
const choose = (name, value) => {
  form.elements[name].value = value;
  form.elements[name].dispatchEvent(new Event("change", { bubbles: true }));
};
choose("machine", "valve");
choose("system", "logmel-max");
answer.second = seen();
choose("machine", "");
answer.all = seen();
choose("machine", "fan");
const line = document.querySelector("#training ~ [data-machine=fan] polyline");
const at = line.points[4].matrixTransform(line.getScreenCTM());
const where = { clientX: at.x, clientY: at.y, bubbles: true };
line.dispatchEvent(new PointerEvent("pointermove", where));
answer.reading = document.querySelector(".reading").textContent;
document.body.dispatchEvent(new PointerEvent("pointermove", where));
answer.away = document.querySelector(".reading").hidden;
answer.width = document.documentElement.scrollWidth;
return answer;
"""


@pytest.fixture(scope="module")
def run(make_run):
    return make_run()


def test_opens_without_complaint_and_loads_nothing(browser, run):
    page = write_report(run)
    browser.open(page)
    assert browser.complaints == []
    assert {address.split(":")[0] for address in browser.loads} <= {"file", "data"}
    assert sum(address.startswith("file:") for address in browser.loads) == 1
    assert not browser.run('return document.querySelector("form.choose").hidden')


def test_sorts_filters_and_reads_on_a_phone(browser, run):
    browser.open(write_report(run), width=360)
    answer = browser.run(PROBE)
    assert browser.complaints == []

    for direction, reverse in (("descending", True), ("ascending", False)):
        state, rows = answer[direction]
        omegas = [float(row[5]) for row in rows if row[0] != "all machines"]
        assert state == direction
        assert omegas == sorted(omegas, reverse=reverse)
        assert [row[0] for row in rows[-4:]] == ["all machines"] * 4
    assert answer["first"] == [["fan", "dgmix"], *[["fan", ""]] * 3]
    assert answer["second"] == [["valve", "logmel-max"], *[["valve", ""]] * 3]
    assert len(answer["all"]) == 8
    losses = {}
    for log in sorted(run.glob("fan/*/log.jsonl")):
        losses[log.parent.name] = json.loads(log.read_text("utf-8").splitlines()[4])["loss"]
    seed, value = re.fullmatch(r"seed (\d), epoch 5: ([\d.]+)", answer["reading"]).groups()
    assert float(value) == pytest.approx(losses[f"seed{seed}"], rel=0.02)
    assert answer["away"]
    assert answer["width"] <= 360
