"""What a run says of the machine it was made on."""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from dgmix import environment
from dgmix.environment import PACKAGES, describe_environment


def test_versions_and_hardware_are_told() -> None:
    described = describe_environment()
    assert described["python"] == platform.python_version()
    assert described["cores"] == os.cpu_count()
    assert described["packages"] == {name: version(name) for name in PACKAGES}
    assert json.loads(json.dumps(described)) == described


def test_the_machine_and_its_user_are_not_named() -> None:
    text = json.dumps(describe_environment())
    for secret in (socket.gethostname(), os.environ.get("USER", ""), str(Path.home())):
        assert len(secret) < 4 or secret not in text


def test_a_package_that_is_not_there_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "PACKAGES", ("no-such-package-at-all",))
    assert describe_environment()["packages"] == {"no-such-package-at-all": None}


def test_the_commit_is_that_of_the_source_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "src" / "dgmix"
    home.mkdir(parents=True)
    monkeypatch.setattr(environment, "__file__", str(home / "environment.py"))
    assert describe_environment()["commit"] is None
    identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, *identity, "commit", "--quiet", "--allow-empty", "-m", "x"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    assert describe_environment()["commit"] == head.stdout[:12]


@pytest.mark.parametrize("error", [OSError, subprocess.TimeoutExpired])
def test_without_git_there_is_no_commit(
    error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise error("git", 10)

    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(environment, "__file__", str(tmp_path / "src" / "dgmix" / "x.py"))
    monkeypatch.setattr(subprocess, "run", fail)
    assert environment.source_commit() is None


def test_the_processor_is_named_where_the_system_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Fast CPU @ 3 GHz\nflags\t: a b\n")
    monkeypatch.setattr(environment, "Path", lambda _: cpuinfo)
    assert environment.processor() == "Fast CPU @ 3 GHz"
    cpuinfo.unlink()
    assert environment.processor() == platform.processor()
