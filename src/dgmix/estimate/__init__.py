"""What a run would take on this machine, before it is started: `dgmix run --dry-run`.

Units, trainings, steps and recordings are counted; seconds and bytes are measured on a few clips
and multiplied.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dgmix.audio.cache import default_folder
from dgmix.config import Recipe
from dgmix.detect.plugging import plugged
from dgmix.estimate import counting, trial
from dgmix.model.device import chosen_device
from dgmix.model.steps import RECALIBRATION_BATCHES, steps_per_epoch
from dgmix.pipeline import judge, resolved
from dgmix.units import Unit, plan


@dataclass(frozen=True)
class RunEstimate:
    """What a run would take, without what an earlier call has done.

    `units`, `done`: machines × splits × seeds, and how many of them are done; `trainings`: networks
    to train; `steps`: of all of them, by stage; `recordings`: to decode. `seconds`: of one core, by
    part of the work; `wall_seconds`: with `processes` of them. `feature_bytes`: what is to be added
    to the cache; `run_bytes`: to the run's folder; `free_bytes`: of their disks, the fuller one.
    """

    units: int
    done: int
    trainings: int
    steps: dict[str, int]
    recordings: int
    processes: int
    seconds: dict[str, float]
    wall_seconds: float
    feature_bytes: int
    run_bytes: int
    free_bytes: int

    @property
    def minutes(self) -> float:
        """How long it would take, in minutes."""
        return self.wall_seconds / 60

    def values(self) -> dict[str, Any]:
        """Return all of it by name, as values that JSON has."""
        return {**asdict(self), "minutes": self.minutes}

    def text(self) -> str:
        """Return it in a few lines."""
        steps = ", ".join(f"{number} steps of {stage}" for stage, number in self.steps.items())
        parts = ", ".join(f"{part} {_clock(spent)}" for part, spent in self.seconds.items())
        return "\n".join(
            [
                f"units:       {self.units}, of which {self.done} are done",
                f"trainings:   {self.trainings}{f', {steps}' if steps else ''}",
                f"to decode:   {self.recordings} recordings",
                f"disk:        {_size(self.feature_bytes)} of features, "
                f"{_size(self.run_bytes)} in the run's folder; {_size(self.free_bytes)} are free",
                f"about {_clock(self.wall_seconds)} with {self.processes} at a time on this machine"
                f"{f' (of one core: {parts})' if parts else ''}",
            ]
        )


def estimate_run(
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
    plugins: object = None,
) -> RunEstimate:
    """Return what `dgmix.run` with these arguments would take, measured in some seconds.

    Nothing is written but to folders that are thrown away. Raises `InputError` where `run` would.
    """
    settings = plugged(recipe, changes=changes, plugins=plugins)
    settings, clips = resolved(settings, data, machines)
    store = Path(cache) if cache else default_folder()
    device = chosen_device(device, networks=settings.has_network)
    units = plan(settings, clips, seeds, Path(output), store, device)
    pending = [unit for unit in units if not unit.done]
    cores = 1 if device.startswith("cuda") else os.cpu_count() or 1
    processes = max(1, min(jobs or cores, len(pending)))
    trainings = counting.trainings(pending)
    steps: Counter[str] = Counter()
    for each in trainings:
        steps.update(counting.steps(each))
    missing = _missing(pending)
    work = Work(pending, trainings, missing) if pending else None
    return RunEstimate(
        units=len(units),
        done=len(units) - len(pending),
        trainings=len(trainings) * settings.encoder.ensemble,
        steps=dict(steps),
        recordings=len(missing),
        processes=processes,
        seconds=work.seconds if work else {},
        wall_seconds=work.wall_seconds(processes) if work else 0.0,
        feature_bytes=work.feature_bytes if work else 0,
        run_bytes=work.run_bytes if work else 0,
        free_bytes=min(_free(store), _free(Path(output))),
    )


class Work:
    """What units that are not done, and their trainings, would take; measured."""

    def __init__(
        self, units: Sequence[Unit], trainings: Sequence[Unit], missing: Sequence[str]
    ) -> None:
        self.units, self.trainings = units, trainings
        self.costs = trial.measured(units[0])
        decoding, feature_bytes = trial.decoding(units, missing)
        self.feature_bytes = round(feature_bytes)
        self.train = {each.label: self._training(each) for each in trainings}
        recipe = units[0].recipe
        largest = max(units, key=lambda unit: len(counting.healthy(unit)))
        self._comparison_seconds, self._query_seconds = trial.comparing(recipe, largest)
        self._comparable = len(counting.healthy(largest))
        self.score = {unit.label: self._scoring(unit) for unit in units}
        self.seconds = {
            "decoding": decoding,
            "training": sum(self.train.values()),
            "scoring": sum(self.score.values()),
            "tables": trial.tabulating(units, judge),
            "starting": trial.starting(recipe.has_network),
        }

    def wall_seconds(self, processes: int) -> float:
        """Return the seconds that the work takes with so many processes."""
        cores = os.cpu_count() or 1
        fixed = self.seconds["tables"] + 2 * self.seconds["starting"]
        shared = {unit.teacher.label for unit in self.units if unit.teacher}
        alone = [s + self.train.get(label, 0.0) for label, s in self.score.items()]
        first = [seconds for label, seconds in self.train.items() if label in shared]
        decoding = self.seconds["decoding"] / cores
        return decoding + fixed + _shared_out(first, processes) + _shared_out(alone, processes)

    @property
    def run_bytes(self) -> int:
        """The bytes that the files of the run take."""
        clips = sum(len(unit.clips) for unit in self.units)
        ensembles = len(self.trainings) * self.units[0].recipe.encoder.ensemble
        own = self.costs.clip_bytes * clips + self.costs.unit_bytes * len(self.units)
        return round(own + self.costs.training_bytes * ensembles)

    def _training(self, training: Unit) -> float:
        recipe, total = training.recipe, 0.0
        for stage, steps in counting.steps(training).items():
            settings = getattr(recipe, stage)
            total += steps * settings.batch_size * self.costs.crop.get(stage, 0.0)
        return total + self._recalibration(training)

    def _recalibration(self, training: Unit) -> float:
        """Return the seconds in which batch norms are recomputed, once for each network."""
        recipe = training.recipe
        if not recipe.recalibrate:
            return 0.0
        in_epoch = steps_per_epoch(len(counting.healthy(training)), recipe.pretrain)
        crops = min(RECALIBRATION_BATCHES, in_epoch) * recipe.pretrain.batch_size
        return crops * self.costs.forward * recipe.encoder.ensemble

    def _scoring(self, unit: Unit) -> float:
        """Return the seconds of scoring a unit: its clips by number, and the comparisons."""
        healthy, count = len(counting.healthy(unit)), len(unit.clips)
        baselines = unit.recipe.evaluate.baselines
        compared = 1 + sum(name in ("learned", "raw", "untrained") for name in baselines)
        part = healthy / self._comparable
        queries = self._query_seconds * part * (count - healthy)
        comparing = self._comparison_seconds * part**2 + queries
        again = self._recalibration(unit) if "untrained" in baselines else 0.0
        return self.costs.unit + self.costs.clip * count + compared * comparing + again


def _shared_out(durations: Sequence[float], processes: int) -> float:
    """Return the seconds that so many processes take for work of these durations, in order."""
    busy = [0.0] * processes
    for seconds in durations:
        busy[busy.index(min(busy))] += seconds
    return max(busy)


def _missing(units: Sequence[Unit]) -> list[str]:
    if not units:
        return []
    paths = dict.fromkeys(clip.path for unit in units for clip in unit.clips)
    return units[0].store.missing(paths, os.cpu_count() or 1)


def _free(folder: Path) -> int:
    """Return the bytes that are free on the disk where a folder is or is to be."""
    there = next(each for each in [folder.absolute(), *folder.absolute().parents] if each.exists())
    return shutil.disk_usage(there).free


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _clock(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
