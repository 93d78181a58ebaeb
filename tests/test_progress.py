"""Progress: plain lines in logs, a bar on a terminal, lines where several share one."""

from __future__ import annotations

import os
import pty
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dgmix import progress as shown
from dgmix.progress import progress, say, share_terminal


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(shown, "time", clock)
    return clock


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Make standard error a terminal; what is written there is read from the number given."""
    ours, theirs = pty.openpty()
    with monkeypatch.context() as patch, open(theirs, "w") as stderr:  # noqa: PTH123
        patch.setattr(sys, "stderr", stderr)
        patch.setenv("TERM", "xterm")
        patch.setenv("COLUMNS", "100")
        yield ours
    os.close(ours)


def test_a_log_has_one_line_at_the_end(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    with progress("work", 3) as advance:
        for _ in range(3):
            clock.now += 1
            advance()
    assert capsys.readouterr() == ("", "work: 3/3 in 3 s\n")


def test_a_long_step_has_a_line_every_ten_seconds(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    with progress("work", 10) as advance:
        for step in range(5):
            clock.now += 4
            advance(2, note=f"loss {step}" if step < 4 else "")
    assert capsys.readouterr().err.splitlines() == [
        "work: 6/10 in 12 s  loss 2",
        "work: 10/10 in 20 s  loss 3",
    ]


def test_what_fails_has_no_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="broken"), progress("work", 2):
        raise ValueError("broken")
    assert capsys.readouterr().err == ""


def test_a_terminal_has_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as written:
        with progress("work", 4) as advance:
            advance(3)
            advance(1, note="loss 0.5")
        text = os.read(written, 100_000).decode()
    assert "work" in text
    assert "4/4" in text
    assert "loss 0.5" in text
    assert "\x1b[" in text


def test_several_processes_write_lines_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "_several_writers", False)
    share_terminal()
    with terminal(monkeypatch) as written:
        with progress("work", 1) as advance:
            advance()
        text = os.read(written, 100_000).decode()
    assert text.splitlines() == ["work: 1/1 in 0 s"]


def test_say_is_a_line_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    say("done")
    assert capsys.readouterr() == ("", "done\n")
