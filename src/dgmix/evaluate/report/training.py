"""What the training of a run wrote down, epoch by epoch."""

from __future__ import annotations

import json
import math
import string
from dataclasses import dataclass
from pathlib import Path

from dgmix.errors import InputError
from dgmix.files import explained

Epoch = dict[str, float]


@dataclass(frozen=True)
class TrainingLog:
    """One training: the `log.jsonl` of a machine, a seed and a repeat of the data's split.

    `network` is its number among those of an ensemble, from 1; `stages` holds, for each stage in
    the order it ran, its epochs, one mapping each.
    """

    machine: str
    repeat: int | None
    seed: int
    network: int
    stages: dict[str, list[Epoch]]

    @property
    def name(self) -> str:
        """The seed, the repeat where the data has several, and the network after the first."""
        repeat = "" if self.repeat is None else f"repeat {self.repeat}, "
        network = "" if self.network == 1 else f", network {self.network}"
        return f"{repeat}seed {self.seed}{network}"


def read_logs(run: Path) -> list[TrainingLog]:
    """Return every `log.jsonl` of a run, by machine, repeat, seed, network; none is no error.

    Of an epoch that was written twice, because training was taken up again, the later one counts.
    A last line that breaks off is left out: the run was stopped while writing it.

    Raises `InputError` for any other line that is not a JSON object with a stage and an epoch.
    """
    units = [*run.glob("*/seed[0-9]*/"), *run.glob("*/repeat[0-9]*/seed[0-9]*/")]
    paths = [path for unit in units for path in unit.glob("**/log.jsonl")]
    logs = [_read(path, run) for path in paths]
    return sorted(logs, key=lambda log: (log.machine, log.repeat or 0, log.seed, log.network))


def _read(path: Path, run: Path) -> TrainingLog:
    machine, *folders = path.parent.relative_to(run).parts
    numbers = dict(map(_number, folders))
    with explained(path):
        lines = path.read_text("utf-8", errors="replace").splitlines()
    rows: dict[tuple[str, int], Epoch] = {}
    for index, line in enumerate(lines):
        try:
            row = json.loads(line)
            rows[str(row["stage"]), int(row["epoch"])] = _numbers(row)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            if index == len(lines) - 1:
                break
            raise InputError(
                f"{path}: line {index + 1} is not an epoch of training; remove that line"
            ) from error
    stages: dict[str, list[Epoch]] = {}
    for (stage, _), row in sorted(rows.items(), key=lambda item: item[0][1]):
        stages.setdefault(stage, []).append(row)
    return TrainingLog(
        machine, numbers.get("repeat"), numbers["seed"], numbers.get("network", 1), stages
    )


def _numbers(row: object) -> Epoch:
    if not isinstance(row, dict):
        raise TypeError("not an object")
    values = {
        name: math.nan if value is None else value
        for name, value in row.items()
        if name != "stage" and not isinstance(value, bool)
    }
    return {name: float(v) for name, v in values.items() if isinstance(v, int | float)}


def _number(folder: str) -> tuple[str, int]:
    """Return what a folder numbers, and the number: "seed" and 3, of seed3; 0 where it has none."""
    digits = folder.lstrip(string.ascii_lowercase)
    return folder.removesuffix(digits), int(digits) if digits.isdigit() else 0
