"""The page in a browser: its script runs, sorts, filters and reads values."""

import html
import json
import re
import shutil
import subprocess

import pytest

from dgmix.evaluate.report import write_report

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=2000",
]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BROWSER, reason="no Chromium here to open the report with"),
]
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
PROBE = """{
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
document.documentElement.dataset.answer = JSON.stringify(answer);
}"""


def opened(page, profile, width):
    """Return the page as the browser has it after its script, and what its console says."""
    settings = [f"--user-data-dir={profile}", f"--window-size={width},2000", "--dump-dom"]
    command = [BROWSER, *QUIET, *settings, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.fixture(scope="module")
def run(make_run):
    return make_run()


def test_opens_without_complaint_and_runs_its_script(run, tmp_path):
    text, complaints = opened(write_report(run), tmp_path, 1280)
    assert complaints == []
    assert '<th scope="col"><button type="button">Machine</button></th>' in text
    assert re.search(r'<form class="choose"[^>]*hidden', text) is None


def test_sorts_filters_and_reads_on_a_narrow_screen(run, tmp_path):
    text = write_report(run).read_text("utf-8")
    text = POLICY.sub("", text).replace("</body>", f"<script>{PROBE}</script></body>")
    page = tmp_path / "probe.html"
    page.write_text(text, "utf-8")
    text, complaints = opened(page, tmp_path / "profile", 500)
    assert complaints == []
    answer = json.loads(html.unescape(re.search(r'data-answer="([^"]*)"', text)[1]))

    for direction, reverse in (("descending", True), ("ascending", False)):
        state, rows = answer[direction]
        omegas = [float(row[5]) for row in rows if row[0] != "all machines"]
        assert state == direction
        assert omegas == sorted(omegas, reverse=reverse)
        assert [row[0] for row in rows[-4:]] == ["all machines"] * 4
    assert answer["first"] == [["fan", "dgmix"], ["fan", ""], ["fan", ""]]
    assert answer["second"] == [["valve", "logmel-max"], ["valve", ""], ["valve", ""]]
    assert len(answer["all"]) == 6
    losses = {}
    for log in sorted(run.glob("fan/*/log.jsonl")):
        losses[log.parent.name] = json.loads(log.read_text("utf-8").splitlines()[4])["loss"]
    seed, value = re.fullmatch(r"seed (\d), epoch 5: ([\d.]+)", answer["reading"]).groups()
    assert float(value) == pytest.approx(losses[f"seed{seed}"], rel=0.02)
    assert answer["away"]
    assert answer["width"] <= 500
