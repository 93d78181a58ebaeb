"""One recording to hear and see, with the nearest healthy one beside it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import IOBase
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from dgmix.audio.playback import data_uri
from dgmix.detect.forms import decisive
from dgmix.evaluate.report.listening import unusual
from dgmix.evaluate.report.listening.excerpt import Excerpt, around, most_like, whole
from dgmix.evaluate.report.listening.figures import Ranges, overview, sound_picture
from dgmix.evaluate.report.listening.scored import Scored
from dgmix.evaluate.report.listening.unusual import Region
from dgmix.evaluate.report.parts import drawn
from dgmix.evaluate.report.svg import with_minus
from dgmix.progress import progress

if TYPE_CHECKING:
    from dgmix.config import Recipe
    from dgmix.detect.fitted import FittedDetector
    from dgmix.detect.forms import Terms
    from dgmix.detect.recordings import Sounds

LOUDEST = 0.9
MOST_GAIN = 30.0
LEAST_SURPRISE = 1.2
LEAST_RANGE, MOST_RANGE = 20.0, 70.0


@dataclass(frozen=True)
class Side:
    """A recording as a player and a picture; `note` says which part of it they are of.

    `overview` is a figure of all of the recording where they are of a part.
    """

    name: str
    note: str
    sound: str
    label: str
    picture: Markup
    overview: Markup | None = None


@dataclass(frozen=True)
class Card:
    """A scored recording in sentences, and its sides: itself and its nearest healthy one."""

    rank: int
    recording: Scored
    verdict: str
    sentences: Sequence[str]
    sides: Sequence[Side]
    scales: str


@dataclass(frozen=True)
class Shown:
    """A recording with what is shown of it."""

    name: str
    everything: Excerpt
    excerpt: Excerpt
    region: Region


def cards(
    fitted: FittedDetector,
    recordings: Sounds,
    top: Sequence[Scored],
    healthy: Sounds | None,
    terms: Terms,
    cache: str | Path | None = None,
) -> Iterator[Card]:
    """Yield a card for each of the `top` among the recordings.

    Without `healthy` recordings a card has one side; `cache` is the folder for their features.
    """
    partners = (
        _nearest(fitted, recordings, top, healthy, cache) if healthy and top else [-1] * len(top)
    )
    with progress("pictures and sound", len(top)) as advance:
        for rank, (recording, partner) in enumerate(zip(top, partners, strict=True), 1):
            own = _one(recordings, recording.index)
            other = _one(healthy, partner) if healthy and partner >= 0 else None
            yield _card(fitted, rank, recording, own, other, terms)
            advance()


def _nearest(
    fitted: FittedDetector,
    recordings: Sounds,
    top: Sequence[Scored],
    healthy: Sounds,
    cache: str | Path | None,
) -> Sequence[int]:
    """Return the number of the healthy recording nearest to each of the top ones, or −1.

    A recording is never its own neighbour.
    """
    from dgmix.audio.bank import bank_of_signals
    from dgmix.detect.neighbours import comparable, nearest_healthy

    recipe = fitted.recipe
    signals = (_signal(_one(recordings, each.index), recipe) for each in top)
    clips = bank_of_signals(signals, recipe.audio, recipe.features)
    allowed = comparable(recipe, [each.judgement.section for each in top], healthy.sections)
    allowed &= ~_same(recordings, [each.index for each in top], healthy)
    bank = healthy.bank(recipe, cache)
    nearest = nearest_healthy(recipe, fitted.network, clips, bank, allowed)
    return [int(number) for number in nearest]


def _same(recordings: Sounds, chosen: Sequence[int], healthy: Sounds) -> NDArray[np.bool_]:
    """Return which recordings are the same file, bool (chosen, healthy)."""
    own = [_file(recordings, index) for index in chosen]
    others = [_file(healthy, index) for index in range(len(healthy))]
    return np.array([[a is not None and a == b for b in others] for a in own])


def _file(sounds: Sounds, index: int) -> object:
    from dgmix.data.clip import Clip

    item = sounds.items[index]
    return item.path.resolve() if isinstance(item, Clip) else None


def _one(sounds: Sounds, index: int) -> Sounds:
    return sounds.part(slice(index, index + 1))


def _signal(one: Sounds, recipe: Recipe) -> NDArray[np.float32]:
    """Return the signal (sample,) of one recording, or its signals (sample, signal).

    An open file is read from its beginning.
    """
    (item,) = one.items
    if isinstance(item, IOBase):
        item.seek(0)
    return next(one.signals(recipe))


def _one_signal(fitted: FittedDetector, one: Sounds, signal: str) -> NDArray[np.float32]:
    """Return a signal (sample,) of one recording by its name, "" for the first."""
    samples = _signal(one, fitted.recipe)
    return samples if samples.ndim == 1 else samples[:, fitted.place_of(signal)].copy()


def _card(
    fitted: FittedDetector,
    rank: int,
    recording: Scored,
    own: Sounds,
    other: Sounds | None,
    terms: Terms,
) -> Card:
    signal = recording.judgement.signal
    everything, localization = whole(fitted, _one_signal(fitted, own, signal), signal)
    region = unusual.most_unusual(localization)
    excerpt = around(everything, round(region.when / everything.hop))
    shown = [Shown(recording.name, everything, excerpt, region)]
    if other is not None:
        healthy, usual = whole(fitted, _one_signal(fitted, other, signal), signal)
        part = most_like(healthy, excerpt)
        shown.append(Shown(other.names[0], healthy, part, unusual.most_unusual(usual)))
    ranges, gain = _ranges(shown), _gain(shown)
    louder = unusual.excess(everything.level, region, fitted.statistics_of(signal).mean)
    sides = [_side(each, ranges, gain, framed=each is shown[0]) for each in shown]
    healthy_peak = max((each.region.peak for each in shown[1:]), default=1.0)
    words = [
        f"Least like the healthy ones by its {decisive(recording.judgement)}.",
        *_sentences(region, louder, max(healthy_peak, 1.0)),
        *(f"The recording itself: {each.text}." for each in recording.judgement.defects),
    ]
    verdict = recording.verdict(terms)
    return Card(rank, recording, verdict, words, sides, _scales(ranges, gain))


def _side(shown: Shown, ranges: Ranges, gain: float, framed: bool) -> Side:
    part, everything, region = shown.excerpt, shown.everything, shown.region
    picked = len(part.level) < len(everything.level)
    span = f"{part.begin:.1f} to {part.end:.1f} s"
    note = f"{span} of {everything.end:.1f} s" if picked else f"all {everything.end:.1f} s"
    place = f"; framed: {unusual.extent_in_words(region)}" if framed else ""
    label = f"Spectrogram of {shown.name}, {span}. Most unusual {unusual.in_words(region)}{place}"
    return Side(
        shown.name,
        note,
        data_uri(gain * part.samples, part.sample_rate),
        f"Sound of {shown.name}, {span}",
        drawn(sound_picture(part, region, ranges, label, framed)),
        drawn(overview(everything, part)) if picked and framed else None,
    )


def _sentences(region: Region, louder: float, healthy_peak: float) -> list[str]:
    """Return what the picture shows: where, how much louder or quieter, and what it means.

    `healthy_peak` is how unusual a healthy recording gets.
    """
    amount = f"{abs(louder):.0f} dB {'louder' if louder > 0 else 'quieter'}"
    place = (
        f"Most unusual {unusual.in_words(region)}: the framed region, "
        f"{unusual.extent_in_words(region)}, is {amount} than healthy recordings are there "
        "on average."
    )
    if region.peak > healthy_peak:
        return [place]
    return [place, "Healthy recordings have moments as unusual, though."]


def _ranges(shown: Sequence[Shown]) -> Ranges:
    """Return the scales on which all sides of a card are drawn."""
    levels = np.concatenate([each.excerpt.level.ravel() for each in shown])
    low, high = (float(value) for value in np.percentile(levels, [5, 99.9]))
    width = min(max(high - low, LEAST_RANGE), MOST_RANGE)
    surprise = max(LEAST_SURPRISE, *(float(each.excerpt.surprise.max()) for each in shown))
    bands = max(LEAST_SURPRISE, *(float(each.region.profile.max()) for each in shown))
    return Ranges(high - width, high, surprise, bands)


def _gain(shown: Sequence[Shown]) -> float:
    """Return the factor that makes the loudest of all excerpts fill the scale, in bounds."""
    peak = max(float(np.abs(each.excerpt.samples).max(initial=0)) for each in shown)
    return min(LOUDEST / max(peak, 1e-9), 10 ** (MOST_GAIN / 20))


def _scales(ranges: Ranges, gain: float) -> str:
    change = round(20 * math.log10(gain))
    played = f"{abs(change)} dB {'louder' if change > 0 else 'quieter'} than recorded"
    return with_minus(
        f"Colours: {ranges.quiet:.0f} dB (dark) to {ranges.loud:.0f} dB (light). "
        f"Played {played if change else 'as loud as recorded'}."
    )
