"""dgmix as people install it: wheel and sdist, in an environment of their own.

The environment has the packages of this one, but no dgmix: that comes from what was built.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BUILD = "from hatchling.build import build_{kind} as build; print(build({folder!r}))"
THOROUGH = bool(os.environ.get("DGMIX_TEST_PACKAGE"))
KINDS = ("wheel", "sdist") if THOROUGH else ("wheel",)


def call(*command: object, folder: Path) -> str:
    """Run a command in a folder, without what leads to the checkout, and return what it prints."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel and the sdist of this checkout."""
    pytest.importorskip("hatchling", reason="builds packages; not installed")
    folder = tmp_path_factory.mktemp("dist")
    names = {
        kind: call(sys.executable, "-c", BUILD.format(kind=kind, folder=str(folder)), folder=ROOT)
        for kind in ("wheel", "sdist")
    }
    return {kind: folder / name.splitlines()[-1] for kind, name in names.items()}


@pytest.fixture(scope="module", params=KINDS)
def installed(
    request: pytest.FixtureRequest, built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The programs of a fresh environment that a built package was installed into."""
    home = tmp_path_factory.mktemp("home")
    call(sys.executable, "-m", "venv", "--without-pip", "environment", folder=home)
    programs = home / "environment" / "bin"
    packages = next((home / "environment" / "lib").glob("python*/site-packages"))
    (packages / "others.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    options = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation")
    pip = (sys.executable, "-m", "pip", "--python", programs / "python", "install", *options)
    call(*pip, built[request.param], folder=home)
    return programs


def test_the_lock_file_has_the_versions_that_are_tested() -> None:
    tested, locked = (
        {
            name.lower().replace("_", "-"): version
            for name, version in re.findall(
                r"^([\w.-]+)==([^ ;\n]+)", (ROOT / file).read_text("utf-8"), re.MULTILINE
            )
        }
        for file in ("constraints.txt", "requirements.lock")
    )
    assert {name: locked.get(name) for name in tested} == tested
    assert locked.keys() >= {"torch", "numpy", "pytest"}


def test_wheel_and_sdist_hold_all_of_dgmix(built: dict[str, Path]) -> None:
    source = ROOT / "src" / "dgmix"
    ours = {
        path.relative_to(source.parent).as_posix()
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {"dgmix/py.typed", "dgmix/recipes/default.yaml"} < ours
    with zipfile.ZipFile(built["wheel"]) as wheel:
        assert {name for name in wheel.namelist() if ".dist-info/" not in name} == ours
        [license_file] = [name for name in wheel.namelist() if name.endswith("/LICENSE")]
        assert wheel.read(license_file) == (ROOT / "LICENSE").read_bytes()
    with tarfile.open(built["sdist"]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    wanted = {"pyproject.toml", "README.md", "LICENSE", "CITATION.cff", "tests/test_package.py"}
    assert {f"src/{name}" for name in ours} | wanted <= names


def test_what_was_installed_runs_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    place = call(installed / "python", "-c", "import dgmix; print(dgmix.__file__)", folder=tmp_path)
    assert Path(place.strip()).is_relative_to(installed.parent)
    report = call(installed / "dgmix", "doctor", "--cache", tmp_path / "cache", folder=tmp_path)
    assert "commit" not in report
    assert "problems:   none" in report


@pytest.mark.slow
@pytest.mark.skipif(not THOROUGH, reason="takes half a minute; make test-package runs it")
def test_the_quick_demonstration_runs_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    table = call(installed / "dgmix", "demo", "--quick", "-o", "demo", folder=tmp_path)
    assert "Ω" in table
    assert (tmp_path / "demo" / "run" / "report.html").is_file()
