from __future__ import annotations

import numpy as np
import pytest
from watch_parts import RATE, START, TurnedClock

from dgmix.errors import InputError
from dgmix.watch.sound import Block, Samples
from dgmix.watch.sources.base import MOST_RETRY_SECONDS, State, StreamError, StreamSource

NOISE = np.random.default_rng(0).uniform(-0.1, 0.1, RATE).astype(np.float32)
SILENCE = np.zeros(RATE, np.float32)
NOTHING = np.empty(0, np.float32)


class Played:
    """A stream that gives what is in a list: samples, or an error."""

    sample_rate = RATE

    def __init__(self, clock: TurnedClock, parts: list[Samples | Exception]) -> None:
        self._clock, self._parts = clock, parts
        self.closed = False

    def read(self, timeout: float) -> Samples:
        part = self._parts.pop(0) if self._parts else NOTHING
        if isinstance(part, Exception):
            raise part
        self._clock.turn(len(part) / RATE or timeout)
        return part

    def close(self) -> None:
        self.closed = True


def source_of(
    clock: TurnedClock, streams: list[list[Samples | Exception] | Exception], timeout: float = 10.0
) -> StreamSource:
    def open_stream() -> Played:
        following = streams.pop(0) if streams else StreamError("nobody answers")
        if isinstance(following, Exception):
            raise following
        return Played(clock, following)

    return StreamSource(open_stream, clock, timeout=timeout, silence=5.0)


def run(
    source: StreamSource, clock: TurnedClock, seconds: float
) -> tuple[list[Block], list[State]]:
    end = clock.monotonic() + seconds
    blocks: list[Block] = []
    states = [source.status.state]
    while clock.monotonic() < end:
        step = source.step()
        blocks += step.blocks
        clock.turn(step.wait)
        if source.status.state != states[-1]:
            states.append(source.status.state)
    return blocks, states


def test_samples_come_with_their_time(clock: TurnedClock) -> None:
    blocks, states = run(source_of(clock, [[NOISE] * 5]), clock, 5)
    assert [block.start for block in blocks] == [START + second for second in range(5)]
    assert [block.begins for block in blocks] == [True, False, False, False, False]
    assert states == [State.CONNECTING, State.LISTENING]


def test_a_stream_that_falls_still_is_lost_and_opened_again(clock: TurnedClock) -> None:
    source = source_of(clock, [[NOISE] * 3, [NOISE] * 3])
    blocks, states = run(source, clock, 25)
    assert (
        states
        == [
            State.CONNECTING,
            State.LISTENING,
            State.LOST,
            State.CONNECTING,
            State.LISTENING,
            State.LOST,
        ][: len(states)]
    )
    assert [block.begins for block in blocks] == [True, False, False, True, False, False]
    assert blocks[3].start > START + 13


def test_it_is_tried_without_end_at_longer_and_longer_intervals(clock: TurnedClock) -> None:
    tries: list[float] = []

    def never() -> Played:
        tries.append(clock.monotonic())
        raise StreamError("nobody answers")

    source = StreamSource(never, clock, timeout=10, silence=5)
    run(source, clock, 86_400)
    waits = np.diff(tries)
    assert waits[0] == pytest.approx(1)
    assert waits.max() <= MOST_RETRY_SECONDS + 1
    assert len(tries) > 86_400 / (MOST_RETRY_SECONDS + 1)
    assert source.status.detail == "nobody answers"


def test_a_stream_that_ends_at_once_does_not_reset_the_waiting_time(clock: TurnedClock) -> None:
    opened: list[float] = []

    def short() -> Played:
        opened.append(clock.monotonic())
        return Played(clock, [NOISE, StreamError("ended")])

    run(StreamSource(short, clock, timeout=10, silence=5), clock, 600)
    assert len(opened) < 20


def test_what_a_person_has_to_mend_is_another_state_and_still_tried(clock: TurnedClock) -> None:
    source = source_of(clock, [InputError("ffmpeg: not installed"), [NOISE] * 100])
    _, states = run(source, clock, MOST_RETRY_SECONDS + 5)
    assert states == [State.CONNECTING, State.FAILED, State.CONNECTING, State.LISTENING]


def test_digital_silence_is_a_state(clock: TurnedClock) -> None:
    source = source_of(clock, [[NOISE, *[SILENCE] * 10, NOISE, NOISE]])
    blocks, states = run(source, clock, 13)
    assert states == [State.CONNECTING, State.LISTENING, State.SILENT, State.LISTENING]
    assert blocks[11].begins


def test_a_device_that_gives_only_silence_from_the_start_is_silent_not_listening(
    clock: TurnedClock,
) -> None:
    _, states = run(source_of(clock, [[SILENCE] * 20]), clock, 20)
    assert states == [State.CONNECTING, State.SILENT]


@pytest.mark.parametrize("jump", [-7200.0, 7200.0])
def test_a_clock_that_jumps_gives_the_new_time_and_no_gap(clock: TurnedClock, jump: float) -> None:
    source = source_of(clock, [[NOISE] * 6])
    before, _ = run(source, clock, 3)
    clock.wall += jump
    after, _ = run(source, clock, 3)
    assert after[0].start == pytest.approx(START + 3 + jump)
    assert not any(block.begins for block in after)
    assert len(before) == 3


def test_a_gap_within_a_stream_is_a_new_beginning(clock: TurnedClock) -> None:
    source = source_of(clock, [[NOISE, *[NOTHING] * 14, NOISE]])
    blocks, _ = run(source, clock, 9)
    assert [block.begins for block in blocks] == [True, True]
