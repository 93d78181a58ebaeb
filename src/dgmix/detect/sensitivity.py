"""Which share of planted faults a detector finds, by kind of fault and by strength.

The strength at which nine faults in ten are detected is what the non-destructive testing of
materials calls a90 (probability of detection: MIL-HDBK-1823A, 2009).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

Unit = Literal["level", "dB", "%", "% of the time", "% of the sound"]
MOST, HALF = 0.9, 0.5
CONFIDENCE = 0.95
NEVER = "never"
HEADER = ("planted fault", "detected 9 times in 10 from", "half of them from", "of the strongest")


@dataclass(frozen=True)
class Response:
    """How a detector responds to a kind of fault, at each of `strengths` (strength,).

    The unit "level" is dB beside the level of the machine, "dB" a change of its own; `detected`
    (strength,) are the shares of the planted faults that are called anomalies.
    """

    name: str
    unit: Unit
    strengths: tuple[float, ...]
    detected: tuple[float, ...]

    def least(self, share: float) -> float | None:
        """Return the least strength from which on such a share is detected, None without one."""
        enough = np.array(self.detected) >= share - 1e-9
        fewer = np.flatnonzero(~enough)
        first = int(fewer[-1]) + 1 if len(fewer) else 0
        return self.strengths[first] if first < len(self.strengths) else None


@dataclass(frozen=True)
class Sensitivity:
    """What a detector would find: its responses to faults planted in healthy recordings.

    `rate`: the false-alarm rate of the verdicts; `recordings`: in how many healthy recordings,
    each left out of what it is compared with, faults were planted; `plantings`: how many of each
    kind and strength; `flagged`: the share of these recordings that is called an anomaly without
    any fault; `learned_from`: from how many recordings the detector had learned.
    """

    rate: float
    recordings: int
    plantings: int
    flagged: float
    learned_from: int
    trained_on: bool
    responses: tuple[Response, ...]

    def interval(self, share: float) -> tuple[float, float]:
        """Return the 95 % interval of a share of planted faults that was detected.

        Clopper and Pearson's, with as many independent trials as there are recordings: two faults
        in one recording are not independent.
        """
        from scipy.special import betaincinv  # type: ignore[import-untyped]

        hits, misses = share * self.recordings, (1 - share) * self.recordings
        tail = (1 - CONFIDENCE) / 2
        low = float(betaincinv(hits, misses + 1, tail)) if hits > 0 else 0.0
        high = float(betaincinv(hits + 1, misses, 1 - tail)) if misses > 0 else 1.0
        return low, high

    def as_values(self) -> dict[str, Any]:
        """Return it as values that JSON has; `a90`, `a50`: `least` of 90 % and of 50 %."""
        return asdict(self) | {"responses": [self._response_values(r) for r in self.responses]}

    def _response_values(self, response: Response) -> dict[str, Any]:
        values = asdict(response)
        lists = {name: list(values[name]) for name in ("strengths", "detected")}
        intervals = [list(self.interval(share)) for share in response.detected]
        return {
            **values,
            **lists,
            "interval": intervals,
            "a90": response.least(MOST),
            "a50": response.least(HALF),
        }


def sensitivity_of(values: Mapping[str, Any]) -> Sensitivity:
    """Return what `as_values` was made of; raises `ValueError` where it is not of that form."""
    responses = tuple(_response(each) for each in values["responses"])
    numbers = {name: float(values[name]) for name in ("rate", "flagged")}
    counts = {name: int(values[name]) for name in ("recordings", "plantings", "learned_from")}
    if not all(0 <= number <= 1 for number in numbers.values()) or min(counts.values()) < 1:
        raise ValueError("a number out of range")
    trained_on = bool(values["trained_on"])
    return Sensitivity(**numbers, **counts, trained_on=trained_on, responses=responses)  # type: ignore[arg-type]


def _response(values: Mapping[str, Any]) -> Response:
    texts = [values[name] for name in ("name", "unit")]
    shares = "detected" if "detected" in values else "found"  # in early files of format 5 and 6
    rows = [tuple(map(float, values[name])) for name in ("strengths", shares)]
    response, detected = Response(*texts, *rows), np.array(rows[1])
    if not all(type(text) is str for text in texts) or response.unit not in get_args(Unit):
        raise ValueError("a fault without a name or unit")
    if not len(rows[0]) == len(rows[1]) > 0 or not ((detected >= 0) & (detected <= 1)).all():
        raise ValueError(
            "the shares of detected faults are not one number of 0 to 1 for each strength"
        )
    return response


def amount(unit: Unit, strength: float) -> str:
    """Return a strength in words: "20 dB under the machine", "3 dB", "10 %"."""
    if unit == "level":
        if strength == 0:
            return "as loud as the machine"
        side = "under" if strength < 0 else "over"
        return f"{abs(strength):g} dB {side} the machine"
    return f"{strength:g} {unit}"


def sensitivity_report(sensitivity: Sensitivity) -> list[str]:
    """Return the lines that tell what a detector would find, and what that rests on."""
    first, *others = report_terms(sensitivity)
    rows = [HEADER, *table_rows(sensitivity)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    return [f"what it would find, by {first}:", *(line.rstrip() for line in table), *others]


def report_terms(sensitivity: Sensitivity) -> list[str]:
    """Return what the table rests on, in three parts of a sentence."""
    caveat = "; its network was trained on them, too" if sensitivity.trained_on else ""
    return [
        f"faults planted in {sensitivity.recordings} healthy recordings "
        f"({sensitivity.plantings} of each kind and strength)",
        "each recording was left out of what it was compared with; verdicts at a false-alarm rate "
        f"of {100 * sensitivity.rate:.3g} %;",
        f"{100 * sensitivity.flagged:.0f} % of these recordings are flagged without a fault"
        f"{caveat}",
    ]


def table_rows(sensitivity: Sensitivity) -> list[tuple[str, ...]]:
    """Return the cells of a table with `HEADER`: from which strength on each kind is detected."""
    return [_row(response) for response in sensitivity.responses]


def _row(response: Response) -> tuple[str, ...]:
    leasts = (response.least(MOST), response.least(HALF))
    cells = [NEVER if each is None else amount(response.unit, each) for each in leasts]
    strongest = amount(response.unit, response.strengths[-1])
    return response.name, *cells, f"{100 * response.detected[-1]:.0f} % ({strongest})"
