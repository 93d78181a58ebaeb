"""The public API is there, and costs nothing until it is used."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import dgmix

HEAVY = {"torch", "numpy", "sklearn", "scipy", "polars", "plotly", "jinja2", "rich", "soundfile"}


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
