"""Healthy clips as points, without any audio: what the numerical core has to hold for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from dgmix.config import DetectSettings
from dgmix.detect.calibration import Calibration, Scores
from dgmix.detect.compare import Comparison, compare_with
from dgmix.detect.memory import HealthyClips, Memory
from dgmix.detect.quality import measures_of
from dgmix.detect.views import RAW_VIEWS, Vectors, view_of
from dgmix.plugins import NONE

NAMES = tuple(RAW_VIEWS)
LEAST_DIM = max(view.parts for view in RAW_VIEWS.values())
Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Cloud:
    """Clips as points: in each view their vectors, and which clip each vector is of.

    `recordings` and `conditions` (clip,) number what each clip is of.
    """

    views: dict[str, Vectors]
    recordings: Numbers
    conditions: Numbers

    def __len__(self) -> int:
        return len(self.recordings)

    def memory(self, chosen: Numbers) -> Memory:
        """Return some of the clips as a detector remembers them."""
        count = len(self)
        names = [f"r{number:03}" for number in self.recordings]
        conditions = tuple(f"c{number:03}" for number in self.conditions)
        clips = HealthyClips(
            ("00",) * count, ("source",) * count, tuple(names), conditions,
            np.arange(count), np.ones(count), measures_of([None] * count),
        )  # fmt: skip
        return Memory(self.views, clips).select(np.sort(chosen))

    def queries(self, chosen: Numbers) -> dict[str, Vectors]:
        """Return some of the clips as a detector compares them."""
        return {name: view.select(np.sort(chosen)) for name, view in self.views.items()}

    def settings(self, **changes: object) -> DetectSettings:
        """Return settings that compare the clips in all of their views."""
        views = list(dict.fromkeys(map(view_of, self.views)))
        return DetectSettings(views=views, **changes)  # type: ignore[arg-type]


def of_two_channels(cloud: Cloud) -> Cloud:
    """Return the same clips, each two of whose views are one view of two channels."""
    views = {}
    for number, vectors in enumerate(cloud.views.values()):
        values = vectors.values
        long = np.tile(values, LEAST_DIM) if values.shape[1] < LEAST_DIM else values
        views[f"{NAMES[number // 2]}@{number % 2 + 1}"] = Vectors(long, vectors.clips)
    return replace(cloud, views=views)


def single(*views: NDArray[np.floating]) -> Cloud:
    """Return clips of one vector each in these views (clip, dim), each a recording by itself.

    A view that has several parts gets vectors that are long enough for them.
    """
    number = np.arange(len(views[0]))
    made = {}
    for name, values in zip(NAMES, views, strict=False):
        few = RAW_VIEWS[name].parts > values.shape[1]
        long = np.tile(values, LEAST_DIM) if few else values
        made[name] = Vectors(np.asarray(long, np.float32), number)
    return Cloud(made, number, number)


def fitted(
    cloud: Cloud, chosen: Numbers, settings: DetectSettings
) -> tuple[Comparison, Calibration]:
    """Return the comparison and calibration of some clips of a cloud."""
    memory = cloud.memory(chosen)
    comparison = compare_with(settings, memory, NONE)
    return comparison, Calibration(comparison, memory.clips.recordings, memory.clips.conditions)


def judged(
    cloud: Cloud,
    healthy: Numbers,
    queries: Numbers,
    settings: DetectSettings,
    conditions: Sequence[str | None] | None = None,
) -> Scores:
    """Return the scores of some clips of a cloud where others are the healthy ones."""
    comparison, calibration = fitted(cloud, healthy, settings)
    distances = comparison.measure(cloud.queries(queries), len(queries))
    return calibration.judge(distances, conditions or [None] * len(queries))


def draw_points(rng: np.random.Generator, count: int, dim: int, kind: str) -> Floats:
    """Return points (point, dim) of one to four clusters of any sizes.

    `kind` says how they scatter: "normal", "heavy" (Student's t with 1 or 2 degrees of freedom),
    "grid" (few distinct values, so that distances tie) or "copies" (most points are there twice).
    """
    centres = rng.normal(size=(rng.integers(1, 5), dim)) * rng.choice([0, 1, 30])
    cluster = rng.choice(len(centres), count, p=rng.dirichlet(np.ones(len(centres))))
    scatter = (
        rng.standard_t(rng.integers(1, 3), size=(count, dim))
        if kind == "heavy"
        else rng.normal(size=(count, dim))
    )
    points = centres[cluster] + scatter * rng.choice([0.1, 1, 3], len(centres))[cluster, None]
    if kind == "grid":
        return np.asarray(np.round(points))
    if kind == "copies":
        return np.asarray(points[rng.integers(count // 2 + 1, size=count)])
    return np.asarray(points)


KINDS = st.sampled_from(["normal", "heavy", "grid", "copies"])


@st.composite
def clouds(
    draw: st.DrawFn, most: int = 61, dims: int = 300, views: int = 6, least: int = 2
) -> Cloud:
    """Clips of one vector in one to `views` views, each clip a recording by itself."""
    count = draw(st.integers(least, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sizes = draw(st.lists(st.integers(1, dims), min_size=1, max_size=views))
    kinds = draw(st.lists(KINDS, min_size=len(sizes), max_size=len(sizes)))
    return single(
        *(draw_points(rng, count, dim, kind) for dim, kind in zip(sizes, kinds, strict=True))
    )


@st.composite
def windowed(draw: st.DrawFn, most: int = 10) -> Cloud:
    """Clips of several windows in the first of two views, and of one vector in the second."""
    windows = np.array(draw(st.lists(st.integers(1, 4), min_size=2, max_size=most)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    of = np.repeat(np.arange(len(windows)), windows)
    kind, dim = draw(KINDS), draw(st.integers(1, 8))
    number = np.arange(len(windows))
    views = {
        NAMES[0]: Vectors(draw_points(rng, len(of), dim, kind).astype(np.float32), of),
        NAMES[1]: Vectors(draw_points(rng, len(number), dim, kind).astype(np.float32), number),
    }
    return Cloud(views, number, number)


@st.composite
def pieces(draw: st.DrawFn, views: int = 1) -> Cloud:
    """Recordings of one to four pieces that are more alike than recordings are."""
    sizes = np.array(draw(st.lists(st.integers(1, 4), min_size=2, max_size=8)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    of = np.repeat(np.arange(len(sizes)), sizes)
    made = []
    for _ in range(views):
        own = draw_points(rng, len(sizes), draw(st.integers(1, 5)), draw(KINDS))[of]
        made.append(np.round(own + rng.choice([0, 0.3, 2]) * rng.normal(size=own.shape), 1))
    return Cloud(single(*made).views, of, of)
