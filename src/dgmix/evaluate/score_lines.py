"""The lines of score files: separated by commas, semicolons or tabs, with points or commas.

Spreadsheets and pandas of other countries write `name;0,94`. Read as `name;0` and 94 that would be
another number without an error; so the separator is the one that gives every line the same cells
and numbers in them, and a file has one way to write numbers.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dgmix.errors import InputError
from dgmix.files import read_csv_text

SEPARATORS = (";", "\t", ",")
POINT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")
HALVED = re.compile(r".*([;\t|]|\.\w{2,4}[\s:=]+)\s*[+-]?\d[\d.\s'\u2019_]*", re.DOTALL)
NAMES = ("file", "filename", "file_name", "file name", "path", "name", "clip", "wav")
SCORES = ("score", "scores", "anomaly_score", "anomaly score", "anomaly_scores")

Line = tuple[int, list[str]]


@dataclass(frozen=True)
class ScoreLines:
    """The lines of a file that are not blank, each with its number, and how it writes numbers."""

    lines: list[Line]
    decimal_comma: bool

    def number(self, text: str) -> str:
        """Return a number of this file with a point."""
        text = text.strip()
        return text.replace(",", ".") if self.decimal_comma and COMMA.fullmatch(text) else text


def score_lines(file: Path) -> ScoreLines:
    """Return the lines of a score file.

    Raises `InputError` when it is no text, when it writes numbers with points and with commas, and
    where a separator may stand in the middle of a number.
    """
    text = read_csv_text(file)
    start = 1
    if named := re.match(r"sep=(.)\r?\n", text):  # the separator, for Excel
        text, start = text[named.end() :], 2
    separators = (named[1],) if named else SEPARATORS
    readings = [reading for each in separators if (reading := _read(file, text, each, start))]
    lines = next(filter(_plausible, readings), readings[-1] if readings else [])
    for number, cells in lines:
        if any(map(HALVED.fullmatch, cells)):
            raise InputError(
                f"{file}, line {number}: '{cells[0]}' and '{cells[-1]}' may be halves of a number; "
                "separate with commas, and write numbers with points"
            )
    return ScoreLines(lines, _decimal_comma(file, lines))


def without_header(lines: list[Line]) -> list[Line]:
    """Return the lines (number, [name, score]) of a file that names its columns, or as they are.

    Other columns than those two, such as the index of a pandas table, are left away.
    """
    if not lines:
        return lines
    header = [cell.strip().lower() for cell in lines[0][1]]
    name = next((header.index(each) for each in NAMES if each in header), None)
    score = next((header.index(each) for each in SCORES if each in header), None)
    if name is None or score is None:
        return lines
    return [
        (number, [cells[name], cells[score]] if len(cells) == len(header) else cells)
        for number, cells in lines[1:]
    ]


def _read(file: Path, text: str, separator: str, start: int) -> list[Line]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        return [(reader.line_num + start - 1, row) for row in reader if any(c.strip() for c in row)]
    except csv.Error as error:
        raise InputError(f"{file}: not a text file in UTF-8; save it as CSV UTF-8") from error


def _plausible(lines: Sequence[Line]) -> bool:
    """Say whether all lines have the same number of cells, and those below the first a number."""
    counts = {len(cells) for _, cells in lines}
    below = [cells for _, cells in lines[1:] or lines]
    numbers = all(any(map(_is_number, cells)) for cells in below)
    return len(counts) == 1 and counts.pop() > 1 and numbers


def _is_number(cell: str) -> bool:
    return bool(POINT.fullmatch(cell.strip()) or COMMA.fullmatch(cell.strip()))


def _decimal_comma(file: Path, lines: Sequence[Line]) -> bool:
    """Say whether the numbers of a file have decimal commas; raise where only some have."""
    cells = [(number, cell.strip()) for number, row in lines for cell in row]
    commas = [(number, cell) for number, cell in cells if COMMA.fullmatch(cell)]
    points = [(number, cell) for number, cell in cells if "." in cell and POINT.fullmatch(cell)]
    if commas and points:
        (first, one), (second, other) = commas[0], points[0]
        raise InputError(
            f"{file}: numbers with a comma (line {first}: {one}) and with a point (line {second}: "
            f"{other}); write all of them with a point"
        )
    return bool(commas)
