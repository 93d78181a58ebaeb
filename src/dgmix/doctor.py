"""What a bug report needs to know of an installation, and what is wrong with it."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dgmix.audio.stores import stores
from dgmix.environment import package_versions, processor, source_commit
from dgmix.files import free_space, shown_size
from dgmix.version import __version__

EXTRAS = {
    "decoders": ["av"],
    "onnx": ["onnx", "onnxscript", "onnxruntime"],
    "live": ["pydantic_settings", "sounddevice", "paho", "starlette", "uvicorn"],
    "notify": ["apprise"],
    "cluster": ["ray"],
    "plot": ["matplotlib"],
}
"""The modules that tell whether an extra is installed."""
GPUS = Path("/proc/driver/nvidia/gpus")
LEAST_FREE = 1e9  # bytes
Facts = dict[str, Any]


def examine(cache: Path, ask_torch: bool = False) -> Facts:
    """Return what an installation is: versions, hardware, decoders, cache, disk, and `problems`.

    Plain values that JSON has. Only `ask_torch` loads torch, which takes seconds, to tell which GPU
    it can use; otherwise `gpu` is what the system's drivers name.
    """
    facts = {
        "dgmix": __version__,
        "commit": source_commit(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        "memory": _memory(),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "gpu": _torch_gpu() if ask_torch else _driver_gpu(),
        "packages": package_versions(),
        "decoders": {"libsndfile": _libsndfile(), "ffmpeg": _version("av")},
        "extras": {name: all(map(_is_there, modules)) for name, modules in EXTRAS.items()},
        "cache": _cache(cache),
        "temporary": _place(Path(tempfile.gettempdir()), "TMPDIR"),
    }
    return {**facts, "problems": list(_problems(facts))}


def page(facts: Facts) -> str:
    """Return what `examine` returns as one paragraph, a line for each kind of fact."""
    commit = f", commit {facts['commit']}" if facts["commit"] else ""
    memory = f", {shown_size(facts['memory'])} of memory" if facts["memory"] else ""
    packages = {name: version for name, version in facts["packages"].items() if name != "dgmix"}
    place, extras = facts["temporary"], facts["extras"]
    lines = {
        "dgmix": f"{facts['dgmix']}{commit}; Python {facts['python']} on {facts['platform']}",
        "packages": ", ".join(
            f"{name} {version or 'missing'}" for name, version in packages.items()
        ),
        "processor": f"{facts['processor'] or 'unknown'}, {facts['cores']} cores{memory}",
        "threads": f"OMP_NUM_THREADS is {facts['threads'] or 'not set'}",
        "gpu": facts["gpu"] or "none",
        "decoders": _decoders_line(facts["decoders"]),
        "extras": ", ".join(f"{n}{'' if there else ' missing'}" for n, there in extras.items()),
        "cache": _cache_line(facts["cache"]),
        "temporary": f"{place['folder']}, {shown_size(place['free'])} free",
        "problems": "; ".join(facts["problems"]) or "none",
    }
    return "\n".join(f"{name + ':':<11} {text}" for name, text in lines.items())


def _decoders_line(decoders: Facts) -> str:
    pyav = decoders["ffmpeg"]
    of_ffmpeg = f"FFmpeg (PyAV {pyav})" if pyav else "PyAV missing: pip install 'dgmix[decoders]'"
    return f"libsndfile {decoders['libsndfile'] or 'missing'}, {of_ffmpeg}"


def _cache_line(cache: Facts) -> str:
    held = f"{_counted(cache['stores'], 'store')}, {_counted(cache['recordings'], 'recording')}"
    free = f"{shown_size(cache['free'])} free"
    return f"{cache['folder']}, {shown_size(cache['size'])} in {held}, {free}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _problems(facts: Facts) -> Iterator[str]:
    """Yield what keeps dgmix from working, and what to do."""
    for name in missing_packages():
        yield f"package {name} is missing: pip install dgmix"
    if facts["decoders"]["libsndfile"] is None:
        yield "libsndfile cannot be loaded: pip install --force-reinstall soundfile"
    for what, place in (("cache", facts["cache"]), ("temporary folder", facts["temporary"])):
        if not place["writable"]:
            yield f"{what} {place['folder']} cannot be written; name another ({place['by']})"
        if place["free"] is not None and place["free"] < LEAST_FREE:
            yield f"{what}: only {shown_size(place['free'])} are free on its disk"


def missing_packages() -> Sequence[str]:
    """Return the packages that dgmix needs and that are not installed."""
    try:
        needed = [each for each in requires("dgmix") or [] if "extra ==" not in each]
    except PackageNotFoundError:
        return []
    names = [each.split(";")[0].split(">")[0].split("<")[0].strip() for each in needed]
    return [name for name in names if _version(name) is None]


def _cache(folder: Path) -> Facts:
    contents = stores(folder)
    return {
        **_place(folder, "--cache or DGMIX_CACHE"),
        "stores": len(contents),
        "recordings": sum(store.recordings for store in contents),
        "size": sum(store.size for store in contents),
    }


def _place(folder: Path, by: str) -> Facts:
    """Return what is known of a folder, which need not be there yet, and what option names it."""
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    writable = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    return {"folder": _shown(folder), "free": free_space(folder), "writable": writable, "by": by}


def _shown(path: Path) -> str:
    """Return a path without the name of the user whose home it is in."""
    try:
        return f"~/{path.relative_to(Path.home())}"
    except (ValueError, RuntimeError):
        return str(path)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _is_there(module: str) -> bool:
    return find_spec(module) is not None


def _libsndfile() -> str | None:
    try:
        import soundfile
    except (ImportError, OSError):
        return None
    return str(soundfile.__libsndfile_version__)


def _driver_gpu() -> str | None:
    """Return the GPUs that NVIDIA's driver names, on Linux, without asking torch."""
    models = []
    for path in sorted(GPUS.glob("*/information")):
        model = path.read_text(errors="replace").partition("Model:")[2].partition("\n")[0].strip()
        models.append(model or "an NVIDIA GPU")
    return f"{', '.join(models)} (torch was not loaded; --torch does)" if models else None


def _torch_gpu() -> str:
    import torch

    if not torch.cuda.is_available():
        return f"torch {torch.__version__} can use none"
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return f"{', '.join(names)}, which torch {torch.__version__} can use"


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
