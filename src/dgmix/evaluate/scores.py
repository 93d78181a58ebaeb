"""Anomaly scores of any system, from and to files, as one table.

Two forms of file are read:

- dgmix's own: a header and the columns `SCORE_COLUMNS`, where section, domain and split may be
  missing ("00", "source", "test"), and system, repeat and seed may be added;
- DCASE Task 2 submissions: `anomaly_score_<machine>_section_<nn>_test.csv` (2021 and later) or
  `anomaly_score_<machine>_id_<nn>.csv` (2020; the section is "id_<nn>"), `file name,score` without
  a header. Domain and label stand in the clips' names.

For the anonymous clips of an evaluation set, domain and label come from the organisers' ground
truth, a folder with `ground_truth_data/` (1: anomaly) and `ground_truth_domain/` (1: target).
"""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path, PureWindowsPath
from typing import Any

import polars as pl

from dgmix.data.clip import DOMAINS, LABELS, SPLITS
from dgmix.data.dcase import parse_name
from dgmix.data.download.names import ClipNames, clip_names
from dgmix.data.year_names import SPLIT_DOMAINS
from dgmix.data.years import YEARS
from dgmix.errors import InputError
from dgmix.evaluate.score_lines import ScoreLines, score_lines, without_header
from dgmix.files import make_folder, write_text

UNKNOWN = "unknown"
SCORE_COLUMNS = ("path", "machine", "section", "domain", "split", "label", "score")
SCHEMA = {
    "system": pl.String,
    "repeat": pl.Int64,
    "seed": pl.Int64,
    **dict.fromkeys(SCORE_COLUMNS[:-1], pl.String),
    "score": pl.Float64,
}
SYSTEM_NAMES = {
    "dgmix": "dgmix",
    "learned": "DG-Mix view alone",
    "raw": "raw views alone",
    "untrained": "untrained encoder",
    "logmel-mean": "log-mel mean",
    "logmel-q90": "log-mel q90",
    "logmel-max": "log-mel max",
    "logmel-min": "log-mel min",
    "logmel-change": "log-mel change",
    "logmel-rhythm": "log-mel rhythm",
}
_DEFAULTS = {"section": "00", "domain": "source", "split": "test"}
_ALLOWED = {"domain": (*DOMAINS, UNKNOWN), "split": SPLITS, "label": LABELS}
_OWN_FILE = re.compile(r"scores(?:_(?P<system>.+))?\.csv")
_SUBMISSION_FILE = re.compile(
    r"anomaly_score_(?P<machine>.+?)_(?:section_(?P<section>.+?)|(?P<id>id_\d+))"
    r"(?:_(?:source|target))?(?:_test)?\.csv"
)
_CLIP = ("system", "repeat", "seed", "machine", "section", "path")
_GROUP = ("system", "repeat", "seed", "machine", "section", "domain")

Row = dict[str, Any]
PathLike = str | os.PathLike[str]
_LookUp = Callable[[Row], Row]


def read_scores(
    path: PathLike, ground_truth: PathLike | None = None, year: int | None = None
) -> pl.DataFrame:
    """Return the scores in a file, or in all score files of a folder and its sub-folders.

    The table has the columns of `SCHEMA`, one row a clip, in an order that depends on the content
    alone. Where a folder holds dgmix's own files, its submission files are left alone: they say
    the same. The system of a submission is the name of the file's folder; see `read_run` for ours.
    Anonymous clips get domain and label from `ground_truth`, or those that dgmix knows of a `year`.

    Raises `InputError`, naming file and line, for a score that is not a finite number, a missing
    column, an unknown label, no row at all, a clip scored twice, a section in files of two runs, a
    folder without score files, and clips without label in their names when there is no
    `ground_truth` for them.
    """
    path = Path(path)
    if not path.is_dir():
        return _table([path], ground_truth, year=year)
    own = _find(path, _OWN_FILE)
    return _table(own or _find(path, _SUBMISSION_FILE), ground_truth, folder=path, year=year)


def read_run(run: PathLike) -> pl.DataFrame:
    """Return the scores of every system, repeat and seed that a run has written so far.

    `scores.csv` is of the system "dgmix", `scores_<system>.csv` of another; repeat and seed are
    those of the folders `repeat<R>/seed<S>` around the file, 0 where there is none. The columns
    and the errors are those of `read_scores`.
    """
    return _table(_find(Path(run), _OWN_FILE), None, folder=Path(run))


def shown_system(system: str) -> str:
    """Return the name of a system as tables show it."""
    return SYSTEM_NAMES.get(system, system)


def systems_of(scores: pl.DataFrame) -> list[str]:
    """Return the systems in a table: dgmix, its baselines, then the others by name."""
    known = list(SYSTEM_NAMES)
    systems = scores["system"].unique().to_list()
    return sorted(systems, key=lambda s: (known.index(s) if s in known else len(known), s))


def submission_files(scores: pl.DataFrame) -> dict[str, str]:
    """Return the DCASE submission of one system, repeat and seed: text by file name.

    A line is the clip's file name and its score, as short as reads back to the same number. Where
    two clips of a section share a name, their paths stand instead. Only test clips are written.
    Clips in the folders of DCASE 2021 have a file for each domain, as it asks for.
    """
    files = {}
    folder = pl.col("path").str.split("/").list.get(-2, null_on_oob=True)
    by_domain = pl.when(folder.is_in(SPLIT_DOMAINS)).then("domain").otherwise(None)
    test = scores.filter(pl.col("split") == "test").sort("machine", "section", "path")
    place = ["machine", "section", by_domain.alias("part")]
    for (machine, section, part), clips in test.group_by(place, maintain_order=True):
        paths = clips["path"].to_list()
        names = [Path(path).name for path in paths]
        shown = names if len(set(names)) == len(names) else paths
        rows = zip(shown, map(repr, clips["score"].to_list()), strict=True)
        files[_submission_name(str(machine), str(section), str(part or ""))] = csv_text(rows)
    return files


def write_submission(folder: PathLike, scores: pl.DataFrame) -> list[Path]:
    """Write `submission_files` to a folder and return their paths."""
    made = make_folder(folder)
    written = []
    for name, text in submission_files(scores).items():
        write_text(made / name, text)
        written.append(made / name)
    return written


def write_scores(path: PathLike, scores: pl.DataFrame) -> None:
    """Write dgmix's own form, the columns `SCORE_COLUMNS` in the table's row order."""
    rows = ((*row[:-1], repr(row[-1])) for row in scores.select(SCORE_COLUMNS).iter_rows())
    write_text(path, csv_text([SCORE_COLUMNS, *rows]))


def csv_text(rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]) -> str:
    """Return rows as CSV text with Unix line ends on every platform."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _submission_name(machine: str, section: str, domain: str = "") -> str:
    if re.fullmatch(r"id_\d+", section):
        return f"anomaly_score_{machine}_{section}.csv"
    part = f"_{domain}" if domain else ""
    return f"anomaly_score_{machine}_section_{section}{part}_test.csv"


def _find(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    return sorted(p for p in folder.rglob("*.csv") if pattern.fullmatch(p.name) and p.is_file())


def _table(
    files: Sequence[Path],
    ground_truth: PathLike | None,
    folder: Path | None = None,
    year: int | None = None,
) -> pl.DataFrame:
    if not files:
        raise InputError(
            f"{folder}: no score file here; expected scores.csv or "
            "anomaly_score_<machine>_section_<nn>_test.csv"
        )
    truth = _ground_truth_of(ground_truth) if ground_truth or not year else _names_of(year)
    rows, seen, groups = [], dict[tuple[Any, ...], Path](), dict[tuple[Any, ...], Path]()
    for file in files:
        for row in _rows_of(file, truth):
            clip = tuple(row[key] for key in _CLIP)
            if clip in seen:
                raise InputError(
                    f"{file}: '{row['path']}' is scored a second time (before: {seen[clip]}); "
                    "keep one score for each clip"
                )
            seen[clip] = file
            _refuse_two_runs(groups, row, file)
            rows.append(row)
    return pl.DataFrame(rows, schema=SCHEMA, orient="row").sort(_CLIP)


def _refuse_two_runs(groups: dict[tuple[Any, ...], Path], row: Row, file: Path) -> None:
    """Raise `InputError` where other clips of a section and domain are in another file."""
    other = groups.setdefault(tuple(row[key] for key in _GROUP), file)
    if other != file:
        raise InputError(
            f"{file}: scores of {row['machine']} {row['section']}, as in {other}, of other clips: "
            "two runs, of different years perhaps; evaluate each by itself"
        )


def _rows_of(file: Path, truth: _LookUp) -> list[Row]:
    contents = score_lines(file)
    if form := _SUBMISSION_FILE.fullmatch(file.name):
        rows = list(_submission_rows(file, contents, form, truth))
    else:
        rows = [_completed(row, truth) for row in _own_rows(file, contents)]
    if not rows:
        raise InputError(f"{file}: no score in it; write one row for each test clip")
    return rows


def _own_rows(file: Path, contents: ScoreLines) -> Iterator[Row]:
    lines = contents.lines
    header = [name.strip() for name in lines[0][1]] if lines else list(SCORE_COLUMNS)
    missing = [c for c in SCORE_COLUMNS if c not in header and c not in _DEFAULTS]
    if missing:
        raise InputError(
            f"{file}: column '{missing[0]}' is missing; the header must name "
            f"{', '.join(SCORE_COLUMNS)} (a DCASE file must keep its name anomaly_score_...csv)"
        )
    common = _DEFAULTS | _origin(file)
    for number, cells in lines[1:]:
        where = f"{file}, line {number}"
        if len(cells) != len(header):
            raise InputError(f"{where}: {len(cells)} cells instead of {len(header)}; mend the line")
        row = common | {c: v for c, v in zip(header, cells, strict=True) if c in SCHEMA}
        yield row | _checked(row | {"score": contents.number(row["score"])}, where)


def _origin(file: Path) -> Row:
    own = _OWN_FILE.fullmatch(file.name)
    system = (own["system"] or "dgmix") if own else file.stem
    folder = file.absolute().parent
    seed = re.fullmatch(r"seed(\d+)", folder.name)
    repeat = re.fullmatch(r"repeat(\d+)", folder.parent.name) if seed else None
    return {
        "system": system,
        "repeat": int(repeat[1]) if repeat else 0,
        "seed": int(seed[1]) if seed else 0,
    }


def _checked(row: Row, where: str) -> Row:
    for column, allowed in _ALLOWED.items():
        if (value := row[column]) not in allowed:
            raise InputError(f"{where}: {column} '{value}' is not one of {', '.join(allowed)}")
    try:
        numbers = {"repeat": int(row["repeat"]), "seed": int(row["seed"])}
    except ValueError as error:
        raise InputError(f"{where}: repeat and seed must be whole numbers") from error
    return numbers | {"score": _score(row["score"], where)}


def _score(text: str, where: str) -> float:
    try:
        score = float(text.replace("_", "?"))  # which Python takes for thousands
    except ValueError as error:
        raise InputError(f"{where}: score '{text}' is not a number; mend the line") from error
    if not math.isfinite(score):
        raise InputError(f"{where}: score {text} is not finite; every clip needs a real number")
    return score


def _submission_rows(
    file: Path,
    contents: ScoreLines,
    form: re.Match[str],
    truth: _LookUp,
) -> Iterator[Row]:
    """Yield the rows of a DCASE file whose name matched `form`."""
    common = {
        "system": file.absolute().parent.name,
        "repeat": 0,
        "seed": 0,
        "machine": form["machine"],
        "section": form["section"] or form["id"],
        "split": "test",
    }
    for number, cells in without_header(contents.lines):
        where = f"{file}, line {number}"
        if len(cells) != 2:
            raise InputError(f"{where}: {len(cells)} cells; write the file name and the score only")
        name, score = cells[0].strip(), contents.number(cells[1])
        clip = parse_name(_path(name), form["machine"])
        domain, label = (clip.domain, clip.label) if clip else (UNKNOWN, UNKNOWN)
        row = _completed(common | {"path": name, "domain": domain, "label": label}, truth)
        if UNKNOWN in (row["domain"], row["label"]):
            raise InputError(
                f"{where}: the name '{name}' does not tell domain and label; give its year "
                "(--year) or the organisers' ground truth for it, or write the scores in dgmix's "
                "own form"
            )
        yield row | {"score": _score(score, where)}


def _path(name: str) -> Path:
    """Return the path of a clip as any system writes it."""
    return Path(PureWindowsPath(name).as_posix()) if "\\" in name else Path(name)


def _completed(row: Row, truth: _LookUp) -> Row:
    """Return a row with domain and label from the ground truth, where it lacked one of them."""
    return row | truth(row) if UNKNOWN in (row["domain"], row["label"]) else row


def _ground_truth_of(folder: PathLike | None) -> _LookUp:
    """Return what looks up the domain and label of a row, as far as the ground truth has them."""
    if folder is None:
        return lambda _row: {}
    root = Path(folder)
    if not (root / "ground_truth_data").is_dir():
        raise InputError(f"{root}: no folder ground_truth_data in it; give the organisers' folder")

    @cache
    def table(kind: str, machine: str, section: str) -> dict[str, str]:
        file = root / kind / f"ground_truth_{machine}_section_{section}_test.csv"
        return dict(_pair(file, number, cells) for number, cells in score_lines(file).lines)

    def look_up(row: Row) -> Row:
        name, place = _path(row["path"]).name, (row["machine"], row["section"])
        label = table("ground_truth_data", *place).get(name)
        domain = table("ground_truth_domain", *place).get(name)
        if label is None or domain is None:
            return {}
        return {"label": LABELS[int(label)], "domain": DOMAINS[int(domain)]}

    return look_up


def _names_of(year: int) -> _LookUp:
    """Return what looks up the domain and label of a row in the names of a year's clips."""
    known = clip_names(YEARS[year]) if year in YEARS else ClipNames({})

    def look_up(row: Row) -> Row:
        name, machine = Path(row["path"]).name, row["machine"]
        clip = parse_name(Path("test", known.names.get((machine, name), name)), machine)
        return {"label": clip.label, "domain": clip.domain} if clip else {}

    return look_up


def _pair(file: Path, number: int, cells: list[str]) -> tuple[str, str]:
    if len(cells) != 2 or cells[1] not in ("0", "1"):
        raise InputError(f"{file}, line {number}: expected a file name and 0 or 1")
    return cells[0], cells[1]
