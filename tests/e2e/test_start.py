"""The command as a user starts it."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

PROGRAM = Path(sysconfig.get_path("scripts")) / "dgmix"


def output_of(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_module_is_the_program() -> None:
    if not PROGRAM.exists():
        pytest.skip("dgmix is not installed with its program")
    assert output_of(sys.executable, "-m", "dgmix", "--help") == output_of(PROGRAM, "--help")


@pytest.mark.parametrize("arguments", ["", "--help", "--version", "run --help", "evaluate --help"])
def test_help_imports_nothing_heavy(arguments: str) -> None:
    script = (
        "import sys, atexit\n"
        "atexit.register(lambda: print('loaded', *sys.modules))\n"
        f"sys.argv = ['dgmix', *{arguments.split()}]\n"
        "from dgmix.cli import main\n"
        "main()"
    )
    loaded = output_of(sys.executable, "-c", script).rpartition("loaded ")[2].split()
    heavy = {"torch", "numpy", "sklearn", "scipy", "polars", "plotly", "jinja2", "soundfile"}
    assert not heavy & set(loaded)
