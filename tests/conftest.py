"""What several test modules need."""

from __future__ import annotations

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side; before torch is imported

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from dgmix.audio.cache import FeatureStore, MelBank
from dgmix.audio.io import write_wav
from dgmix.cli import main
from dgmix.config import Recipe, parse_recipe
from dgmix.data.simulate import simulate
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.learn import healthy_clips, remember
from dgmix.detect.recordings import Sounds
from dgmix.model.network import Network
from dgmix.pipeline import run
from dgmix.progress import USUAL, speaking

RATE = 16_000
settings.register_profile(  # the same examples every time, on a busy machine too
    "dgmix", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("dgmix")


@pytest.fixture(autouse=True)
def as_a_command() -> Iterator[None]:
    """Progress and notes are shown as a command does; in a program they are logged."""
    with speaking(USUAL):
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real recordings, which are not part of this repository."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("DGMIX_TEST_DATA", beside))
    if not folder.is_dir():
        pytest.skip("the real recordings are not here; set DGMIX_TEST_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def tiny() -> Recipe:
    """A recipe whose training takes a second: a narrow encoder, few steps, small batches."""
    optimizer = {"name": "adamw", "lr": 0.01}
    stage = {"epochs": 2, "batch_size": 8, "crops_per_clip": 1, "optimizer": optimizer}
    return parse_recipe(
        {
            "features": {"n_mels": 32},
            "input": {"crop_seconds": 0.5},
            "encoder": {"width": 0.25},
            "pretrain": {**stage, "projector": [16, 16]},
            "finetune": stage,
            "precision": "float32",
            "detect": {"hop_seconds": 0.5},
            "evaluate": {"bootstrap": 50},
        },
        "tiny",
    )


@pytest.fixture(scope="session")
def make_clips(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[Path]]:
    """Write recordings of noise with a hum each; the same arguments give the same sound."""

    def make(seconds: Sequence[float], seed: int = 0) -> list[Path]:
        folder = tmp_path_factory.mktemp("clips")
        rng = np.random.default_rng(seed)
        paths = []
        for number, length in enumerate(seconds):
            time = np.arange(round(length * RATE)) / RATE
            hum = np.sin(2 * np.pi * (100 + 40 * (number % 5)) * time)
            sound = 0.1 * hum + 0.05 * rng.normal(size=len(time))
            paths.append(folder / f"clip_{number:03}.wav")
            write_wav(paths[-1], sound.astype(np.float32), RATE)
        return paths

    return make


@pytest.fixture(scope="session")
def make_bank(
    make_clips: Callable[..., list[Path]], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., MelBank]:
    """Return the features of recordings made by `make_clips`, by a recipe."""

    def make(recipe: Recipe, seconds: Sequence[float], seed: int = 0) -> MelBank:
        paths = make_clips(seconds, seed)
        store = FeatureStore(tmp_path_factory.mktemp("cache"), recipe.audio, recipe.features)
        store.add(paths)
        return store.open(paths)

    return make


@pytest.fixture(scope="session")
def remembered() -> Callable[..., FittedDetector]:
    """Return a detector with a network that remembers the clips of a bank."""

    def make(
        recipe: Recipe, network: Network, bank: MelBank, sections: Sequence[str]
    ) -> FittedDetector:
        count, empty = len(bank), [""] * len(bank)
        items = [np.zeros(1, np.float32)] * count
        clips = Sounds(empty, items, list(sections), ["source"] * count, empty, empty)
        return remember(recipe, network, bank, healthy_clips(clips, bank, recipe))

    return make


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set in DCASE form: fan and valve, two sections of 8 training and 12 test clips of 1 s."""
    folder = tmp_path_factory.mktemp("simulated") / "set"
    simulate(folder, machines=("fan", "valve"), sections=2, clips=8, test_clips=3, seconds=1.0)
    return folder


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for features that tests share, so that each clip is decoded once."""
    return tmp_path_factory.mktemp("features")


@pytest.fixture(scope="session")
def finished(
    tiny: Recipe, simulated: Path, shared_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of a finished run of `tiny` on `simulated`, to look at only."""
    output = tmp_path_factory.mktemp("finished") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dgmix.pipeline.worker_pool", workers_here)
        return run(tiny, simulated, output, cache=shared_cache, device="cpu")


class Here(Executor):
    """Runs what is submitted at once, in this process."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*args, **options))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def workers_here(*_: Any) -> Iterator[Executor]:
    yield Here()


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `dgmix.pipeline` complete its units in this process: no start of workers to wait for."""
    monkeypatch.setattr("dgmix.pipeline.worker_pool", workers_here)


class Done(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str


@pytest.fixture
def dgmix(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Call the command line in this process."""

    def call(*arguments: object) -> Done:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["dgmix", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return Done(end.value.code or 0, *capsys.readouterr())

    return call


@pytest.fixture
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let commands keep features in the test's own folder."""
    monkeypatch.setenv("DGMIX_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def load_script() -> Callable[[Path], ModuleType]:
    """Return the module of a file that no package holds."""

    def load(path: Path) -> ModuleType:
        spec = spec_from_file_location(path.stem, path)
        assert spec
        assert spec.loader
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
