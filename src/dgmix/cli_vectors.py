"""What the commands of one detector do with files of vectors instead of recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dgmix.cli_options import show
from dgmix.errors import InputError
from dgmix.progress import say

if TYPE_CHECKING:
    from dgmix.config import Recipe
    from dgmix.data.vectors import VectorTable
    from dgmix.detect.fitted import FittedDetector
    from dgmix.detect.recordings import Sounds


def is_vectors(paths: Sequence[str], vectors: bool = False) -> bool:
    """Return whether files hold vectors, by the name of the first, or because an option says so."""
    from dgmix.data.vectors import holds_vectors

    return vectors or holds_vectors(paths[0])


def fit_files(
    paths: Sequence[str],
    output: Path,
    recipe: Recipe,
    of_sound: Mapping[str, object],
    as_json: bool,
    fitting: Mapping[str, Any],
) -> None:
    """Learn from files of vectors of healthy recordings, write the detector, and print it.

    `fitting` are options of `fit_vectors`. Raises `InputError` for the first of the options
    `of_sound` that is given.
    """
    from dgmix.data.vectors import VectorTable, read_vectors
    from dgmix.detect.bundle import save_detector
    from dgmix.detect.given_vectors import fit_vectors
    from dgmix.detect.reporting import fit_report
    from dgmix.detect.summary import summary

    for name, value in of_sound.items():
        if value:
            raise InputError(f"{name}: of recordings only, and vectors are given; leave it out")
    first, *others = map(read_vectors, paths)
    table = VectorTable.joined([first, *(each.ordered(first.feature_names) for each in others)])
    fitted = fit_vectors(table, recipe, **fitting)
    save_detector(fitted, output)
    values = {"detector": str(output), **summary(fitted)}
    show(fit_report(fitted, str(output), table.names or ()), values, as_json)


def takes_vectors(fitted: FittedDetector, paths: Sequence[str | Path]) -> bool:
    """Return whether a detector compares vectors.

    Raises `InputError` where it does not, and all files that are given hold vectors; one among
    recordings is listed with those that cannot be read.
    """
    from dgmix.config import GIVEN
    from dgmix.data.vectors import holds_vectors

    if GIVEN in fitted.recipe.detect.views:
        return True
    if paths and all(map(holds_vectors, paths)):
        raise InputError(f"{paths[0]}: vectors, and this detector was fitted on recordings")
    return False


def read_files(
    paths: Sequence[str | Path], fitted: FittedDetector, section: str | None = None
) -> VectorTable:
    """Return the vectors of files, as a detector compares them, all of a section where given."""
    from dgmix.data.vectors import VectorTable, read_vectors

    tables = [read_vectors(path).ordered(fitted.feature_names) for path in paths]
    joined = VectorTable.joined(tables)
    if section is None:
        return joined
    fitted.check_section(section)
    return joined.with_column("sections", section)


def named_by(
    fitted: FittedDetector, recordings: Sequence[str], section: str | None
) -> Sounds | VectorTable:
    """Return the recordings or vectors that are named, all of a section where one is given."""
    from dgmix.detect.sources import named_sounds

    if takes_vectors(fitted, recordings):
        return read_files(recordings, fitted, section)
    given = named_sounds(recordings, fitted.sections)
    for line in given.left_out:
        say(f"left out: {line}")
    if section is None:
        return given
    fitted.check_section(section)
    return given.relabelled(sections=[section] * len(given))
