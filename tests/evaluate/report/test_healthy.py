"""The report of a fit shows the healthy recordings, and lets the odd ones be heard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from markupsafe import escape

from dgmix import Detector, InputError, write_fit_report
from dgmix.audio.io import write_wav
from dgmix.config import Recipe
from dgmix.detect.sensitivity import Response, Sensitivity
from dgmix.evaluate.report.healthy import Section
from dgmix.evaluate.report.parts import listing
from dgmix.files import printable

RATE = 16_000


def hum(seed: int, whine: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    time = np.arange(RATE // 2) / RATE
    sound = 0.1 * np.sin(2 * np.pi * 96 * time) + whine * np.sin(2 * np.pi * 2217 * time)
    return np.asarray(sound + 0.03 * rng.standard_normal(len(time)))


@pytest.fixture(scope="module")
def plain(tiny: Recipe) -> Recipe:
    changes = {"views": ["logmel-mean", "logmel-max"], "scorer": "kriging"}
    return tiny.model_copy(update={"detect": tiny.detect.model_copy(update=changes)})


def test_odd_recordings_can_be_heard_and_all_stand_in_a_table(
    plain: Recipe, tmp_path: Path
) -> None:
    signals = [hum(seed, whine=0.1 * (seed < 2)) for seed in range(12)]
    signals[7][1000:1400] = 0
    detector = Detector(plain, cache=tmp_path).fit(signals, sample_rate=RATE)
    more = Section("faults", "Faults", "What it would find.", listing("It", "A", "B", {"c": "d"}))
    path = write_fit_report(
        detector, signals, tmp_path / "fit.html", sections=[more], sample_rate=RATE
    )
    page = path.read_text("utf-8")
    assert "recording 0, recording 1 are alike and unlike the 10 others" in page
    assert page.count("<audio") == 4  # each beside the nearest of the others
    assert "dropouts: 5 % of it is zeros" in page
    assert all(page.count(f"recording {number}<") for number in range(12))
    assert '<a href="#faults">Faults</a>' in page
    assert "false alarms" in page.lower()


def test_a_set_without_odd_ones_says_so(plain: Recipe, tmp_path: Path) -> None:
    signals = [hum(seed) for seed in range(9)]
    detector = Detector(plain, cache=tmp_path).fit(signals, sample_rate=RATE)
    measured = Sensitivity(
        0.1, 9, 9, 0.0, 9, False, (Response("a hiss", "level", (-6.0,), (1.0,)),)
    )
    detector.fitted_ = replace(detector.fitted_, sensitivity=measured)
    page = write_fit_report(detector, signals, tmp_path / "fit.html", sample_rate=RATE)
    assert "6 dB under the machine" in page.read_text("utf-8")
    assert "no small group of them, is unlike the others" in page.read_text("utf-8")
    with pytest.raises(InputError, match="learned from 9 recordings, and 3 are given"):
        write_fit_report(detector, signals[:3], tmp_path / "fit.html", sample_rate=RATE)


def fitted(folder: Path, plain: Recipe, names: list[str]) -> tuple[Detector, Path]:
    """Return a detector of recordings in a folder, by these names."""
    healthy = folder / "healthy"
    for seed, name in enumerate(names):
        (healthy / name).parent.mkdir(parents=True, exist_ok=True)
        write_wav(healthy / name, hum(seed), RATE)
    return Detector(plain, cache=folder).fit(healthy), healthy


SETS = {
    "one recording": ["a.wav"],
    "two recordings": ["a.wav", "b.wav"],
    "names that are HTML": ["<script>x<.wav", "&amp;.wav", "a'b\"c.wav", "{{ x }}.wav"],
    "names in other scripts": ["é.wav", "異.wav", "ё.wav", "\udcfc.wav"],
    "names of spaces and line breaks": ["a b.wav", " .wav", "c\nd.wav", "-e.wav"],
    "two sections": ["east/a.wav", "east/b.wav", "west/a.wav", "west/b.wav"],
    "a long name": [f"{'x' * 200}.wav", "b.wav"],
}


@pytest.mark.parametrize("kind", SETS)
def test_any_set_has_a_report(plain: Recipe, tmp_path: Path, kind: str) -> None:
    detector, healthy = fitted(tmp_path, plain, SETS[kind])
    page = write_fit_report(detector, healthy, tmp_path / "fit.html").read_text("utf-8")
    assert "<script>x" not in page
    assert "{{" not in page.replace("{{ x }}.wav", "")
    for name in SETS[kind]:
        assert escape(printable(name)) in page
    sections = detector.fitted_.sections
    assert all(section in page for section in sections if len(sections) > 1)


@pytest.mark.parametrize("place", ["new/folder/fit.html", "new/../fit.html", "a [1] ü.html"])
def test_a_report_is_written_where_it_is_wanted(
    plain: Recipe, tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector, healthy = fitted(tmp_path, plain, ["a.wav", "b.wav"])
    monkeypatch.chdir(tmp_path)
    write_fit_report(detector, healthy, place)
    assert Path(place).read_text("utf-8").rstrip().endswith("</html>")


def test_a_link_to_a_report_stays_and_nothing_is_left_of_what_failed(
    plain: Recipe, tmp_path: Path
) -> None:
    detector, healthy = fitted(tmp_path, plain, ["a.wav", "b.wav"])
    (tmp_path / "link.html").symlink_to("real.html")
    write_fit_report(detector, healthy, tmp_path / "link.html")
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "real.html").stat().st_size > 1000
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file"):
        write_fit_report(detector, healthy, tmp_path / "file" / "fit.html")
    assert not list(tmp_path.glob(".*.part"))
