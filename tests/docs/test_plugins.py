"""The page on plug-ins: its blocks of Python and its commands run, and are short."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from dgmix.audio.io import write_wav

PAGE = Path(__file__).parents[2] / "docs" / "plugins.md"
RATE = 16_000


@pytest.fixture
def recordings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_cache: None
) -> Path:  # enough of them that `dgmix fit` looks for odd ones
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for folder, count in (("healthy", 8), ("new", 2)):
        (tmp_path / folder).mkdir()
        for number in range(count):
            sound = 0.1 * rng.standard_normal(2 * RATE)
            write_wav(tmp_path / folder / f"{number}.wav", sound.astype(np.float32), RATE)
    return tmp_path


@pytest.fixture
def blocks(load_script: Callable[[Path], ModuleType]) -> Callable[[str], list[str]]:
    """Return the blocks of a kind that are not marked as not run."""
    parts = list(load_script(PAGE.with_name("console.py")).parts(PAGE.read_text("utf-8")))
    return lambda kind: [p["content"] for p, marked in parts if p["kind"] == kind and not marked]


def test_the_examples_run(
    recordings: Path,
    blocks: Callable[[str], list[str]],
    simulated: Path,
    in_process: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    python = blocks("python")
    assert len(python) >= 5
    shutil.copytree(simulated / "fan", recordings / "sim" / "fan")
    script = ModuleType("__main__")  # where a run looks for the classes of a script
    monkeypatch.setitem(sys.modules, "__main__", script)
    names = vars(script)
    for block in python:
        assert len(block.splitlines()) <= 20
        names.pop("scores", None)
        exec(block, names)  # a class that is defined there is found there
        if "scores" in names:
            assert np.isfinite(names["scores"]).all()
            assert names["scores"].shape == (2,)
    names["test_mine"]()
    assert "log-mel max" in (recordings / "runs" / "mine" / "results.md").read_text("utf-8")


def test_the_commands_run(
    recordings: Path, blocks: Callable[[str], list[str]], dgmix: Callable[..., Any]
) -> None:
    (code,) = [block for block in blocks("python") if block.startswith("# mine.py")]
    (recordings / "mine.py").write_text(code, "utf-8")
    (commands,) = blocks("sh")
    for command in commands.splitlines():
        done = dgmix(*shlex.split(command)[1:])
        assert done.status == 0, done.err
    assert done.out.splitlines()[-3].startswith("2 recordings: ")


def test_the_example_of_vectors_runs(
    recordings: Path, load_script: Callable[[Path], ModuleType]
) -> None:
    page = PAGE.with_name("vectors.md").read_text("utf-8")
    blocks = [
        part["content"]
        for part, _ in load_script(PAGE.with_name("console.py")).parts(page)
        if part["kind"] == "python" and not part["content"].startswith("# ")
    ]
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)
    assert names["scores"].shape == (2,)
    assert len(names["verdicts"]) == 2
