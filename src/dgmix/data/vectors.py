"""Vectors of numbers that the user gives, one of each recording, from arrays and files.

A file is `.npy` (recording, dim), `.npz`, `.csv` or `.parquet`. Of the columns of a table those
called `name`, `section`, `domain`, `recording` and `condition` say what a vector is of, all others
are its numbers; in a `.npz` they are arrays beside the vectors. Nothing in a file can run: what
holds Python objects is refused.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dgmix.errors import InputError, check_length, first_few
from dgmix.files import explained, printable, read_csv_text

if TYPE_CHECKING:
    import polars

Column: TypeAlias = Sequence[str] | None
ARRAYS = (".npy", ".npz")
SUFFIXES = (*ARRAYS, ".csv", ".parquet")
COLUMNS = {
    "name": "names",
    "section": "sections",
    "domain": "domains",
    "recording": "recordings",
    "condition": "conditions",
}
VECTORS = "vectors"
DAMAGE = (  # what numpy, zipfile and zlib raise for files that are no archives of arrays
    *(ValueError, EOFError, MemoryError, SyntaxError, TokenError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)


@dataclass(frozen=True, eq=False)
class VectorTable:
    """Vectors float32 (recording, dim), and what is known of each.

    The columns are one value a recording, or None; `feature_names` (dim,) are the names of the
    numbers, or nothing where they have none; `source` is the file, or "X" for an array.
    """

    values: NDArray[np.float32]
    names: Column = None
    sections: Column = None
    domains: Column = None
    recordings: Column = None
    conditions: Column = None
    feature_names: tuple[str, ...] = ()
    source: str = "X"

    def __len__(self) -> int:
        return len(self.values)

    @staticmethod
    def of(X: ArrayLike, source: str = "X", **columns: Column) -> VectorTable:
        """Return an array or data frame (recording, dim) as vectors with columns.

        Raises `InputError` for what are no finite numbers, and columns of another length.
        """
        values = as_vectors(X, source)
        for name, column in columns.items():
            check_length(name, column, len(values))
        texts = {
            name: None if column is None else ["" if each is None else str(each) for each in column]
            for name, column in columns.items()
        }
        features = tuple(map(str, getattr(X, "columns", ())))
        return VectorTable(values, **texts, feature_names=features, source=source)

    @staticmethod
    def joined(tables: Sequence[VectorTable]) -> VectorTable:
        """Return the vectors of several tables, one after the other; "" where a column lacks.

        Raises `InputError` for vectors of different sizes.
        """
        if len(tables) == 1:
            return tables[0]
        first = tables[0]
        for other in tables[1:]:
            if other.values.shape[1] != first.values.shape[1]:
                sizes = f"{other.values.shape[1]} numbers, and {first.source} of"
                raise InputError(f"{other.source}: vectors of {sizes} {first.values.shape[1]}")
        columns: dict[str, Column] = {}
        for name in COLUMNS.values():
            parts = [getattr(table, name) for table in tables]
            filled = (part or [""] * len(table) for part, table in zip(parts, tables, strict=True))
            columns[name] = list(chain.from_iterable(filled)) if any(parts) else None
        values = np.concatenate([table.values for table in tables])
        source = first_few([table.source for table in tables])
        return VectorTable(values, **columns, feature_names=first.feature_names, source=source)

    def with_column(self, name: str, value: str) -> VectorTable:
        """Return these vectors with one value in all of a column."""
        return replace(self, **{name: [value] * len(self)})  # type: ignore[arg-type]

    def ordered(self, feature_names: Sequence[str]) -> VectorTable:
        """Return these vectors with their numbers in the order of names, where both have names.

        Raises `InputError` for a name that is missing or not among them.
        """
        if not feature_names or not self.feature_names:
            return self
        missing = [each for each in feature_names if each not in self.feature_names]
        unknown = [each for each in self.feature_names if each not in feature_names]
        if missing or unknown:
            parts = [f"no column {first_few(missing)}"] if missing else []
            parts += [f"unknown column {first_few(unknown)}"] if unknown else []
            raise InputError(f"{self.source}: {', '.join(parts)}; give the columns of the fit")
        places = [self.feature_names.index(each) for each in feature_names]
        return replace(self, values=self.values[:, places], feature_names=tuple(feature_names))


def as_vectors(X: ArrayLike, source: str = "X") -> NDArray[np.float32]:
    """Return X as float32 (recording, dim). Raises `InputError` where it is no such thing."""
    try:
        array = np.asarray(X)
    except (TypeError, ValueError) as error:
        raise _no_numbers(source) from error
    if array.dtype.kind not in "biuf":
        raise _no_numbers(source)
    if array.ndim != 2 or not array.shape[1]:
        raise InputError(f"{source}: shape {array.shape}; give vectors (recording, dim)")
    with np.errstate(over="ignore"):
        values = np.array(array, np.float32)
    if not (finite := np.isfinite(values).all(1)).all():
        row = int(np.flatnonzero(~finite)[0])
        raise InputError(f"{source}: row {row} holds a value that is not a finite number")
    return values


def _no_numbers(source: str) -> InputError:
    return InputError(f"{source}: not an array of numbers; give vectors (recording, dim)")


def described(table: VectorTable) -> dict[str, Any]:
    """Return what a table holds, as values that JSON has."""
    texts = {name: getattr(table, name) for name in COLUMNS.values() if name != "names"}
    counts = {name: dict(sorted(Counter(column or ()).items())) for name, column in texts.items()}
    return {
        "path": table.source,
        "vectors": len(table),
        "numbers": table.values.shape[1],
        "feature_names": list(table.feature_names),
        **counts,
    }


def page(values: Mapping[str, Any]) -> str:
    """Return what `described` returns as lines of text."""
    lines = [f"{values['path']}: {values['vectors']} vectors of {values['numbers']} numbers"]
    if names := values["feature_names"]:
        lines.append(f"numbers: {first_few(names, 12)}")
    for column in COLUMNS.values():
        if counts := values.get(column):
            listed = [f"{name or '(none)'}: {count}" for name, count in counts.items()]
            lines.append(f"{column}: {first_few(listed, 12)}")
    return "\n".join(lines)


def holds_vectors(path: str | os.PathLike[str]) -> bool:
    """Return whether a file holds vectors by its name; a CSV may hold them or name recordings."""
    return Path(path).suffix.lower() in (*ARRAYS, ".parquet")


def read_vectors(path: str | os.PathLike[str]) -> VectorTable:
    """Return the vectors of a `.npy`, `.npz`, `.csv` or `.parquet` file, with their columns.

    Raises `InputError`, naming the file, for what is missing, damaged, no numbers, or would have
    to run to be read.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path}: no file of vectors; give one of {', '.join(SUFFIXES)}")
    with explained(path), path.open("rb"):
        pass
    table = _arrays(path) if path.suffix.lower() in ARRAYS else _frame(path)
    if not len(table):
        raise InputError(f"{path}: no vector in it; write one for each recording")
    return (
        table if table.names else replace(table, names=[f"{path}:{n}" for n in range(len(table))])
    )


def _arrays(path: Path) -> VectorTable:
    try:
        with explained(path), path.open("rb") as file:
            content: Any = np.load(file, allow_pickle=False)
            if isinstance(content, np.ndarray):
                return VectorTable.of(content, str(path))
            return _of_archive(path, {name: content[name] for name in content.files})
    except InputError as error:
        raise InputError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from error
    except DAMAGE as error:
        if "allow_pickle" in str(error):
            raise InputError(
                f"{path}: no arrays of numbers; Python objects are not loaded because they can run "
                "code: save numbers, np.save(path, vectors.astype('float32'))"
            ) from error
        raise InputError(f"{path}: a damaged file of arrays; write it again") from error


def _of_archive(path: Path, arrays: Mapping[str, NDArray[Any]]) -> VectorTable:
    columns = {COLUMNS[name]: arrays[name] for name in arrays if name in COLUMNS}
    others = [name for name in arrays if name not in COLUMNS]
    if VECTORS in others:
        others = [VECTORS]
    if len(others) != 1 or any(column.ndim != 1 for column in columns.values()):
        raise InputError(
            f"{path}: holds {first_few(list(arrays))}; give one array (recording, dim), called "
            f"'{VECTORS}' where there are others, and (recording,) of {', '.join(COLUMNS)}"
        )
    texts = {name: column.tolist() for name, column in columns.items()}
    return VectorTable.of(arrays[others[0]], str(path), **texts)


def _frame(path: Path) -> VectorTable:
    import polars

    try:
        with explained(path):
            frame = _read_csv(path) if path.suffix.lower() == ".csv" else polars.read_parquet(path)
    except polars.exceptions.PanicException as error:  # no PolarsError, nor any Exception
        raise InputError(f"{path}: a damaged table; write it again") from error
    except (polars.exceptions.PolarsError, UnicodeError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: cannot be read as a table ({printable(reason)})") from error
    numbers = frame.select([name for name in frame.columns if name not in COLUMNS])
    _check_numbers(numbers, path)
    columns: dict[str, Column] = {
        COLUMNS[name]: frame[name].cast(polars.String).fill_null("").to_list()
        for name in frame.columns
        if name in COLUMNS
    }
    table = VectorTable.of(numbers.to_numpy(), str(path), **columns)
    counted = numbers.columns == [str(number) for number in range(len(numbers.columns))]
    return replace(table, feature_names=() if counted else tuple(numbers.columns))


def _read_csv(path: Path) -> polars.DataFrame:
    """Return a CSV file as a frame; without a line of names its columns are "0", "1", …"""
    import polars

    text = read_csv_text(path)
    first_line = text.partition("\n")[0]
    separator = next((each for each in (";", "\t") if each in first_line), ",")
    cells = polars.read_csv(
        text.encode(), separator=separator, has_header=False, infer_schema=False
    )
    cells = cells.select(polars.all().str.strip_chars())
    if separator != ",":  # as spreadsheets write it where the decimal point is a comma
        cells = cells.select(polars.all().str.replace(r"^([-+]?\d*),(\d+)", "${1}.${2}"))
    names, first = [each or "" for each in cells.row(0)], 1
    if all(map(_is_number, names)):
        names, first = [str(number) for number in range(len(names))], 0
    else:
        _check_names(names, path)
    cells = cells.rename(dict(zip(cells.columns, names, strict=True)))
    empty = cells.select(polars.all_horizontal(polars.all().is_null())).to_series()
    lines = (~empty).arg_true().filter((~empty).arg_true() >= first)
    cells = cells[lines]
    numbers = [_numbers(cells[name], lines, path) for name in names if name not in COLUMNS]
    return cells.with_columns(numbers)


def _check_names(names: Sequence[str], path: Path) -> None:
    name, count = Counter(names).most_common(1)[0]
    if "" in names or count > 1:
        reason = "a column has no name" if "" in names else f"column '{printable(name)}' twice"
        raise InputError(f"{path}, line 1: {reason}; give each column a name of its own")


def _numbers(cells: polars.Series, lines: polars.Series, path: Path) -> polars.Series:
    """Return a column, which lies in these lines, as numbers.

    Raises `InputError` for the first cell that is none.
    """
    import polars

    numbers = cells.cast(polars.Float64, strict=False)
    if len(wrong := numbers.is_null().arg_true()):
        cell, line = printable(cells[wrong[0]] or ""), lines[wrong[0]] + 1
        raise InputError(
            f"{path}, line {line}: column '{printable(cells.name)}' holds '{cell}', no number; "
            f"correct it, leave the column out, or call it one of {', '.join(COLUMNS)}"
        )
    return numbers


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_numbers(numbers: polars.DataFrame, path: Path) -> None:
    """Raise `InputError` unless all columns of a frame are numbers, without an empty cell."""
    import polars

    for column in numbers:
        name = printable(column.name)
        if not (column.dtype.is_numeric() or column.dtype == polars.Boolean):
            raise InputError(
                f"{path}: column '{name}' holds {column.dtype}, no numbers; leave it out, or call "
                f"it one of {', '.join(COLUMNS)}"
            )
        if column.null_count():
            raise InputError(f"{path}: column '{name}' has empty cells; leave those lines out")
