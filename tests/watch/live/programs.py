"""Programs beside Python that tests start, and what they skip without."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

DEBIAN_PYTHON = "/usr/bin/python3"
PATIENCE = 60.0


def need(*programs: str) -> None:
    """Skip the test where a program is not installed."""
    for program in programs:
        installed = shutil.which(program) or Path("/usr/sbin", program).exists()
        if not installed:
            pytest.skip(f"{program} is not installed")


def need_rtsp_server() -> None:
    """Skip the test where GStreamer's RTSP server is not installed."""
    script = "import gi; gi.require_version('GstRtspServer', '1.0')"
    try:
        subprocess.run([DEBIAN_PYTHON, "-c", script], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("gir1.2-gst-rtsp-server-1.0 and python3-gi are not installed")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(holds: Callable[[], object], patience: float = PATIENCE) -> None:
    """Wait until something real happens; fail after a long time."""
    end = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.05)


@contextmanager
def running(*command: str | Path, ready: Callable[[], object]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program for as long as the block lasts, from when it is ready."""
    process = subprocess.Popen(
        list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        eventually(lambda: ready() or process.poll() is not None)
        yield process
    finally:
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    """Say whether somebody listens on a port."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@contextmanager
def broker(port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run mosquitto, which keeps what is retained in a folder."""
    need("mosquitto")
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
        f"persistence_location {folder}/\nuser root\n"
    )
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    with running(program, "-c", config, ready=lambda: answers(port)) as process:
        yield process


@contextmanager
def rtsp_server(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run an RTSP server with noise at rtsp://127.0.0.1:PORT/tone."""
    need_rtsp_server()
    script = Path(__file__).with_name("rtsp_server.py")
    with running(DEBIAN_PYTHON, script, str(port), ready=lambda: answers(port)) as process:
        yield process
