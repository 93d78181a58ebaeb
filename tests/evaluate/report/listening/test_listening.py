"""The page as a whole, read back with the standard library's parser."""

import base64
import io
import re
from dataclasses import replace
from itertools import pairwise

import pytest
import soundfile
from html_page import Page

from dgmix.detect.detector import Detector
from dgmix.detect.forms import Terms
from dgmix.detect.sources import sounds
from dgmix.errors import InputError
from dgmix.evaluate.report.listening import words, write_listening_report
from dgmix.evaluate.report.listening.scored import score
from dgmix.evaluate.report.page import render

RATE = 0.2
TERMS = Terms(RATE)


@pytest.fixture(scope="module")
def written(workshop, tmp_path_factory):
    output = tmp_path_factory.mktemp("report") / "listen.html"
    return write_listening_report(
        workshop.detector,
        workshop.queries,
        output,
        healthy=workshop.healthy,
        false_alarm_rate=RATE,
        title="Pump & co",
    )


@pytest.fixture(scope="module")
def page(written):
    return Page(written.read_text("utf-8"))


@pytest.fixture(scope="module")
def scored(workshop):
    detector = workshop.detector
    return score(detector.fitted_, sounds(workshop.queries))[0]


def test_the_table_holds_what_the_detector_says(page, scored):
    header, *rows = page.table("All recordings")
    assert header[:5] == ["Recording", "Rank", "Verdict", "p\u2011value", "Score"]
    assert [row[0] for row in rows] == [each.name for each in scored]
    assert [int(row[1]) for row in rows] == [1, 2, 3, 4]
    assert [float(row[3]) for row in rows] == pytest.approx(
        [each.judgement.p_known for each in scored], abs=5e-4
    )
    assert [float(row[4]) for row in rows] == pytest.approx(
        [each.judgement.score for each in scored], rel=1e-3
    )
    verdicts = {True: "anomalous", False: "normal"}
    assert [row[2] for row in rows] == [verdicts[each.judgement.p_known <= RATE] for each in scored]


def test_the_verdict_is_in_words(page, scored):
    text = " ".join("".join(page.texts).split())
    flagged = sum(each.judgement.p_known <= RATE for each in scored)
    assert flagged == 1
    assert "1 of 4 recordings is anomalous at a false-alarm rate of 20 %." in text
    assert "about 0.8 would still be called anomalous." in text
    assert f"The least like a healthy one is {scored[0].name}" in text


def test_players_hold_sound_of_the_right_length(page):
    players = [attributes for tag, attributes in page.elements if tag == "audio"]
    assert len(players) == 8
    for player in players:
        kind, _, data = player["src"].partition(",")
        assert kind == "data:audio/mpeg;base64"
        samples, rate = soundfile.read(io.BytesIO(base64.b64decode(data)))
        begin, end = re.search(r"([\d.]+) to ([\d.]+) s$", player["aria-label"]).groups()
        assert len(samples) / rate == pytest.approx(float(end) - float(begin), abs=0.1)
        assert samples.std() > 0.01


def test_nothing_is_loaded_and_no_other_script_may_run(page):
    for tag, attributes in page.elements:
        address = attributes.get("src") or attributes.get("href") or "#"
        assert address.startswith(("#", "data:")), (tag, attributes)
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
    policy = next(a["content"] for t, a in page.elements if a.get("http-equiv"))
    assert policy.startswith("default-src 'none'; img-src data:; media-src data:; ")
    assert re.search(r"script-src 'sha256-[\w+/=]+'$", policy)


def test_file_names_are_escaped(page, written):
    assert "<b>" not in written.read_text("utf-8")
    assert any(row[0] == "<b>&'.wav" for row in page.table("All recordings"))
    assert "Pump & co" in page.texts


def test_what_cannot_be_read_is_listed(page):
    text = "".join(page.texts)
    assert "1 unreadable" in text
    assert "broken.wav: not a sound file" in text


def test_the_page_can_be_read_without_seeing_it(page):
    tags = [tag for tag, _ in page.elements]
    assert tags.count("h1") == tags.count("main") == tags.count("header") == tags.count("nav") == 1
    levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h\d", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert tags.count("caption") == tags.count("table")
    for tag, attributes in page.elements:
        if tag == "audio":
            assert "controls" in attributes
            assert len(attributes["aria-label"]) > 10
        if tag == "svg":
            assert len(attributes.get("aria-label", "")) > 10
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [a["href"][1:] for t, a in page.elements if t == "a"]
    labelled = [a["aria-labelledby"] for _, a in page.elements if "aria-labelledby" in a]
    assert {*targets, *labelled} <= set(ids)


def test_the_same_recordings_give_the_same_bytes(workshop, tmp_path):
    pages = [
        write_listening_report(workshop.detector, workshop.queries, tmp_path / name, top=1)
        for name in ("a.html", "b.html")
    ]
    assert pages[0].read_bytes() == pages[1].read_bytes()


def test_without_healthy_recordings_it_says_how_to_have_them(workshop, tmp_path):
    path = write_listening_report(workshop.detector, workshop.queries, tmp_path / "a.html", top=2)
    page = Page(path.read_text("utf-8"))
    assert [tag for tag, _ in page.elements].count("audio") == 2
    assert "give the folder of the healthy recordings" in "".join(page.texts)


def test_top_nought_is_a_table_alone(workshop, tmp_path):
    path = write_listening_report(workshop.detector, workshop.queries, tmp_path / "a.html", top=0)
    page = Page(path.read_text("utf-8"))
    assert "audio" not in [tag for tag, _ in page.elements]
    assert "listen" not in [attributes.get("id") for _, attributes in page.elements]
    assert len(page.table("All recordings")) == 5


def renamed(recording, name, index):
    judgement = replace(recording.judgement, name=name)
    return replace(recording, judgement=judgement, index=index)


def test_a_page_of_thousands_stays_small(workshop, scored):
    many = [renamed(scored[i % 4], f"line 4/pump_{i:05}.wav", i) for i in range(5000)]
    table = words.table(many, 10, TERMS)
    shown = {
        "title": "many",
        "facts": [],
        "verdict": words.verdict(workshop.detector.fitted_, many, TERMS),
        "standings": words.standings(workshop.detector.fitted_, many, TERMS),
        "cards": [],
        "rate": RATE,
        "promise": "known",
        "compared": False,
        "table": table,
        "unread": [],
        "detector": words.detector_table(workshop.detector.fitted_),
    }
    text = render(shown, "listening.html.j2")
    assert len(Page(text).table("All recordings")) == 5001
    assert len(text) < 2_000_000


def test_the_table_of_the_detector_has_plain_numbers_and_nothing_empty(workshop):
    (block,) = words.detector_table(workshop.detector.fitted_).blocks
    values = {row.cells[0]: row.cells[1] for row in block.rows}
    assert values["band.sample rate"] == "16000"
    assert all(values.values())
    assert not [text for text in values.values() if re.search(r"\d\.0\b|\de[-+]|\d\.\d{7}", text)]


def test_a_rate_that_is_not_supported_is_refused(workshop, tmp_path):
    with pytest.raises(InputError, match="needs 99 healthy recordings"):
        write_listening_report(
            workshop.detector, workshop.queries, tmp_path / "a.html", false_alarm_rate=0.01
        )
    assert list(tmp_path.iterdir()) == []


def test_with_too_few_recordings_the_smallest_rate_is_used_and_said(workshop, tmp_path):
    fitted = replace(workshop.detector.fitted_, false_alarm_rate=0.01)
    detector = Detector.of(fitted)
    path = write_listening_report(detector, workshop.queries, tmp_path / "a.html", top=0)
    text = " ".join("".join(Page(path.read_text("utf-8")).texts).split())
    assert "A false-alarm rate of 1 % needs more healthy recordings" in text
    assert "the smallest rate that it supports" in text
    rate = float(re.search(r"false-alarm rate of ([\d.]+) %\. If all", text)[1])
    assert rate == pytest.approx(100 / 21, abs=0.02)


def test_recordings_that_it_learned_from_are_named_so(workshop, tmp_path):
    paths = [workshop.healthy / "clip_003.wav", workshop.queries / "calm_0.wav"]
    path = write_listening_report(workshop.detector, paths, tmp_path / "a.html", top=2)
    page = Page(path.read_text("utf-8"))
    verdicts = {row[0]: row[2] for row in page.table("All recordings")[1:]}
    assert verdicts == {str(paths[0]): "learned from", str(paths[1]): "normal"}
    assert "It learned from 1 recording more; the scores say nothing of them." in "".join(
        page.texts
    )


def test_nothing_is_said_of_what_it_learned_from(workshop, tmp_path):
    path = write_listening_report(workshop.detector, workshop.healthy, tmp_path / "a.html", top=0)
    page = Page(path.read_text("utf-8"))
    assert "It learned from all of these: 20 recordings" in "".join(page.texts)
    assert "svg" not in [tag for tag, _ in page.elements]


def test_no_readable_recording_is_an_error(workshop, tmp_path):
    with pytest.raises(InputError, match=r"broken\.wav.*none of 1 recordings can be read"):
        write_listening_report(
            workshop.detector, [workshop.queries / "broken.wav"], tmp_path / "a.html"
        )
