"""What `dgmix doctor` tells of an installation, and what it calls a problem."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import soundfile

from dgmix import doctor
from dgmix.doctor import examine, page

TORCH_FREE = """
import sys
from pathlib import Path
from dgmix.doctor import examine, page
page(examine(Path("cache")))
print([name for name in ("torch", "polars", "sklearn", "scipy") if name in sys.modules])
"""


def test_versions_decoders_and_places_are_told(tmp_path: Path) -> None:
    facts = examine(tmp_path / "cache")
    assert facts["packages"]["torch"] == version("torch")
    assert facts["decoders"] == {
        "libsndfile": soundfile.__libsndfile_version__,
        "ffmpeg": version("av"),
    }
    assert facts["cache"]["stores"] == 0
    assert facts["cache"]["free"] > 0
    assert facts["problems"] == []
    assert json.loads(json.dumps(facts)) == facts
    text = page(facts)
    for words in (f"torch {version('torch')}", "libsndfile", "threads:", "problems:   none"):
        assert words in text
    assert "\n\n" not in text


def test_no_slow_package_is_loaded_unless_asked() -> None:
    source = str(Path(doctor.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": source}
    done = subprocess.run(
        [sys.executable, "-c", TORCH_FREE], env=environment, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_torch_tells_which_gpu_it_can_use(tmp_path: Path) -> None:
    assert "torch" in examine(tmp_path, ask_torch=True)["gpu"]


def test_the_user_is_not_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert examine(tmp_path / "cache")["cache"]["folder"] == "~/cache"


def test_what_is_wrong_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(doctor, "requires", lambda _: ["numpy>=1", "no-such>=1", "x; extra == 'y'"])
    monkeypatch.setattr(doctor, "free_space", lambda _: 5_000_000)
    monkeypatch.setattr(doctor, "_libsndfile", lambda: None)
    facts = examine(tmp_path / "file" / "cache")
    missing, sound, cache, *disks = facts["problems"]
    assert missing == "package no-such is missing: pip install dgmix"
    assert sound.startswith("libsndfile cannot be loaded")
    assert "cannot be written; name another (--cache or DGMIX_CACHE)" in cache
    assert [disk.partition(":")[2] for disk in disks] == [" only 5 MB are free on its disk"] * 2
    assert "libsndfile missing" in page(facts)


def test_gpus_are_those_that_the_driver_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = tmp_path / "gpus" / "0000:01:00.0" / "information"
    card.parent.mkdir(parents=True)
    card.write_text("Model: \t\t NVIDIA H100\nIRQ: 1\n")
    monkeypatch.setattr(doctor, "GPUS", tmp_path / "gpus")
    assert examine(tmp_path)["gpu"].startswith("NVIDIA H100 (")
