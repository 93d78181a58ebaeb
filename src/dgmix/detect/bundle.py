"""`.dgmix` files: a whole detector in one safetensors file, from which nothing can run.

Tensors hold the weights, the memory and the calibration scores; the metadata holds one JSON text
under the key "dgmix", with the format version, the recipe and what the detector was trained on.
`_expected` and `ABOUT` list them all; beside them, since format 3, their checksum, "sha256".
Files of older formats are read as well (dgmix.detect.old_formats).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dgmix.audio.layout import Layout
from dgmix.audio.quality import MEASURES
from dgmix.audio.signals import signals_of
from dgmix.config import Recipe, parse_recipe
from dgmix.detect.damage import DamageError, Shape, check_memory, check_tensors, check_types
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.localize import BandStatistics
from dgmix.detect.memory import HealthyClips, Memory, Update
from dgmix.detect.old_formats import upgraded
from dgmix.detect.sensitivity import sensitivity_of
from dgmix.detect.summary import summary
from dgmix.detect.views import GIVEN, LEARNED, Vectors, find_view, names_of, view_of, view_size
from dgmix.errors import InputError
from dgmix.files import AUDIO_SUFFIXES, DECODER_SUFFIXES, atomic_path
from dgmix.plugins import Kind, Plugins

if TYPE_CHECKING:
    from dgmix.model.network import Network

FORMAT = 7
WEIGHTS = "network."
ABOUT = {
    "format": int,
    "version": str,
    "recipe": dict,
    "sections": list,
    "domains": list,
    "recordings": list,
    "conditions": list,
    "updates": list,
    "sensitivity": dict,
    "trained": int,
    "seed": int,
    "false_alarm_rate": float,
    "channels": dict,
    "feature_names": list,
}
COLUMNS = ("sections", "domains", "recordings", "conditions")
UPDATE = {"time": str, "added": int, "left_out": int, "conditions": list}
BANDS = ("mean", "std", "rise", "fall", "peak", "count")

Tensors = dict[str, NDArray[Any]]


def save_detector(fitted: FittedDetector, path: Path) -> None:
    """Write a detector to `path`, whole or not at all."""
    from safetensors.numpy import save

    tensors, about = _tensors(fitted), _about(fitted)
    with atomic_path(path) as temporary:
        whole = {**about, "sha256": _checksum(about, tensors)}
        temporary.write_bytes(save(tensors, metadata={"dgmix": json.dumps(whole)}))


def _tensors(fitted: FittedDetector) -> Tensors:
    memory, clips = fitted.memory, fitted.memory.clips
    arrays = {
        **_weights(fitted.network),
        **{f"memory.{name}.values": view.values for name, view in memory.views.items()},
        **{f"memory.{name}.clips": view.clips for name, view in memory.views.items()},
        "healthy.digests": clips.digests,
        "healthy.seconds": clips.seconds,
        "healthy.measures": clips.measures,
        **{f"bands.{name}": [getattr(each, name) for each in fitted.bands] for name in BANDS},
    }
    return {name: np.array(values, order="C") for name, values in arrays.items()}


def _weights(network: Network | None) -> Tensors:
    if network is None:
        return {}
    from dgmix.model.state import arrays_of

    return {WEIGHTS + name: values for name, values in arrays_of(network).items()}


def _about(fitted: FittedDetector) -> dict[str, Any]:
    from dgmix.version import __version__

    clips = fitted.memory.clips
    return {
        "format": FORMAT,
        "version": __version__,
        "recipe": recipe_of(fitted),
        **{name: list(getattr(clips, name)) for name in COLUMNS},
        "updates": [
            {**asdict(each), "conditions": list(each.conditions)} for each in fitted.updates
        ],
        "sensitivity": fitted.sensitivity.as_values() if fitted.sensitivity else {},
        "trained": fitted.trained,
        "seed": int(fitted.seed),
        "false_alarm_rate": float(fitted.false_alarm_rate),
        "channels": fitted.layout.values() if fitted.layout else {},
        "feature_names": list(fitted.feature_names),
    }


def recipe_of(fitted: FittedDetector) -> dict[str, Any]:
    """Return the recipe as plain values; of the file of weights that it began with, the name."""
    recipe = fitted.recipe.model_dump(mode="json")
    recipe["encoder"]["weights"] = Path(recipe["encoder"]["weights"]).name
    recipe["plugins"] = [Path(file).name for file in recipe["plugins"]]
    return recipe


def load_detector(
    path: Path,
    plugins: object = None,
    *,
    encoder: object = None,
    scorer: object = None,
) -> FittedDetector:
    """Return the detector that `save_detector` wrote to `path`.

    `plugins`, as `Plugins.of` takes them, are those that it needs and a file does not hold;
    `encoder` and `scorer` are its encoder and scorer, whatever they are called. Raises `InputError`
    if the file is missing, damaged, not a detector, or of a newer format, and where a plug-in is
    missing.
    """
    return _load(path, Plugins.of(plugins), encoder, scorer)[0]


def describe_detector(path: Path, plugins: object = None) -> dict[str, Any]:
    """Return what is inside a detector file, for people: a nested dictionary of plain values.

    Raises what `load_detector` raises.
    """
    fitted, about = _load(path, Plugins.of(plugins))
    versions = {"format": about["format"], "dgmix": about["version"], "seed": about["seed"]}
    return {**versions, **summary(fitted), "recipe": about["recipe"]}


def _load(
    path: Path, plugins: Plugins, encoder: object = None, scorer: object = None
) -> tuple[FittedDetector, dict[str, Any]]:
    tensors, about = _read(path)
    try:
        tensors, about = upgraded(tensors, about)
        _check_about(about)
        recipe = _recipe(about["recipe"], path, plugins, encoder, scorer)
        return _assemble(tensors, about, recipe), about
    except InputError as error:
        known = str(error).startswith(str(path))
        raise error if known else InputError(f"{path}: {error}") from error
    except DamageError as error:
        other = ", or not with the encoder that is given" if encoder is not None else ""
        raise InputError(f"{path}: a damaged detector ({error}){other}; make it again") from error
    except (LookupError, TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise InputError(f"{path}: a damaged detector; make it again") from error


def check_is_file(path: Path) -> None:
    """Raise `InputError` where there is no file, or a folder."""
    if path.is_dir():
        raise InputError(f"{path}: a folder; name the .dgmix file first")
    if not path.is_file():
        raise InputError(f"{path}: there is no such detector file; `dgmix fit` makes one")


def _read(path: Path) -> tuple[Tensors, dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    check_is_file(path)
    try:
        with safe_open(path, "np") as file:
            about = json.loads((file.metadata() or {})["dgmix"])
            _check_format(about, path)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            checksum = about.pop("sha256", None)
            if checksum is not None and checksum != _checksum(about, tensors):
                raise InputError(f"{path}: a damaged detector (its checksum); make it again")
            return tensors, about
    except (SafetensorError, LookupError, TypeError, ValueError, OSError, RecursionError) as error:
        if path.suffix.lower() in (*AUDIO_SUFFIXES, *DECODER_SUFFIXES):
            raise InputError(f"{path}: a recording; name the .dgmix file first") from error
        raise InputError(f"{path}: not a dgmix detector, or a damaged one") from error


def _checksum(about: dict[str, Any], tensors: Tensors) -> str:
    """Return the SHA-256 of a description and tensors, in hexadecimal."""
    checksum = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name in sorted(tensors):
        checksum.update(name.encode() + tensors[name].tobytes())
    return checksum.hexdigest()


def _check_format(about: dict[str, Any], path: Path) -> None:
    version = about["version"]
    if about["format"] > FORMAT:
        raise InputError(f"{path}: written by a newer dgmix ({version}); update dgmix to read it")


def _recipe(
    values: dict[str, Any], path: Path, plugins: Plugins, encoder: object, scorer: object
) -> Recipe:
    """Return the recipe of a file with the plug-ins that are given, none of its own.

    Raises `InputError` for the first that is missing.
    """
    own = {key: value for key, value in values.items() if key != "plugins"}
    recipe = parse_recipe(own, str(path), checked=False)
    given = {
        kind: {name: value}
        for kind, name, value in (
            ("encoders", recipe.encoder.name, encoder),
            ("scorers", recipe.detect.scorer, scorer),
        )
        if value is not None
    }
    recipe = recipe.model_copy(update={"plugins": plugins | Plugins.of(given)})
    recipe.plugins.load()
    for setting, kind, name in recipe.names():
        used = recipe.detect.learns if kind == "encoders" else setting.startswith("detect.")
        if used and not recipe.plugins.knows(kind, name):
            raise InputError(missing(kind, name, path, values.get("plugins")))
    return recipe


def missing(kind: Kind, name: str, path: Path, files: object) -> str:
    """Return a sentence on a plug-in that a detector needs: which, and how to give it."""
    last = f" It was in {', '.join(map(str, files))}." if isinstance(files, list) and files else ""
    views = f"views={{'{name}': ...}}"
    examples = {"encoders": "encoder=...", "scorers": "scorer=...", "views": views}
    example = examples.get(kind, "plugins=...")
    return (
        f"{path}: needs the {kind[:-1]} '{name}', which is code, and no file holds code; give it "
        "by --plugins FILE.py, `plugins: [FILE.py]` in watch.yaml, "
        f"Detector.load(path, {example}), or install its package.{last}"
    )


def _assemble(tensors: Tensors, about: dict[str, Any], recipe: Recipe) -> FittedDetector:
    names = names_of(recipe)
    clips = len(about["sections"])
    check_tensors(tensors, _expected(recipe, clips, tensors))
    views = {n: Vectors(tensors[f"memory.{n}.values"], tensors[f"memory.{n}.clips"]) for n in names}
    columns = {name: tuple(about[name]) for name in COLUMNS}
    healthy = HealthyClips(
        **columns,
        digests=tensors["healthy.digests"],
        seconds=tensors["healthy.seconds"],
        measures=tensors["healthy.measures"],
    )
    memory = Memory(views, healthy)
    check_memory(memory)
    return FittedDetector(
        recipe,
        _network(tensors, recipe),
        memory,
        _bands(tensors, len(signals_of(recipe.audio))),
        about["trained"],
        about["seed"],
        about["false_alarm_rate"],
        _updates(about, clips),
        sensitivity_of(about["sensitivity"]) if about["sensitivity"] else None,
        Layout.read(about["channels"]) if about["channels"] else None,
        _feature_names(about["feature_names"], views),
    )


def _network(tensors: Tensors, recipe: Recipe) -> Network | None:
    if not recipe.detect.learns:
        return None
    from dgmix.model.state import network_of

    return network_of(recipe, _held(tensors))


def _held(tensors: Tensors) -> Tensors:
    """Return the weights of the network by their names in it."""
    return {k.removeprefix(WEIGHTS): v for k, v in tensors.items() if k.startswith(WEIGHTS)}


def _bands(tensors: Tensors, signals: int) -> tuple[BandStatistics, ...]:
    """Return the statistics of each signal of the clips trained on, then of each update."""
    rows = zip(*(tensors[f"bands.{name}"] for name in BANDS), strict=True)
    bands = tuple(
        BandStatistics(mean, std, rise, fall, float(peak), int(count))
        for mean, std, rise, fall, peak, count in rows
    )
    if not bands or len(bands) % signals:
        raise DamageError("statistics of bands are missing")
    return bands


def _feature_names(names: list[Any], views: dict[str, Vectors]) -> tuple[str, ...]:
    """Return the names of given numbers; raises `DamageError` unless each has one, or none has."""
    size = views[GIVEN].values.shape[1] if GIVEN in views else 0
    if names and (
        len(set(map(str, names))) != size or not all(type(each) is str for each in names)
    ):
        raise DamageError("not one name for each number")
    return tuple(names)


def _updates(about: dict[str, Any], clips: int) -> tuple[Update, ...]:
    """Return the updates; raises `DamageError` unless they are of their form."""
    for entry in about["updates"]:
        if type(entry) is not dict:
            raise DamageError("an entry of updates is not a mapping")
        check_types(entry, UPDATE)
        if not (0 <= entry["added"] < clips and all(type(c) is str for c in entry["conditions"])):
            raise DamageError("an update has a value out of range")
    return tuple(
        Update(**{**entry, "conditions": tuple(entry["conditions"])}) for entry in about["updates"]
    )


def _expected(recipe: Recipe, clips: int, held: Tensors) -> dict[str, tuple[Shape, DTypeLike]]:
    """Return shape and type of every tensor in a file; any size fits where None stands."""
    views, bins = names_of(recipe), recipe.features.n_mels
    others = [name for name in views if view_of(name) not in (LEARNED, GIVEN)]
    raw = {name: find_view(view_of(name), recipe.plugins) for name in others}
    sizes: dict[str, int | None] = {name: view_size(view, bins) for name, view in raw.items()}
    sizes |= {GIVEN: None} if GIVEN in views else {}
    weights: Tensors = {}
    if recipe.detect.learns:
        from dgmix.model.state import blank_arrays

        weights, size = blank_arrays(recipe, _held(held))
        sizes |= {name: size for name in views if name not in sizes}
    return {
        **{WEIGHTS + name: (each.shape, each.dtype) for name, each in weights.items()},
        **{f"memory.{name}.values": ((None, size), np.float32) for name, size in sizes.items()},
        **{f"memory.{name}.clips": ((None,), np.int64) for name in views},
        "healthy.digests": ((clips,), np.int64),
        "healthy.seconds": ((clips,), np.float64),
        "healthy.measures": ((clips, len(MEASURES)), np.float64),
        "bands.mean": ((None, bins), np.float32),
        "bands.std": ((None, bins), np.float32),
        "bands.rise": ((None, 2, bins), np.float32),
        "bands.fall": ((None, 2, bins), np.float32),
        "bands.peak": ((None,), np.float64),
        "bands.count": ((None,), np.int64),
    }


def _check_about(about: dict[str, Any]) -> None:
    """Raise `DamageError` unless the description has exactly its parts, of their types."""
    check_types(about, ABOUT)
    if about["format"] < 1 or not 0 < about["false_alarm_rate"] < 1:
        raise DamageError("a number out of range")
    if not all(isinstance(value, str) for name in COLUMNS for value in about[name]):
        raise DamageError("a section, domain, recording or condition that is no text")
    if not about["sections"] or len({len(about[name]) for name in COLUMNS}) > 1:
        raise DamageError("not as many domains, recordings and conditions as sections")
