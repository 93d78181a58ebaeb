"""Work on a Ray cluster of two nodes on this machine: the same results, also when one dies."""

from __future__ import annotations

import operator
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dgmix import cluster, pipeline
from dgmix.audio.io import Recording
from dgmix.cli import main
from dgmix.cluster import Cluster, Files, Here, connected
from dgmix.config import Recipe
from dgmix.detect.detector import Detector
from dgmix.detect.judgement import Judgement
from dgmix.detect.recordings import COLUMNS, SHARD, Sounds
from dgmix.detect.scoring import judging
from dgmix.detect.sources import named_sounds
from dgmix.detect.views import LEARNED
from dgmix.errors import DgmixError, InputError
from dgmix.model.distributed import TORCHRUN
from dgmix.units import Unit

ray = pytest.importorskip("ray")
PATIENCE = 60.0
MEMORY = {"object_store_memory": 80_000_000}


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """A cluster with two nodes of one core each, and a head that does no work."""
    from ray.cluster_utils import Cluster as Nodes

    noticed = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500}
    head = {"num_cpus": 0, "include_dashboard": False, "_system_config": noticed, **MEMORY}
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # Ray's own processes: slow
        nodes = Nodes(initialize_head=True, head_node_args=head)
        for _ in range(2):
            nodes.add_node(num_cpus=1, **MEMORY)
    yield nodes
    nodes.shutdown()


@pytest.fixture(scope="module")
def address(nodes: Any) -> str:
    return str(nodes.address)


@pytest.fixture
def workers(address: str) -> Iterator[Cluster]:
    with connected(address) as workers:
        yield workers


@pytest.fixture(scope="module")
def detector(
    tiny: Recipe, make_clips: Callable[..., list[Path]], tmp_path_factory: pytest.TempPathFactory
) -> Detector:
    detect = tiny.detect.model_copy(update={"views": [LEARNED, "logmel-mean", "logmel-change"]})
    recipe = tiny.model_copy(update={"detect": detect})
    return Detector(recipe, cache=tmp_path_factory.mktemp("cache")).fit(make_clips([0.6] * 9))


def until(there: Callable[[], bool]) -> None:
    """Wait for something that happens elsewhere."""
    last = time.monotonic() + PATIENCE
    while not there():
        assert time.monotonic() < last, "it did not happen"
        time.sleep(0.02)


# Runs


def test_a_run_has_the_same_results(
    address: str,
    finished: Path,
    tiny: Recipe,
    simulated: Path,
    shared_cache: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    output = pipeline.run(tiny, simulated, tmp_path, cache=shared_cache, device="cpu", ray=address)
    for name in ("results.csv", "fan/seed0/scores.csv", "valve/seed0/scores_untrained.csv"):
        assert (output / name).read_bytes() == (finished / name).read_bytes()
    out, err = capfd.readouterr()
    assert out == ""
    assert sorted(line.partition(":")[0] for line in err.splitlines()) == [
        "fan/seed0",
        "valve/seed0",
    ]
    assert err.endswith(": done (2/2)\n")


def test_a_run_completes_when_a_node_dies_in_the_middle(
    nodes: Any,
    finished: Path,
    tiny: Recipe,
    simulated: Path,
    shared_cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    trained = tmp_path / "trained"

    def complete_unit(unit: Unit) -> None:
        """Complete a unit, but the first time stop between training and scoring."""
        from dgmix import units

        if unit.label == "fan/seed0" and not trained.exists():

            def stop(*_: Any) -> None:
                new = trained.with_suffix(".new")
                new.write_text(ray.get_runtime_context().get_node_id())
                new.rename(trained)
                signal.pause()

            units.score_unit = stop
        units.complete_unit(unit)

    def kill_its_node() -> None:
        until(trained.exists)
        node = next(each for each in nodes.worker_nodes if each.node_id == trained.read_text())
        nodes.remove_node(node, allow_graceful=False)

    monkeypatch.setattr(pipeline, "complete_unit", complete_unit)
    killer = threading.Thread(target=kill_its_node)
    killer.start()
    try:
        output = pipeline.run(
            tiny, simulated, tmp_path / "run", cache=shared_cache, device="cpu", ray=nodes.address
        )
    finally:
        killer.join()
        left = len(nodes.worker_nodes)
        nodes.add_node(num_cpus=1, **MEMORY)
    assert left == 1
    assert (output / "results.csv").read_bytes() == (finished / "results.csv").read_bytes()
    assert "ray" not in "".join(capfd.readouterr())


def test_a_node_that_sees_other_folders_is_refused_before_any_work(
    address: str,
    tiny: Recipe,
    simulated: Path,
    shared_cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    look = cluster._size_and_time
    monkeypatch.setattr(
        cluster, "_size_and_time", lambda path: (7, 7) if "token" in str(path) else look(path)
    )
    with pytest.raises(InputError, match=r"run/\.token\..*sees another file there; .* all nodes"):
        pipeline.run(tiny, simulated, tmp_path / "run", cache=shared_cache, ray=address)
    assert not list(tmp_path.glob("run/**/log.jsonl"))
    assert not list(tmp_path.glob("run/.*"))


@pytest.mark.parametrize(
    ("jobs", "environment", "sentence"),
    [
        (2, {}, "^--jobs and --ray: choose one"),
        (None, dict.fromkeys(TORCHRUN, "2"), "^torchrun or srun, and --ray: choose one"),
    ],
)
def test_units_are_shared_out_in_one_way(
    jobs: int | None,
    environment: dict[str, str],
    sentence: str,
    tiny: Recipe,
    simulated: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=sentence):
        pipeline.run(tiny, simulated, tmp_path, jobs=jobs, ray="auto")


# Scoring


def test_scores_are_the_same_to_the_bit(
    address: str,
    detector: Detector,
    make_clips: Callable[..., list[Path]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lengths = np.random.default_rng(0).uniform(0.2, 0.7, 2 * SHARD + 7)
    paths = make_clips(lengths, seed=1)
    monkeypatch.chdir(paths[0].parent)
    Path("damaged.wav").write_bytes(b"no sound")
    names = [path.name for path in paths]
    recordings = named_sounds([*names[:5], "damaged.wav", "missing.wav", *names[5:]])
    signal_in_memory = Sounds(
        ["signal"], [Recording(np.full(9000, 0.1, np.float32), 16_000)], *[[""]] * 4
    )
    recordings = joined(recordings, signal_in_memory)
    here = judged(detector, recordings, None)
    there = judged(detector, recordings, address)
    assert [judgement.name for judgement in here] == [
        *names[:5],
        "damaged.wav",
        "missing.wav",
        *names[5:],
        "signal",
    ]
    assert [facts(judgement) for judgement in there] == [facts(judgement) for judgement in here]
    assert [judgement.error is None for judgement in here].count(False) == 2


def joined(first: Sounds, second: Sounds) -> Sounds:
    return Sounds(*(getattr(first, name) + getattr(second, name) for name in COLUMNS))


def judged(detector: Detector, recordings: Sounds, ray: str | None) -> list[Judgement]:
    with judging(detector.fitted_, recordings, ray=ray) as judgements:
        return list(judgements)


def facts(judgement: Judgement) -> tuple[object, ...]:
    return (
        *(judgement.name, repr(judgement.score), repr(judgement.p_known), repr(judgement.p_new)),
        *(judgement.learned, str(judgement.error)),
    )


def test_a_recording_that_a_node_sees_otherwise_is_refused(
    address: str,
    detector: Detector,
    make_clips: Callable[..., list[Path]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recordings = named_sounds([str(path) for path in make_clips([0.3] * 3)])
    look = cluster._size_and_time
    monkeypatch.setattr(
        cluster, "_size_and_time", lambda path: (7, 7) if "002" in str(path) else look(path)
    )
    with pytest.raises(InputError, match=r"clip_002\.wav: node .* sees another file there"):
        judged(detector, recordings, address)


# The cluster


def test_tasks_are_done_in_one_thread_each_where_this_process_is(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with connected(address) as workers:
        assert (workers.cores, workers.device) == (2, "cpu")
        futures = [workers.submit(work) for work in (torch.get_num_threads, os.getcwd, os.getpid)]
        threads, folder, process = (future.result() for future in futures)
    assert (threads, folder) == (1, str(tmp_path))
    assert process != os.getpid()


def test_what_a_task_raises_is_handed_over_as_it_is(
    address: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with connected(address) as workers:
        future: Future[None] = workers.submit(Files({"gone.wav": (1, 1)}).check)
        error = future.exception()
    del workers, future
    assert type(error) is InputError
    assert str(error).startswith("gone.wav: node ")
    assert isinstance(error.__cause__, ray.exceptions.RayTaskError)
    assert capfd.readouterr() == ("", "")


def test_a_task_that_always_loses_its_worker_is_given_up(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "RETRIES", 1)
    with connected(address) as workers:
        error = workers.submit(os._exit, 1).exception()
    assert type(error) is DgmixError
    assert str(error).startswith("given up after 1 retries: The worker died unexpectedly")


def test_a_shared_value_is_fetched_once_by_a_worker(workers: Cluster) -> None:
    shared = workers.share([])

    def longer() -> tuple[int, int]:
        shared.value.append("heard")
        return os.getpid(), len(shared.value)

    values = [future.result() for future in [workers.submit(longer) for _ in range(6)]]
    for process in {process for process, _ in values}:
        lengths = sorted(length for each, length in values if each == process)
        assert lengths == [*range(1, len(lengths) + 1)]
    assert max(length for _, length in values) >= 3


def test_an_interrupt_ends_the_tasks(address: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        occupied(address)
    with connected(address) as workers:
        assert workers.submit(operator.add, 1, 2).result(PATIENCE) == 3


def occupied(address: str) -> None:
    """Give each worker something that never ends, see it begin, and be interrupted."""
    with connected(address) as workers:
        for _ in range(workers.cores):
            workers.submit(signal.pause)
        until(lambda: not ray.available_resources().get("CPU"))
        raise KeyboardInterrupt


def test_a_connection_of_the_caller_is_used_and_stays(address: str) -> None:
    ray.init(address, log_to_driver=False, logging_level="ERROR")
    try:
        with pytest.raises(KeyboardInterrupt):
            occupied(address)
        with connected("not asked") as workers:
            assert workers.submit(operator.add, 1, 2).result(PATIENCE) == 3
        assert ray.is_initialized()
    finally:
        ray.shutdown()


def test_the_device_is_what_the_cluster_has(address: str) -> None:
    with pytest.raises(InputError, match=r"^--device cuda: no node .* has a GPU"):
        connected(address, "cuda").__enter__()
    with pytest.raises(InputError, match=r"^--device mps: with --ray it is cpu, or cuda"):
        connected(address, "mps").__enter__()
    assert not ray.is_initialized()


def test_a_node_needs_the_same_versions_and_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    here = Here.of([tmp_path / "a", tmp_path / "none"])
    here.check()
    versions = here.versions | {"torch": f"{(here.versions['torch'] or '').partition('+')[0]}+any"}
    Here(here.folder, versions, here.files).check()
    with pytest.raises(InputError, match=r"has dgmix 0.*, this machine 9\.9; install the same"):
        Here(here.folder, here.versions | {"dgmix": "9.9"}, here.files).check()
    (tmp_path / "none").write_text("")
    with pytest.raises(InputError, match=r"none: node .* sees another file there"):
        here.check()
    (tmp_path / "none").unlink()
    (tmp_path / "a").unlink()
    with pytest.raises(InputError, match=r"a: node .* sees no such file"):
        here.check()


def test_a_node_without_dgmix_is_named(workers: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_nothing", Unknown())
    with pytest.raises(
        InputError, match=r"^Ray node [\d.]+ cannot run dgmix \(.*nowhere.*\); inst"
    ):
        workers.require()


class Unknown:
    """Cannot be made where it has come to."""

    def __reduce__(self) -> Any:
        return __import__, ("nowhere",)


# No cluster


@pytest.mark.parametrize("address", ["", "nonsense", "127.0.0.1:1", "ray://127.0.0.1:1"])
def test_an_address_without_a_cluster_is_one_sentence(address: str) -> None:
    with pytest.raises(InputError, match=f"^--ray {address}: no cluster to work with .* or local$"):
        connected(address).__enter__()
    assert not ray.is_initialized()


def test_the_commands_say_so_before_they_write(
    detector: Detector,
    simulated: Path,
    shared_cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    detector.save(tmp_path / "pump.dgmix")
    score = ["score", tmp_path / "pump.dgmix", simulated, "--csv", tmp_path / "scores.csv"]
    run = ["run", "default", "-d", simulated, "-o", tmp_path / "run", "--cache", shared_cache]
    for command in (score, run):
        monkeypatch.setattr(sys, "argv", ["dgmix", *map(str, command), "--ray", "nonsense"])
        capsys.readouterr()
        with pytest.raises(SystemExit, match=r"^2$"):
            main()
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert err.startswith("dgmix: --ray nonsense: no cluster to work with (")
    assert not (tmp_path / "scores.csv").exists()
    assert not list(tmp_path.glob("run/*"))


def test_ray_that_is_not_installed_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"^--ray needs Ray: pip install 'dgmix\[cluster\]'$"):
        connected("auto").__enter__()
