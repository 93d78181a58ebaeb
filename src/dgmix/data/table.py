"""Data sets as CSV tables: one line a clip.

Columns: `path` (from the folder of the table), and, where wanted, `machine` (else the name of the
table), `section` ("00"), `domain` ("source"), `split` ("train"; "test" where the label is not
normal), `label` ("normal"; "unknown" where the split is test), `attributes`, `recording` and
`condition` (see `dgmix.data.clip.Clip`), and `repeat` (0), which numbers several train/test splits
of the same clips. An empty cell counts as left out.
Machines and sections give files and folders their names, so that a slash in them is refused.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path

from dgmix.data.clip import DOMAINS, LABELS, SPLITS, Clip, Manifest
from dgmix.errors import InputError
from dgmix.files import printable, read_csv_text

COLUMNS = (
    *("path", "machine", "section", "domain", "split", "label", "attributes", "repeat"),
    *("recording", "condition"),
)
SEPARATORS = (",", ";", "\t")
UNFIT = re.compile(r"\.{1,2}|.*[/\\\x00-\x1f\x7f].*", re.DOTALL)
VECTORS = " (a table of vectors is fitted with --vectors)"
CHOICES = {"domain": (*DOMAINS, "unknown"), "split": SPLITS, "label": LABELS}


def read_table(path: Path) -> Manifest:
    """Return the clips of a CSV table, in its order; their root is the folder common to them.

    Raises `InputError`, naming the line, for whatever is wrong: an unknown column or value, a
    file that is missing or listed twice, an anomaly to train on; also when there are no lines.
    """
    clips: list[Clip] = []
    present: set[Path] = set()
    seen: set[tuple[Path, int]] = set()
    for line, row in _rows(path):
        try:
            clip = _clip(row, path)
            if clip.path not in present and not clip.path.is_file():
                raise ValueError(f"there is no file {clip.path}")
            if (clip.path, clip.repeat) in seen:
                raise ValueError(f"{row['path']} is listed before")
        except ValueError as error:
            reason = printable(str(error))
            raise InputError(f"{path}, line {line}: {reason}; correct this line") from error
        present.add(clip.path)
        seen.add((clip.path, clip.repeat))
        clips.append(clip)
    if not clips:
        raise InputError(f"{path}: no recordings in this table; write one line for each")
    return Manifest(clips, Path(os.path.commonpath([clip.path.parent for clip in clips])))


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the lines of a CSV file that are not empty, with their numbers."""
    text = read_csv_text(path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    try:
        columns = [name.strip() for name in next(reader, [])]
        _check_columns(path, columns)
        for cells in reader:
            if len(cells) > len(columns) or 0 < len(cells) < len(columns):
                raise InputError(
                    f"{path}, line {reader.line_num}: {len(cells)} cells for "
                    f"{len(columns)} columns; correct this line"
                )
            if cells:
                values = (cell.strip() for cell in cells)
                yield reader.line_num, dict(zip(columns, values, strict=True))
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}; correct this line") from error


def _separator(text: str) -> str:
    """Return what separates the columns that the first line names, where `path` is one of them."""
    header = text.partition("\n")[0]
    for separator in SEPARATORS:
        if "path" in (name.strip(' "\r') for name in header.split(separator)):
            return separator
    return ","


def _check_columns(path: Path, columns: list[str]) -> None:
    unknown = [name for name in columns if name not in COLUMNS]
    if "path" not in columns:
        problem = f"no column 'path'{VECTORS}"
    elif unknown:
        problem = f"unknown column '{printable(unknown[0])}'"
    elif len(set(columns)) < len(columns):
        problem = "a column stands there twice"
    else:
        return
    known = ", ".join(COLUMNS)
    raise InputError(f"{path}, line 1: {problem}; name the columns here, out of {known}")


def _clip(row: dict[str, str], table: Path) -> Clip:
    for column, choices in CHOICES.items():
        if row.get(column) and row[column] not in choices:
            raise ValueError(f"{column} '{row[column]}' is none of {', '.join(choices)}")
    for column in ("machine", "section"):
        if UNFIT.fullmatch(row.get(column, "")):
            raise ValueError(f"{column} {row[column]!r} cannot be part of a file name")
    if not row["path"]:
        raise ValueError("the path is empty")
    repeat = row.get("repeat") or "0"
    if not (repeat.isascii() and repeat.isdigit()):
        raise ValueError(f"repeat '{repeat}' is not a whole number from 0 up")
    split, label = row.get("split", ""), row.get("label", "")
    clip = Clip(
        Path(os.path.abspath(table.parent / row["path"])),  # noqa: PTH100 - keeps links
        row.get("machine") or table.stem,
        section=row.get("section") or "00",
        domain=row.get("domain") or "source",
        split=split or ("train" if label in ("", "normal") else "test"),
        label=label or ("unknown" if split == "test" else "normal"),
        attributes=row.get("attributes", ""),
        repeat=int(repeat),
        recording=row.get("recording", ""),
        condition=row.get("condition", ""),
    )
    if (clip.split, clip.label) == ("train", "anomaly"):
        raise ValueError("an anomaly cannot be a training clip")
    return clip
