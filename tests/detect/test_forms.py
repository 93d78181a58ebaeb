"""Tables, JSON lines and CSV files of verdicts, as they are written."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path

import pytest

from dgmix.detect.verdicts import Judgement, closing, csv_file, json_lines, table, verdict_of
from dgmix.errors import InputError

SAID = [
    Judgement("in/a.wav", 0.25, 0.5, view="logmel-mean"),
    Judgement("in/deep/b.wav", 12.5, 0.05, view="logmel-max"),
    Judgement("in/c.wav", error=InputError("in/c.wav: truncated; copy it again")),
]
VERDICTS = ["normal", "ANOMALY", "unreadable"]


def test_a_verdict_is_a_word() -> None:
    assert [verdict_of(each, 0.05) for each in SAID] == VERDICTS
    assert verdict_of(SAID[1], 0.0499) == "normal"


def write_all(form: object) -> None:
    with form as write:  # type: ignore[attr-defined]
        for said, verdict in zip(SAID, VERDICTS, strict=True):
            write(said, verdict)


def test_a_table_of_one_folder_names_it_once(capsys: pytest.CaptureFixture[str]) -> None:
    write_all(table(["in/"], [each.name for each in SAID]))
    assert capsys.readouterr().out.splitlines() == [
        "in/             score  p-value  verdict",
        "a.wav            0.25      0.5  normal",
        "deep/b.wav       12.5     0.05  ANOMALY by its peaks",
        "c.wav               -        -  unreadable: truncated; copy it again",
    ]


def test_a_table_of_several_arguments_has_whole_paths(capsys: pytest.CaptureFixture[str]) -> None:
    write_all(table(["in/a.wav", "in"], [each.name for each in SAID]))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["path", *(each.name for each in SAID)]


def test_a_terminal_shows_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown = Terminal()
    monkeypatch.setattr("sys.stdout", shown)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    write_all(table(["in"], [each.name for each in SAID]))
    normal, anomaly = shown.getvalue().splitlines()[1:3]
    assert "\x1b[" in anomaly
    assert "\x1b[" not in normal


def test_json_has_an_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    write_all(json_lines())
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {
            "path": "in/a.wav",
            "score": 0.25,
            "p_value": 0.5,
            "verdict": "normal",
            "view": "logmel-mean",
        },
        {
            "path": "in/deep/b.wav",
            "score": 12.5,
            "p_value": 0.05,
            "verdict": "ANOMALY",
            "view": "logmel-max",
        },
        {"path": "in/c.wav", "error": "in/c.wav: truncated; copy it again"},
    ]


def test_a_csv_file_has_all_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_all(csv_file(tmp_path / "out.csv"))
    with (tmp_path / "out.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["path", "score", "p_value", "verdict"],
            ["in/a.wav", "0.25", "0.5", "normal"],
            ["in/deep/b.wav", "12.5", "0.05", "ANOMALY"],
            ["in/c.wav", "", "", "unreadable"],
        ]
    assert capsys.readouterr() == ("", "in/c.wav: truncated; copy it again\n")


def test_a_csv_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("before")

    def interrupted() -> None:
        with csv_file(path) as write:
            write(SAID[0], "normal")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [each.name for each in tmp_path.iterdir()] == ["out.csv"]
    assert path.read_text() == "before"


@pytest.mark.parametrize(("smallest", "said"), [(1 / 2, True), (1 / 13, False)])
def test_the_end_says_where_nothing_can_be_found(smallest: float, said: bool) -> None:
    text = closing(Counter({"normal": 3}), 0, 0.5, smallest)
    assert ("nothing is ever called an anomaly" in text) == said


def test_the_end_says_what_was_found() -> None:
    tally = Counter({"normal": 3, "ANOMALY": 1})
    assert closing(tally, 0, 0.05, smallest=0.04) == (
        "4 recordings: 1 anomaly, 3 normal, at a false-alarm rate of 5 %."
    )
    tally["unreadable"] = 2
    text = closing(tally, 2, 1 / 9, smallest=1 / 9)
    assert (
        "6 recordings: 1 anomaly, 3 normal, 2 unreadable, at a false-alarm rate of 11.2 %" in text
    )
    assert "the smallest that the healthy recordings support" in text
    assert text.endswith("The detector learned from 2 of them, which says nothing of their health.")
