"""Tables, JSON lines and CSV files of judgements, as they are written."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from dgmix.detect.forms import COLUMNS, Form, Terms, csv_file, json_lines, table
from dgmix.detect.judgement import Judgement
from dgmix.errors import InputError

JUDGEMENTS = [
    Judgement("in/a.wav", 0.25, 0.5, -0.5, 0.75, "00", "idle", "logmel-mean", {"logmel-mean": 3.5}),
    Judgement("in/deep/b.wav", 12.5, 0.05, 2.5, 0.2, "01", "running", "logmel-max"),
    Judgement("in/c.wav", error=InputError("in/c.wav: truncated; copy it again")),
    Judgement("in/d.wav", 31.25, 0.05, 7.5, 0.04, "", "running", "logmel-max"),
]
NAMES = [each.name for each in JUDGEMENTS]
KNOWN, NEW, BOTH = Terms(0.05), Terms(0.05, "new"), Terms(0.05, "both")


def write_all(form: Form, terms: Terms = KNOWN) -> None:
    with form(terms) as write:
        for judgement in JUDGEMENTS:
            write(judgement)


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_a_table_of_one_folder_names_it_once(capsys: pytest.CaptureFixture[str]) -> None:
    write_all(table(["in/"], NAMES, ["00"]))
    assert lines_of(capsys) == [
        "in/             score  p-value  verdict",
        "a.wav            0.25      0.5  normal",
        "deep/b.wav       12.5     0.05  ANOMALY by its peaks",
        "c.wav               -        -  unreadable: truncated; copy it again",
        "d.wav           31.25     0.05  ANOMALY by its peaks",
    ]


def test_under_the_promise_for_new_conditions_its_score_is_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_all(table(["in/"], NAMES, ["00"]), NEW)
    assert lines_of(capsys) == [
        "in/             score  p-value  verdict",
        "a.wav            -0.5     0.75  normal",
        "deep/b.wav        2.5      0.2  normal",
        "c.wav               -        -  unreadable: truncated; copy it again",
        "d.wav             7.5     0.04  ANOMALY by its peaks",
    ]


def test_under_both_promises_there_are_two_p_values(capsys: pytest.CaptureFixture[str]) -> None:
    write_all(table(["in/"], NAMES, ["00"]), BOTH)
    assert lines_of(capsys) == [
        "in/             score  p-value    p-new  verdict",
        "a.wav            0.25      0.5     0.75  normal",
        "deep/b.wav       12.5     0.05      0.2  new condition? by its peaks",
        "c.wav               -        -        -  unreadable: truncated; copy it again",
        "d.wav           31.25     0.05     0.04  ANOMALY by its peaks",
    ]


def test_several_sections_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    write_all(table(["in/"], NAMES, ["00", "01"]))
    verdicts = [line.partition("  ")[2].split("  ")[-1] for line in lines_of(capsys)[1:]]
    assert verdicts == [
        "normal (section 00)",
        "ANOMALY by its peaks (section 01)",
        "unreadable: truncated; copy it again",
        "ANOMALY by its peaks (compared with all sections)",
    ]


def test_a_table_of_several_arguments_has_whole_paths(capsys: pytest.CaptureFixture[str]) -> None:
    write_all(table(["in/a.wav", "in"], NAMES, ["00"]))
    assert [line.split()[0] for line in lines_of(capsys)] == ["path", *NAMES]


def test_a_terminal_shows_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown = Terminal()
    monkeypatch.setattr("sys.stdout", shown)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    write_all(table(["in"], NAMES, ["00"]), BOTH)
    normal, strange, unreadable, anomaly = shown.getvalue().splitlines()[1:]
    assert "\x1b[" not in normal
    assert len({line.split("m")[0] for line in (strange, unreadable, anomaly)}) == 3


def test_json_has_an_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    write_all(json_lines(), BOTH)
    rows = [json.loads(line) for line in lines_of(capsys)]
    assert rows[0] == {
        "path": "in/a.wav",
        "score": 0.25,
        "p_value": 0.5,
        "score_new": -0.5,
        "p_new": 0.75,
        "verdict": "normal",
        "section": "00",
        "condition": "idle",
        "view": "logmel-mean",
        "view_scores": {"logmel-mean": 3.5},
        "quality": {"unusable": None, "notes": []},
    }
    assert rows[2] == {"path": "in/c.wav", "error": "in/c.wav: truncated; copy it again"}
    assert [each.get("verdict") for each in rows] == ["normal", "new condition?", None, "ANOMALY"]
    assert rows[3]["section"] is None


def test_a_csv_file_has_all_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_all(csv_file(tmp_path / "out.csv"), BOTH)
    with (tmp_path / "out.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            list(COLUMNS),
            ["in/a.wav", "0.25", "0.5", "-0.5", "0.75", "normal", "00", "idle", ""],
            ["in/deep/b.wav", "12.5", "0.05", "2.5", "0.2", "new condition?", "01", "running", ""],
            ["in/c.wav", "", "", "", "", "unreadable", "", "", ""],
            ["in/d.wav", "31.25", "0.05", "7.5", "0.04", "ANOMALY", "", "running", ""],
        ]
    assert capsys.readouterr() == ("", "in/c.wav: truncated; copy it again\n")


def test_a_csv_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("before")

    def interrupted() -> None:
        with csv_file(path)(KNOWN) as write:
            write(JUDGEMENTS[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [each.name for each in tmp_path.iterdir()] == ["out.csv"]
    assert path.read_text() == "before"
