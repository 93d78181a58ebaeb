"""Maps of where a run's encoder puts the test clips."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from dgmix.data.clip import DOMAINS, LABELS
from dgmix.errors import InputError
from dgmix.evaluate.formats import in_order
from dgmix.evaluate.report import figures, svg
from dgmix.evaluate.report.parts import Entry, Panel, drawn
from dgmix.files import atomic_path, explained

NAME = "embeddings.npy"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Map:
    """The maps of the sections of one machine."""

    machine: str
    name: str
    legend: Sequence[Entry]
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Embedded:
    """The test clips of one training: `vectors` float64 (clip, dim) and what each clip is."""

    vectors: Floats
    sections: Sequence[str]
    kinds: Sequence[tuple[str, str]]


def maps(run: Path) -> list[Map]:
    """Return the maps of every machine that has an `embeddings.npy`, of its first training.

    Raises `InputError` where such a file is damaged or does not fit the scores beside it.
    """
    files: dict[str, Path] = {}
    for path in sorted(run.glob(f"*/**/{NAME}")):
        if path.with_name("scores.csv").exists():
            files.setdefault(path.relative_to(run).parts[0], path)
    return [_map(machine, files[machine], run) for machine in in_order(set(files))]


def write_embeddings(folder: Path, vectors: NDArray[np.floating]) -> None:
    """Write the embeddings (clip, dim) of the clips in a folder's `scores.csv`, in its order."""
    with atomic_path(folder / NAME) as temporary, temporary.open("wb") as file:
        np.save(file, vectors.astype(np.float32))


def read_embeddings(path: Path) -> Embedded:
    """Return an `embeddings.npy` with the columns of the `scores.csv` beside it, row by row.

    Raises `InputError` where it is damaged or does not fit those scores.
    """
    scores = path.with_name("scores.csv")
    with explained(path), scores.open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
        try:
            vectors = np.load(path, allow_pickle=False).astype(np.float64)
        except (ValueError, EOFError) as error:
            raise InputError(f"{path}: damaged; remove it, or make the run again") from error
    if vectors.ndim != 2 or len(vectors) != len(rows) or not np.isfinite(vectors).all():
        raise InputError(f"{path}: does not fit the scores beside it; remove it")
    kinds = [(row.get("domain", ""), row.get("label", "")) for row in rows]
    return Embedded(vectors, [row.get("section", "") for row in rows], kinds)


def principal_components(vectors: Floats, count: int = 2) -> tuple[Floats, float]:
    """Return `vectors` (clip, dim) on `count` principal axes, (clip, count), and how much of their
    variance these hold, from 0 to 1.

    The axes are spherical principal components, which a few far clips do not turn towards
    themselves: those of the directions from the median in which the clips lie, each direction
    counted the same. An axis points where its largest weight is positive. Source: Locantore et
    al., Robust principal component analysis for functional data, Test 8 (1999).
    """
    centred = vectors - np.median(vectors, axis=0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    axes = np.linalg.svd(centred / np.maximum(lengths, 1e-12), full_matrices=False)[2][:count]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(1)[:, None], axis=1)
    points = np.zeros((len(vectors), count))
    points[:, : len(axes)] = centred @ (axes * np.where(largest < 0, -1, 1)).T
    total = float(vectors.var(0).sum())
    return points, float(points.var(0).sum()) / total if total else 1.0


def _map(machine: str, path: Path, run: Path) -> Map:
    clips = read_embeddings(path)
    kinds = sorted(set(clips.kinds), key=_order)
    panels = [_panel(machine, section, clips, kinds) for section in sorted(set(clips.sections))]
    legend = [Entry(" ".join(kind), " ".join(kind), drawn(_key(*kind))) for kind in kinds]
    training = ", ".join(_spaced(part) for part in path.relative_to(run).parts[1:-1])
    return Map(machine, f"{machine}, {training}" if training else machine, legend, panels)


def _panel(machine: str, section: str, clips: Embedded, kinds: Sequence[tuple[str, str]]) -> Panel:
    own = [row for row, each in enumerate(clips.sections) if each == section]
    points, held = principal_components(clips.vectors[own])
    members = {kind: [i for i, row in enumerate(own) if clips.kinds[row] == kind] for kind in kinds}
    groups = {kind: points[chosen] for kind, chosen in members.items() if chosen}
    counts = ", ".join(f"{len(chosen)} {' '.join(kind)}" for kind, chosen in groups.items())
    share = f"{100 * held:.0f} % of the variance"
    label = f"Embedding map of {machine}, section {section}: {counts} clips; {share} shown"
    figure, outside = figures.scatter(groups, label)
    beyond = f"; {outside} farther out, at the edge" if outside else ""
    return Panel(f"Section {section}", drawn(figure), share + beyond)


def _order(kind: tuple[str, str]) -> tuple[int, int, str]:
    domain, label = kind
    return (
        LABELS.index(label) if label in LABELS else len(LABELS),
        DOMAINS.index(domain) if domain in DOMAINS else len(DOMAINS),
        domain,
    )


def _key(domain: str, label: str) -> Element:
    mark = figures.scattered([(16, 8)], domain, label)
    return svg.node("svg", mark, viewBox="0 0 32 16", class_="key", aria_hidden="true")


def _spaced(part: str) -> str:
    """Return the name of a folder as words: "seed0" as "seed 0"."""
    return f"{part.rstrip('0123456789')} {part[len(part.rstrip('0123456789')) :]}"
