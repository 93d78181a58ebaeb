"""What a result was made with: versions, hardware, revision."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("dgmix", "torch", "numpy", "scikit-learn", "soundfile", "soxr", "polars")


def describe_environment() -> dict[str, Any]:
    """Return versions of Python and of the packages that decide results, hardware and git commit.

    Nothing in it names the machine or its user.
    """
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": os.cpu_count(),
        "gpu": _gpu(),
        "packages": package_versions(),
        "commit": source_commit(),
    }


def package_versions() -> dict[str, str | None]:
    """Return the versions of the packages that decide results, None for one that is not there."""
    return {name: _version(name) for name in PACKAGES}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def processor() -> str:
    """Return the model of this computer's processor, as far as the system names it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _gpu() -> str | None:
    """Return the GPU of networks; a result without one has not loaded torch."""
    torch = sys.modules.get("torch")
    return torch.cuda.get_device_name() if torch and torch.cuda.is_available() else None


def source_commit() -> str | None:
    """Return the commit of the source tree that dgmix runs from, if it runs from one."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None
