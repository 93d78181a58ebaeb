"""`.dgmix` files: a whole detector in one safetensors file, from which nothing can run.

Tensors hold the weights, the memory and the calibration scores; the metadata holds one JSON text
under the key "dgmix", with the format version, the recipe and what the detector was trained on.
`_expected` and `ABOUT` list them all; beside them, since format 3, their checksum, "sha256".
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dgmix.config import parse_recipe
from dgmix.detect.detector import Detector
from dgmix.detect.healthy import Healthy
from dgmix.detect.localize import BandStatistics
from dgmix.detect.memory import Memory
from dgmix.detect.views import LEARNED, Vectors, view_size
from dgmix.errors import InputError
from dgmix.files import atomic_path
from dgmix.model.network import Network

FORMAT = 3
WEIGHTS = "network."
ABOUT = {
    "format": int,
    "version": str,
    "recipe": dict,
    "sections": list,
    "domains": list,
    "trained": int,
    "seed": int,
    "false_alarm_rate": float,
}
BANDS = ("mean", "std", "rise", "fall")
LONGEST_NAME = 60

Tensors = dict[str, torch.Tensor]
Shape = tuple[int | None, ...]


class DamageError(ValueError):
    """What is wrong with a file, in a few words."""


def save_detector(detector: Detector, path: Path) -> None:
    """Write a detector to `path`, whole or not at all."""
    from safetensors.torch import save

    from dgmix import __version__

    memory, bands, healthy = detector.memory_, detector.bands_, detector.healthy_
    weights = detector.network_.state_dict().items()
    tensors = {WEIGHTS + name: tensor.cpu().contiguous() for name, tensor in weights}
    arrays = {
        **{f"memory.{name}.values": view.values for name, view in memory.views.items()},
        **{f"memory.{name}.clips": view.clips for name, view in memory.views.items()},
        "healthy.digests": healthy.digests,
        "healthy.seconds": healthy.seconds,
        **{f"bands.{name}": getattr(bands, name) for name in BANDS},
        "bands.peak": np.array(bands.peak),
        "calibration": detector.view_scores_,
        "calibration.together": detector.pooled_view_scores_,
    }
    tensors |= {name: torch.from_numpy(np.array(a)) for name, a in arrays.items()}
    about = {
        "format": FORMAT,
        "version": __version__,
        "recipe": recipe_of(detector),
        "sections": memory.sections,
        "domains": memory.domains,
        "trained": healthy.trained,
        "seed": int(detector.seed),
        "false_alarm_rate": float(detector.false_alarm_rate),
    }
    with atomic_path(path) as temporary:
        whole = {**about, "sha256": _checksum(about, tensors)}
        temporary.write_bytes(save(tensors, metadata={"dgmix": json.dumps(whole)}))


def recipe_of(detector: Detector) -> dict[str, Any]:
    """Return the recipe as plain values; of the file of weights that it began with, the name."""
    recipe = detector.recipe_.model_dump(mode="json")
    recipe["encoder"]["weights"] = Path(recipe["encoder"]["weights"]).name
    return recipe


def load_detector(path: Path) -> Detector:
    """Return the detector that `save_detector` wrote to `path`.

    Raises `InputError` if the file is missing, damaged, not a detector, or of a newer format.
    """
    return _load(path)[0]


def describe_detector(path: Path) -> dict[str, Any]:
    """Return what is inside a detector file, for people: a nested dictionary of plain values.

    Raises what `load_detector` raises.
    """
    detector, about = _load(path)
    versions = {"format": about["format"], "dgmix": about["version"], "seed": about["seed"]}
    return {**versions, **detector.summary(), "recipe": about["recipe"]}


def _load(path: Path) -> tuple[Detector, dict[str, Any]]:
    tensors, about = _read(path)
    try:
        return _assemble(tensors, about, path), about
    except DamageError as error:
        raise InputError(f"{path}: a damaged detector ({error}); make it again") from error
    except (LookupError, TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise InputError(f"{path}: a damaged detector; make it again") from error


def _read(path: Path) -> tuple[Tensors, dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise InputError(f"{path}: there is no such detector file")
    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {})["dgmix"])
            _check_format(about, path)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            checksum = about.pop("sha256", None)
            if checksum is not None and checksum != _checksum(about, tensors):
                raise InputError(f"{path}: a damaged detector (its checksum); make it again")
            return (_of_format_1(tensors) if about["format"] == 1 else tensors), about
    except (SafetensorError, LookupError, TypeError, ValueError, OSError, RecursionError) as error:
        raise InputError(f"{path}: not a dgmix detector, or a damaged one") from error


def _checksum(about: dict[str, Any], tensors: Tensors) -> str:
    """Return the SHA-256 of a description and tensors, in hexadecimal."""
    found = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name in sorted(tensors):
        found.update(name.encode() + tensors[name].numpy().tobytes())
    return found.hexdigest()


def _check_format(about: dict[str, Any], path: Path) -> None:
    version = about["version"]
    if about["format"] > FORMAT:
        raise InputError(f"{path}: written by a newer dgmix ({version}); update dgmix to read it")


def _assemble(tensors: Tensors, about: dict[str, Any], path: Path) -> Detector:
    _check_about(about)
    recipe = parse_recipe(about["recipe"], str(path))
    clips = len(about["sections"])
    with torch.device("meta"):  # a network larger than the file takes no memory
        blank = Network(recipe)
    names: list[str] = list(recipe.detect.views)
    _check_tensors(tensors, _expected(blank, clips, names))
    arrays = {k: v.numpy() for k, v in tensors.items() if not k.startswith(WEIGHTS)}
    views = {n: Vectors(arrays[f"memory.{n}.values"], arrays[f"memory.{n}.clips"]) for n in names}
    memory = Memory(views, tuple(about["sections"]), tuple(about["domains"]))
    _check_memory(memory)
    network = Network(recipe)
    network.load_state_dict({name: tensors[WEIGHTS + name] for name in blank.state_dict()})
    return Detector(
        recipe, seed=about["seed"], false_alarm_rate=about["false_alarm_rate"]
    ).assemble(
        recipe,
        network.eval(),
        memory,
        BandStatistics(
            **{name: arrays[f"bands.{name}"] for name in BANDS},
            peak=float(arrays["bands.peak"]),
            count=clips,
        ),
        Healthy(arrays["healthy.digests"], arrays["healthy.seconds"], about["trained"]),
        (arrays["calibration"], arrays["calibration.together"]),
    )


def _of_format_1(tensors: Tensors) -> Tensors:
    """Return the tensors of a file that knew one view only, the learned one."""
    names = {
        "memory.references": f"memory.{LEARNED}.values",
        "memory.clips": f"memory.{LEARNED}.clips",
    }
    renamed = {names.get(name, name): tensor for name, tensor in tensors.items()}
    scores = {k: v[None] for k, v in renamed.items() if k.startswith("calibration")}
    return {**renamed, **scores}


def _expected(
    network: Network, clips: int, views: Sequence[str]
) -> dict[str, tuple[Shape, torch.dtype]]:
    """Return shape and type of every tensor in a file; any size fits where None stands."""
    bins, dims = len(network.transform.mean), network.embedding_size
    weights = network.state_dict().items()
    sizes = {name: dims if name == LEARNED else view_size(name, bins) for name in views}
    return {
        **{WEIGHTS + name: (tuple(tensor.shape), tensor.dtype) for name, tensor in weights},
        **{f"memory.{name}.values": ((None, size), torch.float32) for name, size in sizes.items()},
        **{f"memory.{name}.clips": ((None,), torch.int64) for name in views},
        "healthy.digests": ((clips,), torch.int64),
        "healthy.seconds": ((clips,), torch.float64),
        "bands.mean": ((bins,), torch.float32),
        "bands.std": ((bins,), torch.float32),
        "bands.rise": ((2, bins), torch.float32),
        "bands.fall": ((2, bins), torch.float32),
        "bands.peak": ((), torch.float64),
        "calibration": ((len(views), clips), torch.float64),
        "calibration.together": ((len(views), clips), torch.float64),
    }


def _check_about(about: dict[str, Any]) -> None:
    """Raise `DamageError` unless the description has exactly its parts, of their types."""
    _check_names(about, ABOUT)
    for name, kind in ABOUT.items():
        if type(about[name]) is not kind:
            raise DamageError(f"{name} is not of type {kind.__name__}")
    if about["format"] < 1 or not 0 < about["false_alarm_rate"] < 1:
        raise DamageError("a number out of range")
    if not all(isinstance(name, str) for name in [*about["sections"], *about["domains"]]):
        raise DamageError("a section or domain without a name")
    if not 0 < len(about["sections"]) == len(about["domains"]):
        raise DamageError("not as many domains as sections")


def _check_tensors(tensors: Tensors, expected: dict[str, tuple[Shape, torch.dtype]]) -> None:
    """Raise `DamageError` unless these tensors are there, of their shapes and types, finite."""
    _check_names(tensors, expected)
    for name, (shape, kind) in expected.items():
        tensor = tensors[name]
        sizes = zip(shape, tensor.shape, strict=False)
        if tensor.ndim != len(shape) or any(wanted not in (None, size) for wanted, size in sizes):
            raise DamageError(f"{name} has shape {tuple(tensor.shape)}")
        if tensor.dtype != kind:
            raise DamageError(f"{name} has type {tensor.dtype}")
        unlimited = name.startswith("calibration")  # the score of what nothing is compared with
        if not (tensor > -math.inf if unlimited else tensor.isfinite()).all():
            raise DamageError(f"{name} has a value that is not a number")


def _check_names(found: Collection[str], expected: Collection[str]) -> None:
    strange = sorted(set(found) ^ set(expected))
    if strange:
        problem = "is missing" if strange[0] in expected else "does not belong there"
        raise DamageError(f"{strange[0][:LONGEST_NAME]!r} {problem}")


def _check_memory(memory: Memory) -> None:
    """Raise `DamageError` unless every clip has its references, in order."""
    count = len(memory.sections)
    for name, view in memory.views.items():
        clips = view.clips
        whole = np.array_equal(np.unique(clips), np.arange(count)) and (np.diff(clips) >= 0).all()
        if len(clips) != len(view.values) or not whole:
            raise DamageError(f"memory.{name}.clips does not name every recording in order")
