"""The page on plug-ins: its blocks of Python run, one after the other, and are short."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dgmix.audio.io import write_wav

PAGE = Path(__file__).parents[2] / "docs" / "plugins.md"
RATE = 16_000


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DGMIX_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for folder, count in (("healthy", 5), ("new", 2)):
        (tmp_path / folder).mkdir()
        for number in range(count):
            sound = 0.1 * rng.standard_normal(2 * RATE)
            write_wav(tmp_path / folder / f"{number}.wav", sound.astype(np.float32), RATE)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(blocks) >= 5
    names: dict[str, Any] = {}
    for block in blocks:
        assert len(block.splitlines()) <= 20
        names.pop("scores", None)
        exec(block, names)  # a class that is defined there is found there
        if "scores" in names:
            assert np.isfinite(names["scores"]).all()
            assert names["scores"].shape == (2,)
    names["test_mine"]()
