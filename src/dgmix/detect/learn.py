"""From healthy recordings to a fitted detector, and from that to one that knows more of them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.audio.layout import Layout
from dgmix.audio.signals import signals_of
from dgmix.config import Recipe
from dgmix.detect.band import remarks
from dgmix.detect.conformal import check_is_rate
from dgmix.detect.duplicates import merge_copies
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.judgement import ANOMALY, UNUSABLE
from dgmix.detect.localize import BandStatistics
from dgmix.detect.memory import HealthyClips, Memory, Update, digests, durations
from dgmix.detect.quality import measures_of
from dgmix.detect.recordings import Sounds
from dgmix.detect.resolve import resolve, sample_rates
from dgmix.detect.views import represent
from dgmix.errors import InputError
from dgmix.progress import Advance, progress, say, silent

if TYPE_CHECKING:
    from dgmix.model.crops import TrainingCrops
    from dgmix.model.network import Network


def fit(
    healthy: Sounds,
    recipe: Recipe,
    *,
    seed: int = 0,
    false_alarm_rate: float = 0.05,
    cache: str | Path | None = None,
    device: str = "cpu",
) -> FittedDetector:
    """Return a detector that has learned from healthy recordings.

    They decide what the recipe leaves open. Recordings that hold the same sound count once. Raises
    `InputError` for recordings that cannot be used, and a false-alarm rate that is none.
    """
    from threadpoolctl import threadpool_limits

    check_is_rate(false_alarm_rate)
    recipe.encoder.weights_file()  # a missing file is reported before anything is decoded
    recipe = resolve(recipe, healthy)
    bank = healthy.bank(recipe, cache, os.cpu_count() or 1)
    for line in remarks(healthy.names, sample_rates(healthy), bank, recipe):
        say(line)
    network = _trained(healthy, bank, recipe, seed, device) if recipe.detect.learns else None
    with threadpool_limits(1, "blas"), progress("remembering", len(bank)) as advance:
        clips = healthy_clips(healthy, bank, recipe)
        clips = replace(clips, recordings=copies_of_one(bank, clips.recordings, recipe))
        fitted = remember(recipe, network, bank, clips, seed=seed, advance=advance)
        return replace(fitted, false_alarm_rate=false_alarm_rate)


def _trained(healthy: Sounds, bank: MelBank, recipe: Recipe, seed: int, device: str) -> Network:
    """Return a network that was trained on healthy recordings with features `bank`."""
    from dgmix.model.train import Run, train

    crops = training_crops(bank, recipe, healthy.sections, healthy.attributes, healthy.domains)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder), checkpoint_seconds=float("inf"), label="learning")
        return train(recipe, crops, seed, run, device)


def training_crops(
    bank: MelBank,
    recipe: Recipe,
    sections: Sequence[str],
    attributes: Sequence[str],
    domains: Sequence[str],
) -> TrainingCrops:
    """Return what a network learns from: the clips of a bank, each of its signals as a clip."""
    from dgmix.model.crops import TrainingCrops

    signals = bank.split(len(signals_of(recipe.audio)))
    return TrainingCrops.of(
        MelBank.joined(signals),
        list(sections) * len(signals),
        list(attributes) * len(signals),
        recipe.finetune.classes,
        list(domains) * len(signals),
    )


def remember(
    recipe: Recipe,
    network: Network | None,
    bank: MelBank,
    clips: HealthyClips,
    *,
    seed: int = 0,
    advance: Advance = silent,
) -> FittedDetector:
    """Return a detector with a trained network that remembers the healthy clips of `bank`."""
    memory = Memory(represent(recipe, network, bank, advance), clips)
    bands = statistics_of(bank, recipe)
    known = [channels for channels in bank.channels if channels]
    layout = Layout.of(map(len, known), known) if known else None
    return FittedDetector(
        recipe, network, memory, bands, trained=len(bank), seed=seed, layout=layout
    )


def statistics_of(bank: MelBank, recipe: Recipe) -> tuple[BandStatistics, ...]:
    """Return the levels of each signal of the clips of a bank."""
    signals = bank.split(len(signals_of(recipe.audio)))
    return tuple(BandStatistics.of(each, recipe) for each in signals)


def recordings_of(
    healthy: Sounds, recipe: Recipe, cache: str | Path | None = None
) -> tuple[str, ...]:
    """Return the recording (clip,) of each healthy clip; copies are of one."""
    bank = healthy.features(recipe, cache, os.cpu_count() or 1)
    return copies_of_one(bank, healthy_clips(healthy, bank, recipe).recordings, recipe)


def copies_of_one(bank: MelBank, recordings: Sequence[str], recipe: Recipe) -> tuple[str, ...]:
    """Return the recording (clip,) of each clip of a bank; copies are of one."""
    return tuple(merge_copies(bank.split(len(signals_of(recipe.audio))), recordings))


def healthy_clips(healthy: Sounds, bank: MelBank, recipe: Recipe) -> HealthyClips:
    """Return what is kept of healthy recordings with features `bank`.

    A recording without a name is known by its features, and one of no named condition is of the
    condition that its domain is.
    """
    numbers = digests(bank)
    own = [f"{number & (1 << 64) - 1:016x}" for number in numbers.tolist()]
    named = zip(healthy.recordings, own, strict=True)
    operating = zip(healthy.conditions, healthy.domains, strict=True)
    return HealthyClips(
        tuple(healthy.sections),
        tuple(healthy.domains),
        tuple(name or digest for name, digest in named),
        tuple(condition or domain for condition, domain in operating),
        numbers,
        durations(bank, recipe),
        measures_of(bank.qualities),
    )


def update(fitted: FittedDetector, more: Sounds, *, accept: bool = False) -> FittedDetector:
    """Return a detector that remembers more healthy recordings; the network stays.

    What the detector calls an anomaly, judged as a recording of a condition that it knows unless
    the conditions allow more, and what is unusable, is left out unless it is accepted. Recordings
    that it knows already are left out too. The update is listed in `updates` even where nothing was
    added.
    """
    memory, left_out = None, 0
    bands: tuple[BandStatistics, ...] = ()
    for part, bank in more.readable_banks(fitted.recipe):
        part.refuse_silent(bank)
        new = ~fitted.memory.clips.include(bank)
        faulty = new & (False if accept else _anomalous(fitted, part, bank))
        left_out += int(faulty.sum())
        chosen = np.flatnonzero(new & ~faulty)
        if len(chosen):
            kept = bank.select(chosen.tolist())
            clips = healthy_clips(part.select(chosen.tolist()), kept, fitted.recipe)
            recordings = copies_of_one(kept, clips.recordings, fitted.recipe)
            clips = replace(clips, recordings=recordings)
            views = represent(fitted.recipe, fitted.network, kept)
            memory = _joined(memory, Memory(views, clips))
            own = statistics_of(kept, fitted.recipe)
            pairs = zip(bands, own, strict=True)
            bands = tuple(one.merged(more) for one, more in pairs) if bands else own
    return with_update(fitted, memory, bands, left_out)


def undo_update(fitted: FittedDetector) -> FittedDetector:
    """Return the detector as it was before its last update. Raises `InputError` if there is
    none."""
    if not fitted.updates:
        raise InputError("this detector was never updated; there is nothing to undo")
    last = fitted.updates[-1]
    kept = np.arange(len(fitted.memory.clips) - last.added)
    return replace(
        fitted,
        memory=fitted.memory.select(kept),
        bands=fitted.bands[: -len(fitted.signals)] if last.added else fitted.bands,
        updates=fitted.updates[:-1],
    )


def with_update(
    fitted: FittedDetector,
    memory: Memory | None,
    bands: tuple[BandStatistics, ...],
    left_out: int,
) -> FittedDetector:
    """Return a detector that remembers `memory` too, where there is any, and lists the update.

    `bands` are the statistics of what joins, of each signal; `left_out` counts what did not.
    """
    time = datetime.now(UTC).isoformat(timespec="seconds")
    if memory is None:
        nothing = Update(time, 0, left_out, ())
        return replace(fitted, updates=(*fitted.updates, nothing)) if left_out else fitted
    conditions = tuple(sorted(set(memory.clips.conditions)))
    entry = Update(time, len(memory.clips), left_out, conditions)
    return replace(
        fitted,
        memory=fitted.memory.with_more(memory),
        bands=(*fitted.bands, *bands),
        updates=(*fitted.updates, entry),
    )


def _anomalous(fitted: FittedDetector, part: Sounds, bank: MelBank) -> NDArray[np.bool_]:
    """Return which recordings (clip,) are anomalies at the detector's own rate, or unusable."""
    promise = fitted.promise(None, part.sections)
    rate = fitted.rate(None, part.sections, promise)
    judgements = fitted.judge(bank, part.names, part.sections)
    refused = (ANOMALY, UNUSABLE)
    return np.array([each.verdict(rate, promise) in refused for each in judgements], bool)


def _joined(memory: Memory | None, more: Memory) -> Memory:
    return more if memory is None else memory.with_more(more)
