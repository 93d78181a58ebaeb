"""Streams by real parts: ffmpeg, and GStreamer's RTSP server."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import pytest
from programs import eventually, free_port, need, need_rtsp_server, rtsp_server

from dgmix.watch.clock import SystemClock
from dgmix.watch.sound import Block
from dgmix.watch.sources.base import State, StreamSource
from dgmix.watch.sources.opening import stream_source
from dgmix.watch.sources.settings import StreamSettings

pytestmark = pytest.mark.live


@pytest.fixture
def port() -> int:
    need("ffmpeg")
    need_rtsp_server()
    return free_port()


@pytest.fixture
def source(port: int) -> Iterator[StreamSource]:
    url = f"rtsp://user:s%40cret@127.0.0.1:{port}/tone"
    settings = StreamSettings(type="stream", url=url, timeout=3)
    source = stream_source(settings, SystemClock())
    yield source
    source.close()


def receives(source: StreamSource, blocks: list[Block]) -> bool:
    step = source.step()
    blocks += step.blocks
    time.sleep(min(step.wait, 0.1))
    return sum(block.seconds for block in blocks) > 2


def test_a_camera_is_heard_and_heard_again_after_its_server_was_away(
    port: int, source: StreamSource
) -> None:
    blocks: list[Block] = []
    with rtsp_server(port):
        eventually(lambda: receives(source, blocks))
        assert blocks[0].sample_rate == 48_000
        assert abs(blocks[-1].end - time.time()) < 5
    eventually(lambda: receives(source, []) or source.status.state == State.LOST)
    assert "s%40cret" not in source.status.detail
    assert "user" not in source.status.detail
    again: list[Block] = []
    with rtsp_server(port):
        eventually(lambda: receives(source, again))
    assert again[0].begins
    assert again[0].start > blocks[-1].end


def test_a_server_that_falls_still_without_a_word_is_lost(port: int, source: StreamSource) -> None:
    import signal

    blocks: list[Block] = []
    with rtsp_server(port) as server:
        eventually(lambda: receives(source, blocks))
        server.send_signal(signal.SIGSTOP)
        eventually(lambda: source.step() and source.status.state == State.LOST)
        server.send_signal(signal.SIGCONT)
        again: list[Block] = []
        eventually(lambda: receives(source, again))


def test_a_killed_ffmpeg_is_started_again(port: int, source: StreamSource) -> None:
    blocks: list[Block] = []
    with rtsp_server(port):
        eventually(lambda: receives(source, blocks))
        processes = subprocess.run(
            ["pgrep", "-f", f"ffmpeg.*127.0.0.1:{port}/tone"], capture_output=True, text=True
        )
        subprocess.run(["kill", "-9", *processes.stdout.split()], check=True)
        eventually(lambda: source.step() and source.status.state == State.LOST)
        again: list[Block] = []
        eventually(lambda: receives(source, again))


def test_an_address_that_nobody_serves_is_lost_with_a_reason(
    port: int, source: StreamSource
) -> None:
    eventually(lambda: source.step() and source.status.state == State.LOST)
    assert "refused" in source.status.detail
    assert "cret" not in source.status.detail
