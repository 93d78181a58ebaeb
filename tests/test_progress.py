"""Progress: plain lines in logs, a bar on a terminal, lines where several share one."""

from __future__ import annotations

import logging
import os
import pty
import sys
import threading
import types
from collections.abc import Callable
from contextlib import suppress

import pytest

from dgmix import progress as shown
from dgmix.progress import LOGGED, detail, progress, say, share_terminal, speaking, warn


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


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, work: Callable[[], None]) -> str:
    """Return what `work` writes on standard error when that is a terminal."""
    ours, theirs = pty.openpty()
    parts: list[bytes] = []

    def read() -> None:
        with suppress(OSError):  # which is how a terminal ends
            while part := os.read(ours, 4096):
                parts.append(part)

    reader = threading.Thread(target=read)
    reader.start()
    with monkeypatch.context() as patch, open(theirs, "w") as stderr:  # noqa: PTH123
        patch.setattr(sys, "stderr", stderr)
        patch.setenv("TERM", "xterm")
        patch.setenv("COLUMNS", "100")
        work()
    reader.join()
    os.close(ours)
    return b"".join(parts).decode()


def some_work() -> None:
    with progress("work", 4) as advance:
        advance(3)
        advance(1, note="loss 0.5")


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
    text = on_a_terminal(monkeypatch, some_work)
    for words in ("work", "4/4", "loss 0.5", "\x1b["):
        assert words in text


def test_several_processes_write_lines_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "_several_writers", False)
    share_terminal()
    assert on_a_terminal(monkeypatch, some_work) == "work: 4/4 in 0 s  loss 0.5\r\n"


def test_a_notebook_has_one_line_that_changes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    with progress("work", 4) as advance:
        for _ in range(4):
            clock.now += 0.15
            advance(note="loss 1")
    lines = [f"\rwork: {done}/4  loss 1" for done in (1, 3, 4)]
    assert capsys.readouterr().err == "".join(lines) + "\n"


def test_a_program_finds_notes_and_progress_in_its_log(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    caplog.set_level(logging.INFO, "dgmix")
    with speaking(LOGGED):
        say("done")
        warn("ends early")
        detail("in 3 s")
        with progress("work", 1) as advance:
            advance()
    assert [(each.levelname, each.message) for each in caplog.records] == [
        ("INFO", "done"),
        ("WARNING", "ends early"),
        ("INFO", "work: 1/1 in 0 s"),
    ]
    assert capsys.readouterr() == ("", "")


def test_say_is_a_line_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    say("done")
    assert capsys.readouterr() == ("", "done\n")
