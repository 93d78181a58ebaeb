"""The units of a run: what one training is made of, and what becomes of it.

A unit is one machine type, one train/test split and one seed. It is done when its `scores.csv` is
there, which is written last. With the setting `together`, the units of a split and seed share the
network of one training on the clips of all of them: their teacher.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.cache import FeatureStore
from dgmix.config import Recipe
from dgmix.data.clip import Manifest
from dgmix.errors import InputError
from dgmix.model.distributed import ALONE, Ranks

if TYPE_CHECKING:
    from polars import DataFrame

    from dgmix.detect.fitted import FittedDetector
    from dgmix.model.crops import TrainingCrops
    from dgmix.model.network import Network

TOGETHER = "together"


@dataclass(frozen=True)
class Unit:
    """One training and what is scored with it; all that a worker process needs to know.

    `teacher` is the unit whose training it shares, if it has none of its own.
    """

    recipe: Recipe
    clips: Manifest
    seed: int
    folder: Path
    cache: Path
    device: str
    label: str
    teacher: Unit | None = None

    @property
    def store(self) -> FeatureStore:
        """Where the features of its clips are."""
        return FeatureStore(self.cache, self.recipe.audio, self.recipe.features)

    @property
    def done(self) -> bool:
        """Whether the unit's last file is there."""
        return (self.folder / "scores.csv").exists()


def plan(
    recipe: Recipe,
    clips: Manifest,
    seeds: Sequence[int],
    output: Path,
    cache: Path,
    device: str,
) -> list[Unit]:
    """Return the units of a run, in a fixed order.

    Raises `InputError` where a machine type has the name of the folder of what all share.
    """
    if recipe.together and TOGETHER in clips.values("machine"):
        raise InputError(
            f"{clips.root}: a machine type is called '{TOGETHER}', as the folder of the network "
            "that all types share; give it another name"
        )

    def unit(name: str, own: Manifest, repeat: int, seed: int, teacher: Unit | None = None) -> Unit:
        part = f"{name}/repeat{repeat}" if len(clips.repeats) > 1 else name
        label = f"{part}/seed{seed}"
        chosen = own.select(repeat=repeat)
        return Unit(recipe, chosen, seed, output / label, cache, device, label, teacher)

    places = [(repeat, seed) for repeat in clips.repeats for seed in seeds]
    teachers = {place: unit(TOGETHER, clips, *place) for place in places if recipe.together}
    return [
        unit(machine, clips.select(machine=machine), repeat, seed, teachers.get((repeat, seed)))
        for machine in clips.values("machine")
        for repeat in clips.select(machine=machine).repeats
        for seed in seeds
    ]


def shared_trainings(units: Sequence[Unit]) -> list[Unit]:
    """Return the trainings that several units share: their teachers, where a view is learned."""
    teachers = [unit.teacher for unit in units if unit.teacher and unit.recipe.detect.learns]
    return list({teacher.label: teacher for teacher in teachers}.values())


def complete_unit(unit: Unit, ranks: Ranks = ALONE) -> None:
    """Train one unit, score its test clips with every system, and write all its files.

    All of `ranks` call it alike: they train together, and the first does the rest.
    """
    known = Known.healthy(unit)
    learns = unit.recipe.detect.learns
    network = _trained(unit.teacher or unit, _crops(unit), ranks) if learns else None
    ranks.first_does(partial(score_unit, unit, known, network))


def train_unit(unit: Unit, ranks: Ranks = ALONE) -> None:
    """Train the network of a unit that others share, and leave it in the unit's checkpoint."""
    _trained(unit, _crops(unit), ranks)


def _crops(unit: Unit) -> TrainingCrops:
    """Return what the network of a unit learns from, or the one that it shares with others."""
    return Known.healthy(unit.teacher or unit).crops(unit.recipe)


def _trained(unit: Unit, crops: TrainingCrops, ranks: Ranks) -> Network:
    """Return the network of a unit, trained as far as it was not yet."""
    from dgmix.model.train import Run, train

    run = Run(unit.folder, label=unit.label, ranks=ranks)
    return train(unit.recipe, crops, unit.seed, run, unit.device)


def score_unit(unit: Unit, known: Known, network: Network | None) -> None:
    """Score the test clips of a unit with every system, and write its files, `scores.csv` last."""
    from dgmix.detect.bundle import save_detector
    from dgmix.evaluate.decisions import decide, write_decisions
    from dgmix.evaluate.scores import write_scores, write_submission

    recipe = unit.recipe
    test = Known(unit.store, unit.clips.select(split="test"))
    fitted = known.remembered(recipe, network, unit.seed)
    save_detector(fitted, unit.folder / "detector.dgmix")
    for name in recipe.evaluate.baselines:
        scores = _baseline_scores(name, unit, fitted, known, test)
        write_scores(unit.folder / f"scores_{name}.csv", test.scored(scores))
    if network is not None:
        from dgmix.detect.embed import embed_clips
        from dgmix.evaluate.report.embeddings import write_embeddings

        write_embeddings(unit.folder, embed_clips(recipe, network, test.bank))
    scored = test.scored(test.judged(fitted))
    write_submission(unit.folder, scored)
    write_decisions(unit.folder, decide(scored, fitted.decision_scores, known.sections))
    write_scores(unit.folder / "scores.csv", scored)


class Known:
    """Clips with their features and the columns that scoring needs."""

    def __init__(self, store: FeatureStore, clips: Manifest) -> None:
        self.clips = clips
        self.bank = store.open([clip.path for clip in clips])
        self.sections = [clip.section for clip in clips]
        self.domains = [clip.domain for clip in clips]

    @classmethod
    def healthy(cls, unit: Unit) -> Known:
        """Return the clips that a unit learns from."""
        return cls(unit.store, unit.clips.select(split="train", label="normal"))

    def crops(self, recipe: Recipe) -> TrainingCrops:
        """Return these clips to train with; a section is that of its machine type."""
        from dgmix.detect.learn import training_crops

        sections = [f"{clip.machine} {clip.section}" for clip in self.clips]
        attributes = [clip.attributes for clip in self.clips]
        return training_crops(self.bank, recipe, sections, attributes, self.domains)

    def remembered(self, recipe: Recipe, network: Network | None, seed: int) -> FittedDetector:
        """Return the detector that remembers these clips, with a network of this seed."""
        from dgmix.detect.learn import healthy_clips, remember
        from dgmix.detect.recordings import of_clips

        clips = healthy_clips(of_clips(self.clips), self.bank, recipe)
        return remember(recipe, network, self.bank, clips, seed=seed)

    def judged(self, fitted: FittedDetector) -> NDArray[np.float64]:
        """Return the scores (clip,) that a detector gives these clips."""
        names = [str(clip.path) for clip in self.clips]
        judgements = fitted.judge(self.bank, names, self.sections)
        return np.array([each.score for each in judgements], np.float64)

    def scored(self, scores: NDArray[np.float64]) -> DataFrame:
        """Return the table of these clips with their scores (clip,)."""
        import polars

        rows = [
            (self.clips.shown_path(c), c.machine, c.section, c.domain, c.split, c.label)
            for c in self.clips
        ]
        columns = ["path", "machine", "section", "domain", "split", "label"]
        table = polars.DataFrame(rows, schema=columns, orient="row")
        return table.with_columns(polars.Series("score", scores, polars.Float64))


def _baseline_scores(
    name: str, unit: Unit, fitted: FittedDetector, known: Known, test: Known
) -> NDArray[np.float64]:
    """Return the scores (clip,) of a baseline: a part of `fitted`, or a system of its own."""
    from dgmix.detect.baselines import nearest_scores
    from dgmix.detect.views import LEARNED, find_view

    if name == "untrained":
        from dgmix.model.train import untrained

        detect = unit.recipe.detect.model_copy(update={"views": [LEARNED]})
        recipe = unit.recipe.model_copy(update={"detect": detect})
        network = untrained(recipe, _crops(unit), unit.seed, unit.device)
        return test.judged(known.remembered(recipe, network, unit.seed))
    if name not in ("learned", "raw"):  # as published: the distance to the section's nearest clip
        training, vectors = find_view(name, unit.recipe.plugins)(known.bank, test.bank)
        return nearest_scores(training, known.sections, vectors, test.sections)
    learned = name == "learned"
    views = [view for view in unit.recipe.detect.views if (view == LEARNED) == learned]
    return test.judged(fitted.with_views(views))
