"""Patterns, and folders whose names look like one."""

from __future__ import annotations

from pathlib import Path

import pytest

from dgmix.data.patterns import matching_files


@pytest.fixture
def hall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("hall [1]/a.wav", "hall [1]/b.wav", "hall [1]/x[2]/c.wav", "hall 2/d.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "hall [1]/folder.wav").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("hall [1]/*.wav", ["hall [1]/a.wav", "hall [1]/b.wav"]),
        ("hall [1]/x[2]/*.wav", ["hall [1]/x[2]/c.wav"]),
        ("hall [1]/**/*.wav", ["hall [1]/a.wav", "hall [1]/b.wav", "hall [1]/x[2]/c.wav"]),
        ("hall [1]/[a].wav", ["hall [1]/a.wav"]),
        ("hall [12]/*.wav", ["hall 2/d.wav"]),
        ("hall */*.wav", ["hall 2/d.wav", "hall [1]/a.wav", "hall [1]/b.wav"]),
        ("hall [3]/*.wav", []),
        ("*.mp3", []),
    ],
)
def test_what_a_pattern_matches(hall: Path, pattern: str, expected: list[str]) -> None:
    assert [path.as_posix() for path in matching_files(pattern)] == expected
    absolute = [path.relative_to(hall).as_posix() for path in matching_files(str(hall / pattern))]
    assert absolute == expected
