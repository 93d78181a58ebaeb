"""The commands, and a watch as a process of its own with a real detector."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
import requests
import yaml
from typer.testing import CliRunner

from dgmix.audio.io import write_wav
from dgmix.cli import app
from dgmix.config import load_recipe
from dgmix.detect.detector import Detector
from dgmix.errors import DgmixError, InputError
from dgmix.watch.judge import judges
from dgmix.watch.settings import load_settings
from dgmix.watch.store import queries
from dgmix.watch.store.store import read_only

RATE = 16_000
SECONDS = 2.0


def hum(seed: int, knocks: bool = False) -> np.ndarray:
    rng, time_ = np.random.default_rng(seed), np.arange(round(SECONDS * RATE)) / RATE
    sound = 0.1 * np.sin(2 * np.pi * 120 * time_) + 0.02 * rng.normal(size=len(time_))
    if knocks:
        sound += 0.4 * (np.sin(2 * np.pi * 8 * time_) > 0.95) * rng.normal(size=len(time_))
    return sound.astype(np.float32)


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("detector") / "pump.dgmix"
    Detector().fit([hum(seed) for seed in range(25)], sample_rate=RATE).save(path)
    return path


@pytest.fixture
def settings(detector: Path, tmp_path: Path) -> Path:
    (tmp_path / "recordings").mkdir()
    source = {"type": "folder", "path": "recordings", "stable": 0.05, "every": 0.05}
    values: dict[str, Any] = {
        "state": "state",
        "machines": [{"name": "pump", "detector": str(detector), "source": source}],
        "page": {"port": 0},
        "storage": {"least_free_mb": 0},
    }
    path = tmp_path / "watch.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def dgmix(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, ["watch", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_example_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "watch.yaml"
    assert "--check" in dgmix("--example", path)
    assert "machines:" in path.read_text()
    with pytest.raises(InputError, match="would be overwritten"):
        dgmix("--example", path)


def test_check_tells_the_false_alarms_to_expect(settings: Path) -> None:
    text = dgmix(settings, "--check")
    assert "ok      pump detector: pump.dgmix, windows of 2" in text
    assert "false alarms a month on average over detectors of 25 recordings" in text
    assert "in a row would bring the mean to" in text
    assert "ok      pump source: the folder can be read" in text


def test_check_names_a_condition_of_which_too_little_was_learned(
    settings: Path, detector: Path
) -> None:
    values = yaml.safe_load(settings.read_text())
    fast = Detector.load(detector).update([hum(99)], sample_rate=RATE, conditions=["fast"])
    fast.save(settings.with_name("fast.dgmix"))
    values["machines"][0] |= {"detector": "fast.dgmix", "condition": {"fixed": "fast"}}
    settings.write_text(yaml.safe_dump(values))
    result = CliRunner().invoke(app, ["watch", str(settings), "--check"])
    assert "FAILED  pump rule: a false-alarm rate of 0.05 needs 19 healthy" in result.output


PLUG_IN = "views = {'crest': lambda levels: levels.max(0) - levels.mean(0)}"


def test_a_detector_with_a_plug_in_needs_its_file(settings: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PLUG_IN)
    recipe = load_recipe("default", ["detect.views=[crest]"], [tmp_path / "mine.py"])
    detector = Detector(recipe).fit([hum(seed) for seed in range(20)], sample_rate=RATE)
    detector.save(tmp_path / "crest.dgmix")
    values = yaml.safe_load(settings.read_text())
    values["machines"][0]["detector"] = "crest.dgmix"
    settings.write_text(yaml.safe_dump(values))
    result = CliRunner().invoke(app, ["watch", str(settings), "--check"])
    assert "needs the view 'crest', which is code" in result.output
    assert "give it by --plugins FILE.py, `plugins: [FILE.py]` in watch.yaml" in result.output
    settings.write_text(yaml.safe_dump(values | {"plugins": ["mine.py"]}))
    text = dgmix(settings, "--check")
    assert "ok      plugins: mine.py has views crest" in text
    assert "ok      pump detector: crest.dgmix" in text
    load, update = judges(load_settings(settings).plugins)
    clip = tmp_path / "healthy.wav"
    write_wav(clip, hum(99), RATE)
    update(tmp_path / "crest.dgmix", [clip], [None], tmp_path / "more.dgmix")
    judge = load(tmp_path / "more.dgmix", None)
    assert judge.recordings(None) == 21
    assert judge.judge(hum(98), RATE, None).view == "crest"
    settings.write_text(yaml.safe_dump(values | {"plugins": ["none.py"]}))
    result = CliRunner().invoke(app, ["watch", str(settings), "--check"])
    assert f"FAILED  plugins: {tmp_path / 'none.py'}: there is no such file" in result.output


def test_check_names_what_fails(settings: Path) -> None:
    values = yaml.safe_load(settings.read_text())
    values["machines"][0]["detector"] = "none.dgmix"
    values["machines"][0]["source"]["path"] = "nowhere"
    values["webhooks"] = [{"url": "http://127.0.0.1:9/secret"}]
    settings.write_text(yaml.safe_dump(values))
    result = CliRunner().invoke(app, ["watch", str(settings), "--check"])
    assert isinstance(result.exception, DgmixError)
    assert "3 of the checks failed" in str(result.exception)
    assert "FAILED  pump detector: " in result.output
    assert "FAILED  pump source: lost: " in result.output
    assert "FAILED  sink webhook: ConnectionError at http://127.0.0.1:9/…" in result.output


def test_notify_test_tells_which_sink_acknowledged(settings: Path) -> None:
    with pytest.raises(InputError, match="names no broker, webhook or Apprise address"):
        dgmix("notify-test", settings)
    values = yaml.safe_load(settings.read_text())
    values["webhooks"] = [{"name": "plant", "url": "http://127.0.0.1:9/"}]
    settings.write_text(yaml.safe_dump(values))
    result = CliRunner().invoke(app, ["watch", "notify-test", str(settings)])
    assert "FAILED  sink plant: " in result.output
    assert isinstance(result.exception, DgmixError)


def test_install_writes_a_unit(settings: Path, tmp_path: Path) -> None:
    unit = tmp_path / "dgmix-watch.service"
    assert "enable --now" in dgmix("install", settings, "--user", "-o", unit)
    assert f"-m dgmix watch {settings}" in unit.read_text()


def test_without_settings_it_is_said_what_to_do() -> None:
    with pytest.raises(InputError, match="--example writes one"):
        dgmix("--log-json")


@contextmanager
def running(settings: Path) -> Iterator[Callable[..., Any]]:
    """Run `dgmix watch` as a process; yield a client of its API; stop it by SIGTERM."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dgmix", "watch", str(settings)],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stderr or []))
    reader.start()
    address = settings.parent / "state" / "address"
    _wait(lambda: address.exists() or process.poll() is not None)
    token = settings.parent / "state" / "token"

    def ask(method: str, path: str, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {token.read_text().strip()}"}
        url = f"{address.read_text()}api/v1/{path}"
        return requests.request(method, url, headers=headers, timeout=30, **more).json()

    ask.process = process  # type: ignore[attr-defined]
    _wait(lambda: _answers(ask))
    try:
        yield ask
    finally:
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        status = process.wait(30)
        reader.join()
        process.stderr.close()
        assert status == 0, lines
        assert time.monotonic() - begin < 10  # five on a machine that is not busy
        assert not address.exists()


def _answers(ask: Callable[..., Any]) -> bool:
    try:
        return bool(ask("GET", "machines"))
    except OSError:
        return False


def _windows(ask: Callable[..., Any]) -> int:
    """How many windows the page shows; -1 while it is opened anew."""
    try:
        return len(ask("GET", "machines/pump/windows"))
    except OSError:
        return -1


def _wait(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.05)


def test_a_fault_is_heard_told_called_healthy_learned_and_taken_back(
    settings: Path, tmp_path: Path
) -> None:
    recordings = tmp_path / "recordings"

    def record(first: int, count: int, knocks: bool) -> None:
        for number in range(first, first + count):
            path = recordings / f"{number:03}.wav"
            write_wav(path, hum(1000 + number, knocks), RATE)
            os.utime(path, (1_790_000_000 + 10 * number,) * 2)

    record(0, 5, knocks=False)
    record(5, 4, knocks=True)
    with running(settings) as ask:
        _wait(lambda: _windows(ask) == 9)
        (event,) = ask("GET", "events")
        assert (event["kind"], event["raised"]) == ("anomaly", 1_790_000_070.0)
        done = dgmix("label", settings, event["id"], "healthy", "--who", "Ada")
        assert "healthy by Ada" in done
        (made,) = (tmp_path / "state" / "detectors").glob("pump-*.dgmix")
        assert ask("GET", f"events/{event['id']}")["who"] == "Ada"
        ask.process.send_signal(signal.SIGHUP)  # type: ignore[attr-defined]
        record(20, 1, knocks=False)
        _wait(lambda: _windows(ask) == 10)
        assert ask("GET", "machines/pump/windows")[-1]["detector"] == made.name
        assert "nothing any more" in dgmix("label", settings, event["id"], "undo")
        record(30, 1, knocks=False)
        _wait(lambda: _windows(ask) == 11)
        assert ask("GET", "machines/pump/windows")[-1]["detector"] == "pump.dgmix"
        dgmix("export", settings, "--parquet", tmp_path / "out")
    frame = polars.read_parquet(tmp_path / "out" / "windows.parquet")
    assert frame["verdict"].to_list()[:9] == ["normal"] * 5 + ["ANOMALY"] * 4
    assert made.exists()
    done = dgmix("label", settings, event["id"], "fault", "--who", "Ada")
    assert "fault by Ada" in done


def test_raw_sound_on_standard_input(settings: Path, detector: Path) -> None:
    values = yaml.safe_load(settings.read_text())
    values["machines"][0] |= {
        "source": {"type": "stdin", "format": "s16le", "sample_rate": RATE},
        "window": {"settle": 0},
    }
    settings.write_text(yaml.safe_dump(values))
    process = subprocess.Popen(
        [sys.executable, "-m", "dgmix", "watch", str(settings), "--log-json"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stderr is not None
    sound = np.concatenate([hum(seed) for seed in range(4)])
    process.stdin.write((sound * 32767).astype("<i2").tobytes())
    process.stdin.close()
    for line in process.stderr:
        if b"standard input ended" in line:
            assert json.loads(line)["text"] == "pump: lost: standard input ended"
            break
    with read_only(settings.parent / "state") as of:
        _wait(lambda: len(queries.last_windows(of, "pump", 100)) == 3)
    process.send_signal(signal.SIGTERM)
    process.stderr.read()
    process.stderr.close()
    assert process.wait(30) == 0
