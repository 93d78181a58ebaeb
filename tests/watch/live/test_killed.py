"""`kill -9` at random moments: nothing that was committed is lost, no event is told twice."""

from __future__ import annotations

import json
import multiprocessing
import random
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import killed
import pytest
from killed import PATTERN
from programs import broker, eventually, free_port, need
from test_mqtt import hearing

from dgmix.watch.store.opening import DATABASE, connect

pytestmark = [pytest.mark.live, pytest.mark.slow]
KILLS = 50
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["killed"])
MOST_LOST_SECONDS = 1.0
TOPIC = "dgmix/s/pump/event"


def run_and_kill(folder: Path, port: int, seconds: float) -> tuple[int, int]:
    """Return the last window that was committed, and the last that was taken."""
    reading, writing = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=killed.main, args=(folder, port, writing))
    process.start()
    writing.close()
    with reading, open(reading.fileno(), closefd=False) as output:
        first = output.readline()
        time.sleep(seconds)
        process.kill()
        lines = (first + output.read()).splitlines()
    process.join()
    numbers = dict.fromkeys(("taken", "committed"), 0)
    for line in lines:
        kind, _, number = line.partition(" ")
        if number.isdecimal():
            numbers[kind] = max(numbers[kind], int(number))
    return numbers["committed"], numbers["taken"]


def test_nothing_committed_is_lost_and_no_event_told_twice(tmp_path: Path) -> None:
    need("mosquitto")
    port, moments = free_port(), random.Random(0)
    state = tmp_path / "state"
    with broker(port, tmp_path / "broker"), hearing(port) as ear:
        for _ in range(KILLS):
            committed, taken = run_and_kill(state, port, moments.uniform(0.0, 0.6))
            with closing(connect(state / DATABASE)) as of:
                (kept,) = of.execute("SELECT count(*) FROM windows").fetchone()
                assert of.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            assert committed <= kept <= taken + 1
            assert taken - kept < MOST_LOST_SECONDS / 0.005
        run_and_kill(state, port, 3.0)
        with closing(connect(state / DATABASE)) as of:
            messages = of.execute("SELECT seq, id, body FROM messages ORDER BY seq").fetchall()
            waiting = of.execute(
                "SELECT count(*) FROM deliveries WHERE state = 'waiting'"
            ).fetchone()[0]
            p_values = [row[0] for row in of.execute("SELECT p_value FROM windows ORDER BY id")]
        sent = [row["id"] for row in messages][: len(messages) - waiting]
        eventually(lambda: {each["id"] for each in ear.payloads(TOPIC)} >= set(sent))
        received = [each["id"] for each in ear.payloads(TOPIC)]
    expected = [round(PATTERN[number % len(PATTERN)], 6) for number in range(len(p_values))]
    assert [round(p_value, 6) for p_value in p_values] == expected
    kinds = [json.loads(row["body"])["type"] for row in messages]
    assert kinds == (["raise", "clear"] * len(kinds))[: len(kinds)]
    rounds = len(p_values) // len(PATTERN)
    assert abs(len(messages) - 2 * rounds) <= 2
    assert len(sent) > 10
    assert list(Counter(received))[: len(sent)] == sent
