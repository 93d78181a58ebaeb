"""What can be plugged into dgmix: encoders, scorers, raw views, objectives, each by its name.

`OWN` lists dgmix's own. Others come from a program that gives the object itself, from a file of
Python code that the user names, or from an installed package, by its entry points. Nothing here is
imported before its name is looked up, and a detector or a run that somebody else made never brings
code with it (docs/decisions/0029-plugins.md).
"""

from __future__ import annotations

import importlib.util
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from inspect import signature
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from dgmix.errors import InputError, did_you_mean

Kind = Literal["encoders", "scorers", "views", "objectives"]
T = TypeVar("T")
OWN: dict[str, dict[str, str]] = {
    "encoders": {
        "mobilenetv2": "dgmix.model.encoders.mobilenetv2:MobileNetV2",
        "light": "dgmix.model.encoders.mobilenetv2:light",
        "statistics": "dgmix.model.encoders.statistics:Statistics",
        "temporal": "dgmix.model.encoders.temporal:TemporalFilters",
        "resnet": "dgmix.model.encoders.resnet:ResNet",
        "spectra": "dgmix.model.encoders.spectra:Spectra",
        "autoencoder": "dgmix.model.encoders.autoencoder:Autoencoder",
        "aisfx": "dgmix.model.encoders.aisfx:AiSFX",
        "beats": "dgmix.model.encoders.beats:BEATs",
        "eat": "dgmix.model.encoders.eat:EAT",
    },
    "objectives": {
        "sections": "dgmix.model.objectives.sections:MixedSections",
        "adacos": "dgmix.model.objectives.adacos:SubclusterAdaCos",
        "reconstruction": "dgmix.model.objectives.reconstruction:Reconstruction",
    },
    "views": {
        "logmel-mean": "dgmix.detect.views.levels:MEAN",
        "logmel-q90": "dgmix.detect.views.levels:Q90",
        "logmel-max": "dgmix.detect.views.levels:MAX",
        "logmel-min": "dgmix.detect.views.levels:MIN",
        "logmel-change": "dgmix.detect.views.levels:CHANGE",
        "logmel-rhythm": "dgmix.detect.views.rhythm:RHYTHM",
        "cepstrum": "dgmix.detect.views.cepstrum:CEPSTRUM",
    },
    "scorers": {
        "kriging": "dgmix.detect.scorers.kriging:Kriging",
        "knn": "dgmix.detect.scorers.nearest:Nearest",
        "mahalanobis": "dgmix.detect.scorers.mahalanobis:Mahalanobis",
        "density": "dgmix.detect.scorers.density:LocalDensity",
        "varmin": "dgmix.detect.scorers.varmin:VarianceMinimum",
        "daco": "dgmix.detect.scorers.daco:SoftDomains",
        "gmm": "dgmix.detect.scorers.gmm:GaussianMixture",
        "reconstruction": "dgmix.detect.scorers.errors:ReconstructionError",
        "selective-mahalanobis": "dgmix.detect.scorers.errors:SelectiveError",
    },
}
RESERVED = ("learned", "raw", "untrained", "vectors", "onnx")  # what settings call other things


class Own(Mapping[str, T]):
    """dgmix's own encoders, scorers, views or objectives by name, each imported when looked up."""

    def __init__(self, kind: Kind) -> None:
        self._places = OWN[kind]

    def __getitem__(self, name: str) -> T:
        return cast(T, pkgutil.resolve_name(self._places[name]))

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


@dataclass(frozen=True)
class Plugins:
    """What is plugged in beside dgmix's own: objects by name, and files of Python code.

    A file has dictionaries of the same names: `views = {"mine": f}`. It is run when a name is
    looked up that is none of the objects, in every process by itself. Raises `InputError` for a
    name that dgmix has itself, or that is no name.
    """

    encoders: Mapping[str, Any] = field(default_factory=dict)
    scorers: Mapping[str, Any] = field(default_factory=dict)
    views: Mapping[str, Any] = field(default_factory=dict)
    objectives: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for kind in OWN:
            check_names(cast(Kind, kind), getattr(self, kind), "plugins")

    @classmethod
    def of(cls, given: object) -> Plugins:
        """Return what is given as a list of files, or as a mapping of kinds and names to objects.

        Raises `InputError` for anything else.
        """
        if given is None or isinstance(given, Plugins):
            return given or NONE
        if isinstance(given, Mapping):
            for kind in given:
                if kind not in OWN:
                    raise InputError(f"plugins: {unknown('kind', str(kind), OWN)}")
            return replace(NONE, **given)
        files = [given] if isinstance(given, str | Path) else given
        if not isinstance(files, list | tuple) or not all(
            isinstance(each, str | Path) for each in files
        ):
            raise InputError(
                "plugins: give a list of Python files, or of each kind "
                f"({', '.join(OWN)}) a dictionary of objects by name"
            )
        return cls(files=tuple(map(str, files)))

    def __or__(self, other: Plugins) -> Plugins:
        """Return both; of two objects of one name the other's."""
        objects = {kind: {**getattr(self, kind), **getattr(other, kind)} for kind in OWN}
        return Plugins(**objects, files=tuple(dict.fromkeys([*self.files, *other.files])))

    def beside(self, folder: Path) -> Plugins:
        """Return these with files from `folder` on, where they are named by relative paths."""
        return replace(self, files=tuple(str(folder.absolute() / each) for each in self.files))

    def load(self) -> None:
        """Run the files. Raises `InputError` for one that is missing, fails or plugs nothing in."""
        for file in self.files:
            contents_of(file)

    def find(self, kind: Kind, name: str) -> Any:
        """Return what has a name. Raises `InputError`, with the most similar name, for none."""
        given = self._given(kind)
        if name in given:
            return given[name]
        if name in OWN[kind]:
            return Own[Any](kind)[name]
        if name in (packaged := installed(kind)):
            return _loaded(packaged[name])
        raise InputError(unknown(kind[:-1], name, self.names(kind)))

    def names(self, kind: Kind) -> list[str]:
        """Return every name that is known, dgmix's own first."""
        return list(dict.fromkeys([*OWN[kind], *self._given(kind), *installed(kind)]))

    def knows(self, kind: Kind, name: str) -> bool:
        """Return whether something has a name."""
        return name in OWN[kind] or name in self._given(kind) or name in installed(kind)

    def _given(self, kind: Kind) -> dict[str, Any]:
        objects: dict[str, Any] = dict(getattr(self, kind))
        for file in self.files:
            for name, each in contents_of(file)[kind].items():
                objects.setdefault(name, each)
        return objects


CLASSES = {
    "encoders": "(EncoderSettings, mel bands, frames), or of (EncoderSettings, samples)",
    "scorers": "(DetectSettings)",
    "objectives": "(FinetuneSettings, embedding size, classes)",
}
"""What a class of each kind is called with."""


def made(kind: Kind, name: str, build: Callable[..., T], *arguments: object) -> T:
    """Return what a class that is plugged in makes of arguments.

    Raises `InputError` for one that takes others.
    """
    try:
        with suppress(ValueError):  # builtins have no signature
            signature(build).bind(*arguments)
    except TypeError as error:
        raise InputError(
            f"{kind[:-1]} '{name}': a class is called with {CLASSES[kind]}, and this one takes "
            f"other arguments ({error}); give an object instead, which is used as it is "
            "(docs/plugins.md)"
        ) from error
    return build(*arguments)


def check_names(kind: Kind, objects: object, origin: str) -> None:
    """Raise `InputError` unless `objects` are by names that are free."""
    if not isinstance(objects, Mapping):
        raise InputError(f"{origin}: {kind} must be a dictionary of objects by name")
    for name in objects:
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][\w-]*", name):
            raise InputError(
                f"{origin}: '{name}' in {kind} is no name; take letters, digits, - and _"
            )
        if name in OWN[kind] or name in RESERVED or (kind == "views" and name == "dgmix"):
            raise InputError(f"{origin}: dgmix itself has '{name}' in {kind}; take another name")


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Return a sentence on a name that nothing has, with the most similar one, and all."""
    names = list(known)
    return f"there is no {what} '{name}'{did_you_mean(name, names)}; there are {', '.join(names)}"


def installed(kind: Kind) -> dict[str, EntryPoint]:
    """Return what installed packages plug in, by name: their entry points of `dgmix.<kind>`."""
    return _installed()[kind]


@cache
def _installed() -> dict[str, dict[str, EntryPoint]]:
    return {kind: {each.name: each for each in entry_points(group=f"dgmix.{kind}")} for kind in OWN}


def _loaded(entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except Exception as error:
        package = entry.dist.name if entry.dist else entry.module
        raise InputError(
            f"plug-in '{entry.name}' of the package {package} cannot be imported "
            f"({type(error).__name__}: {error})"
        ) from error


def contents_of(file: str) -> dict[str, dict[str, Any]]:
    """Return what a file of Python code plugs in, by kind and name; the file is run once.

    Raises `InputError` where it is missing, fails, or plugs nothing in.
    """
    path = Path(file).expanduser()
    if not path.is_file():
        raise InputError(f"{path}: there is no such file of plug-ins")
    return _contents(str(path.resolve()), path.stat().st_mtime_ns)


@cache
def _contents(path: str, changed: int) -> dict[str, dict[str, Any]]:
    name = f"dgmix_plugins_{Path(path).stem}_{abs(hash((path, changed))):x}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path}: not a file of Python code; call it something.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise InputError(f"{path}: failed: {type(error).__name__}: {error}") from error
    contents: dict[str, dict[str, Any]] = {kind: getattr(module, kind, {}) for kind in OWN}
    if not any(contents.values()):
        raise InputError(
            f"{path}: plugs nothing in; it needs a dictionary called {', '.join(OWN)}, for example "
            'views = {"mine": my_function}'
        )
    for kind, objects in contents.items():
        check_names(cast(Kind, kind), objects, path)
    return contents


def check_sendable(plugins: Plugins) -> None:
    """Raise `InputError` for objects that cannot be sent to the processes of a run."""
    import pickle

    for kind in OWN:
        for name, each in getattr(plugins, kind).items():
            try:
                pickle.dumps(each)
            except Exception as error:
                raise InputError(
                    f"plugins: the {kind[:-1]} '{name}' cannot be sent to the processes of a run "
                    f"({' '.join(str(error).split())}); put it in a file and give that: "
                    'plugins=["mine.py"]'
                ) from error


NONE = Plugins()
