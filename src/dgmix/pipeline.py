"""`dgmix run`: cache, train, embed, score, tabulate; it can be stopped and continued anywhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from dgmix.audio.cache import default_folder
from dgmix.claims import claim, claims, refuse_another
from dgmix.cluster import Cluster, connected
from dgmix.config import Recipe, dump_recipe, load_recipe, read_recipe, recipe_origin
from dgmix.data import load_manifest
from dgmix.data.clip import Manifest
from dgmix.detect.plugging import plugged
from dgmix.detect.recordings import of_clips
from dgmix.detect.resolve import resolve
from dgmix.errors import DgmixError, InputError, choices
from dgmix.files import make_folder, remove_unfinished, token, write_text
from dgmix.model.device import chosen_device
from dgmix.model.distributed import Ranks, joined, launched
from dgmix.plugins import check_sendable
from dgmix.progress import detail, say
from dgmix.units import Unit, complete_unit, plan, shared_trainings, train_unit
from dgmix.workers import WorkerPool, use_one_thread, worker_pool

DEMO: dict[str, Any] = {"sections": 3, "clips": 40}
QUICK_DEMO: dict[str, Any] = {
    "machines": ("fan", "valve"),
    "sections": 2,
    "clips": 20,
    "seconds": 4.0,
}
"""What `demo` simulates; arguments of `dgmix.data.simulate.simulate`."""
QUICK_CHANGES = ("pretrain.min_steps=30", "pretrain.max_steps=30")


def run(
    recipe: str | Path | Recipe,
    data: str | Path,
    output: str | Path,
    *,
    machines: Sequence[str] = (),
    seeds: Sequence[int] = (0,),
    changes: Sequence[str] = (),
    jobs: int | None = None,
    cache: str | Path | None = None,
    device: str | None = None,
    ray: str | None = None,
    plugins: object = None,
) -> Path:
    """Run a recipe on a data set and return the run's folder, with tables and report in it.

    `recipe` is the name of one that ships with dgmix, a YAML file, or a `Recipe`; `changes` are
    `key=value` texts. `machines` limits the run to these; `jobs` is the number of processes (all
    cores by default, one on a GPU). What an earlier call with the same settings finished is kept.
    Processes that torchrun, Slurm or the caller has started together train every unit together
    (docs/decisions/0014-data-parallel.md). With `ray`, the address of a Ray cluster as
    `dgmix.cluster.connected` takes it, its nodes complete the units (docs/clusters.md). `plugins`
    are what the recipe may name beside dgmix's own: objects by kind and name, or files of Python
    code (docs/plugins.md).

    Raises `InputError` for unusable input and `DgmixError` when a part of the work failed.
    """
    if ray is not None:
        _refuse_other_fan_out(jobs)
    settings = plugged(recipe, changes=changes, plugins=plugins)
    made_of = _made_of(recipe, settings, data)
    settings, clips = resolved(settings, data, machines)
    store_folder = Path(cache) if cache else default_folder()
    with ExitStack() as stack:
        cluster = None if ray is None else stack.enter_context(connected(ray, device))
        device = cluster.device if cluster else chosen_device(device, networks=settings.has_network)
        detail(f"device: {device}")
        output = make_folder(output)
        units = plan(settings, clips, seeds, output, store_folder, device)
        pending = [unit for unit in units if not unit.done]
        teachers = shared_trainings(units)
        claimed = claims(output, settings, {u.folder: u.clips for u in [*teachers, *units]})
        refuse_another(claimed)
        ranks = stack.enter_context(joined(device))
        if cluster and ranks.size > 1:
            raise InputError("a process group and --ray: choose one of them; Ray starts once")
        ranks.agree(dump_recipe(settings), [unit.label for unit in pending])
        check_sendable(settings.plugins)
        if pending:
            ranks.first_does(partial(_prepare, pending, claimed, output, made_of))
            if ranks.size > 1:
                complete_by_ranks(teachers, ranks, train_unit)
                complete_by_ranks(pending, ranks, complete_unit)
            else:
                with _workers(pending, output, jobs, cluster) as pool:
                    complete(teachers, pool, train_unit)
                    complete(pending, pool, complete_unit)
        ranks.first_does(partial(_judge_once, output, settings))
    return output


def _made_of(recipe: str | Path | Recipe, settings: Recipe, data: str | Path) -> dict[str, Any]:
    """Return what the record of a run says of its recipe, and of where its data are."""
    base = "" if isinstance(recipe, Recipe) else recipe
    origin = recipe_origin(settings.model_dump(mode="json"), base)
    detail(f"recipe: {origin}")
    return {"recipe": origin._asdict(), "data": os.path.abspath(data)}  # noqa: PTH100 - links count


def demo(output: str | Path, *, quick: bool = False, jobs: int | None = None) -> Path:
    """Simulate a small set of machines, run the `demo` recipe on it, return the run's folder.

    A `quick` set has two machine types and short clips.
    """
    from dgmix.data.simulate import simulate

    output = make_folder(output)
    cores = jobs or os.cpu_count() or 1
    simulate(output / "data", **(QUICK_DEMO if quick else DEMO), jobs=cores)
    return run(
        "demo",
        output / "data",
        output / "run",
        changes=QUICK_CHANGES if quick else (),
        jobs=jobs,
        cache=output / "cache",
        device="cpu",
    )


def summary(run: Path) -> str:
    """Return a few lines on the result of a finished run: Ω of each system."""
    from dgmix.evaluate.scores import read_run
    from dgmix.evaluate.tables import summary_text

    return summary_text(read_run(run), read_recipe(run / "recipe.yaml").evaluate)


def summary_values(run: Path) -> dict[str, dict[str, Any]]:
    """Return the official metrics of each system of a finished run, fractions, for programs."""
    from dgmix.evaluate.scores import read_run
    from dgmix.evaluate.tables import summary_values

    return summary_values(read_run(run), load_recipe(run / "recipe.yaml").evaluate)


def resolved(recipe: Recipe, data: str | Path, machines: Sequence[str]) -> tuple[Recipe, Manifest]:
    """Return the recipe of a run, which may depend on the recordings, and the clips of it.

    Says what of the data is left out. Raises `InputError` where the clips are not enough, or the
    recipe's weights are not there.
    """
    manifest = load_manifest(data)
    for line in manifest.left_out:
        say(f"left out: {line}")
    clips = chosen_machines(manifest, machines)
    if recipe.detect.per_section:
        check_sections(clips)
    if recipe.together and not recipe.detect.learns:
        say("together: no view of this recipe is learned, so no network is trained")
    recipe.encoder.weights_file()  # refused before anything is written
    return resolve(recipe, of_clips(clips.select(split="train", label="normal"))), clips


def chosen_machines(clips: Manifest, machines: Sequence[str]) -> Manifest:
    """Return the clips of `machines` (of all, if none is named), checked to be enough.

    Raises `InputError` for a machine that is not there, and for one without normal training clips
    or without test clips.
    """
    there = clips.values("machine")
    for machine in machines:
        if machine not in there:
            raise InputError(
                f"{clips.root}: there is no machine '{machine}'{choices(machine, there)}"
            )
    kept = Manifest([c for c in clips if not machines or c.machine in machines], clips.root)
    for machine in kept.values("machine"):
        for repeat in kept.select(machine=machine).repeats:
            own = kept.select(machine=machine, repeat=repeat)
            if not own.select(split="train", label="normal"):
                raise InputError(
                    f"{clips.root}: no normal training clips of machine '{machine}'; put them in a "
                    "folder 'train', or list all clips in a CSV table (path,split,label)"
                )
            if not own.select(split="test"):
                raise InputError(
                    f"{clips.root}: no test clips of machine '{machine}' to score; a benchmark "
                    "needs labelled ones, recordings of your own need `dgmix fit`"
                )
    return kept


def check_sections(clips: Manifest) -> None:
    """Raise `InputError` for a section that has test clips but no normal training clips."""
    normal = clips.select(split="train", label="normal")
    known = {(clip.machine, clip.repeat, clip.section) for clip in normal}
    for clip in clips.select(split="test"):
        if (clip.machine, clip.repeat, clip.section) not in known:
            raise InputError(
                f"{clip.path}: no normal training clips of section '{clip.section}' of machine "
                f"'{clip.machine}'; add some, or set detect.per_section=false"
            )


def complete(units: Sequence[Unit], pool: Executor, work: Callable[[Unit], None]) -> None:
    """Do `work` with units, `complete_unit` say, in the workers of `pool`, which have one thread.

    One thread each is fastest where there are several units, and makes the numbers independent of
    how many workers there are (docs/decisions/0002-one-thread-per-unit.md). When some fail, the
    others are still completed before the first error is raised; not so when a worker dies.
    """
    failures: list[tuple[Unit, Exception]] = []
    futures = {pool.submit(work, unit): unit for unit in units}
    for number, future in enumerate(as_completed(futures), 1):
        unit = futures[future]
        error = future.exception()
        if error is None:
            say(f"{unit.label}: done ({number}/{len(units)})")
        elif isinstance(error, Exception):
            failures.append((unit, error))
    deaths = pool.deaths() if failures and isinstance(pool, WorkerPool) else []
    if deaths:
        unit, _ = failures[0]
        failures = [(futures[f] if f else unit, DgmixError(cause)) for f, cause in deaths]
    if failures:
        unit, error = failures[0]
        if isinstance(error, InputError):
            raise error
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DgmixError(f"{unit.label}: {reason}") from error


@contextmanager
def _workers(
    units: Sequence[Unit], output: Path, jobs: int | None, cluster: Cluster | None
) -> Iterator[Executor]:
    """Yield processes of this machine, `jobs` or one a core (or GPU); or the nodes of a cluster.

    Nodes are seen to share the run's folder, the cache, the data and the weights to start from.
    """
    first = units[0]
    if cluster:
        recordings = [unit.clips[0].path for unit in units]
        weights = first.recipe.encoder.weights_file()
        with token(output) as in_output, token(first.cache) as in_cache:
            cluster.require([in_output, in_cache, *recordings, *filter(None, [weights])])
            yield cluster
    else:
        cores = 1 if first.device.startswith("cuda") else os.cpu_count() or 1
        with worker_pool(min(jobs or cores, len(units)), use_one_thread) as pool:
            yield pool


def complete_by_ranks(
    units: Sequence[Unit], ranks: Ranks, work: Callable[[Unit, Ranks], None]
) -> None:
    """Do `work` with units, one after another, each by all of `ranks` with one thread each."""
    from threadpoolctl import threadpool_limits

    from dgmix.model.threads import TORCH

    for number, unit in enumerate(units, 1):
        with TORCH.one(), threadpool_limits(1):
            work(unit, ranks)
        say(f"{unit.label}: done ({number}/{len(units)})")


def judge(output: Path, recipe: Recipe) -> None:
    """Write `results.csv`, `results.md` and `report.html` of all that a run has scored so far."""
    from dgmix.evaluate.report import write_report
    from dgmix.evaluate.rules import first_shot_notes, year_notes, year_of_scores
    from dgmix.evaluate.scores import read_run
    from dgmix.evaluate.tables import results_csv, results_markdown

    scores = read_run(output)
    write_text(output / "results.csv", results_csv(scores))
    remarks = [*year_notes(scores), *first_shot_notes(output, year_of_scores(scores))]
    write_text(output / "results.md", results_markdown(scores, recipe.evaluate, remarks))
    write_report(output)


def _judge_once(output: Path, recipe: Recipe) -> None:
    if not (output / "report.html").exists():
        judge(output, recipe)


def _refuse_other_fan_out(jobs: int | None) -> None:
    """Raise `InputError` where units are to be shared out in another way than by Ray too."""
    if jobs is not None:
        raise InputError("--jobs and --ray: choose one of them; Ray fills the cores of its nodes")
    if launched(os.environ):
        raise InputError("torchrun or srun, and --ray: choose one of them; Ray starts once")


def _prepare(
    units: Sequence[Unit], claimed: Mapping[Path, str], output: Path, made_of: Mapping[str, Any]
) -> None:
    """Decode the clips of `units`, write what the run is made of, and clear away leftovers."""
    unit = units[0]
    paths = dict.fromkeys(clip.path for each in units for clip in each.clips)
    for path, note in unit.store.add(paths, os.cpu_count() or 1).items():
        say(f"{path}: {note}")
    claim(output, claimed, made_of)
    remove_unfinished(output)
    for folder in {path.parent for path in claimed} - {output}:
        remove_unfinished(folder, below=True)
