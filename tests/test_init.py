"""The public API is there, and costs nothing until it is used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

import dgmix
from dgmix.audio.io import write_wav
from dgmix.detect.detector import Detector

NEVER = ("torch", "sklearn", "matplotlib", "ray", "onnxruntime", "IPython")
HEAVY = {"torch", "numpy", "sklearn", "scipy", "polars", "plotly", "jinja2", "rich", "soundfile"}
SCRIPT = """
import json, os, sys
import dgmix
loaded = {"import": "numpy" in sys.modules}
from dgmix.cli import app
sys.stdout = open(os.devnull, "w")
for arguments in json.loads(sys.argv[1]):
    app(arguments, standalone_mode=False)
    loaded[arguments[0]] = [m for m in ("scipy", "polars") if m in sys.modules]
print(json.dumps(loaded), file=sys.__stdout__)
"""


def modules_after(code: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has loaded after `code`."""
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_everything_public_can_be_imported() -> None:
    for name in dgmix.__all__:
        assert getattr(dgmix, name).__doc__
    assert set(dgmix.__all__) <= set(dir(dgmix))


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        dgmix.nothing  # noqa: B018


def test_the_version_is_the_package_s() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    assert dgmix.__version__ == project["project"]["version"] == version("dgmix")


def test_importing_dgmix_loads_nothing_heavy() -> None:
    assert not modules_after("import dgmix; dir(dgmix)") & HEAVY


def test_the_command_line_loads_nothing_heavy_until_a_command_runs() -> None:
    assert not modules_after("import dgmix.cli") & (HEAVY - {"rich"})


def test_the_default_recipe_needs_no_network_s_libraries(tmp_path: Path) -> None:
    for name in NEVER:  # found first, in the processes of a run too
        (tmp_path / "absent").mkdir(exist_ok=True)
        (tmp_path / "absent" / f"{name}.py").write_text(f"raise RuntimeError('{name} was loaded')")
    rng = np.random.default_rng(0)
    names = [f"train/section_00_source_train_normal_{n:04d}" for n in range(4)]
    names += [f"test/section_00_source_test_{label}_0000" for label in ("normal", "anomaly")]
    for name in names:
        write_wav(tmp_path / f"fan/{name}.wav", 0.1 * rng.standard_normal(16_000), 16_000)
    healthy, cache = tmp_path / "fan/train", ["--cache", str(tmp_path / "cache")]
    detector = tmp_path / "d.dgmix"
    Detector(cache=tmp_path / "cache").fit(healthy).save(detector)
    calls = [
        ["info", str(detector)],
        ["score", str(detector), str(healthy / f"{Path(names[0]).name}.wav")],
        ["fit", str(healthy), "-o", str(tmp_path / "e.dgmix"), *cache],
        ["run", "default", "-d", str(tmp_path), "-o", str(tmp_path / "run"), "--jobs", "1", *cache],
    ]
    calls[-1] += ["--set", "evaluate.bootstrap=0"]
    calls.insert(-1, [*calls[-1], "--dry-run"])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(calls)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "absent"), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout)
    assert loaded == {
        "import": False,
        "info": [],
        "score": [],
        "fit": ["scipy"],
        "run": ["scipy", "polars"],
    }
