"""The README is short, its commands run, and its figures are those of the results."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from dgmix.audio.io import write_wav

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
RATE = 16_000
ELSEWHERE = {
    "demo": "tests/test_package.py",
    "download": "tests/data/download",
    "watch": "tests/watch",
}  # what is tried there, in forms that end


def commands() -> list[list[str]]:
    """Return the words of each dgmix command of the README."""
    shell = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    lines = re.findall(r"^(dgmix [^#\n]*)", "\n".join(shell), re.MULTILINE)
    lines = re.findall(r"^\$ (dgmix [^|\n]*)", README, re.MULTILINE) + lines
    return [shlex.split(line)[1:] for line in lines]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_cache: None) -> Path:
    """A folder with all that the commands are given."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for folder, count in (("healthy", 5), ("monday", 2), ("new-load", 1)):
        (tmp_path / folder).mkdir()
        for number in range(count):
            sound = 0.1 * rng.standard_normal(2 * RATE)
            write_wav(tmp_path / folder / f"{number}.wav", sound.astype(np.float32), RATE)
    return tmp_path


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 150


def test_its_commands_run(
    work: Path, simulated: Path, dgmix: Callable[..., Any], in_process: None
) -> None:
    shutil.copytree(simulated / "fan", work / "data" / "dcase2022" / "fan")
    run = [words for words in commands() if words[0] not in ELSEWHERE]
    assert len(run) >= 7
    for words in run:
        if words[0] == "compare":
            shutil.copytree(words[1], words[2])
        done = dgmix(*words)
        assert done.status == 0, (words, done.err)


def test_its_python_runs(work: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["detector"].score_samples("monday").shape == (2,)


def test_its_figures_are_those_of_the_results(
    load_script: Callable[[Path], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    script = load_script(ROOT / "benchmarks" / "readme.py")
    assert script.page(README) == README, "run python benchmarks/readme.py"
    other = README.replace("<!-- real sets -->\n|", "<!-- real sets -->\n| changed |")
    assert other != README
    assert script.page(other) == README
