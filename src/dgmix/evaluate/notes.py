"""The footnotes of tables: what the numbers are, how sure, and what had to be left out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import polars as pl

from dgmix.data.year_names import HIDDEN
from dgmix.data.years import YEARS
from dgmix.errors import first_few
from dgmix.evaluate.intervals import Resampled, Training
from dgmix.evaluate.metrics import MAX_FPR, Convention
from dgmix.evaluate.scores import UNKNOWN, shown_system, systems_of

METRIC_NAMES = {
    "auc": "AUC",
    "auc_source": "AUC source",
    "auc_target": "AUC target",
    "pauc": "pAUC",
    "pauc_source": "pAUC source",
    "pauc_target": "pAUC target",
}
CONVENTION_NAMES: dict[Convention, str] = {
    "official": "official",
    "same-domain": "same-domain",
    "by-domain": "official 2021",
    "by-id": "official 2020",
}
CONVENTION_YEARS: dict[Convention, str] = {
    "official": f"DCASE 2022–{max(YEARS)}",
    "by-domain": "DCASE 2021",
    "by-id": "DCASE 2020",
}
CONVENTION_TEXT: dict[Convention, str] = {
    "official": "AUC of a domain: its normal clips against all anomalies of the section",
    "same-domain": "AUC of a domain: its normal clips against the anomalies of that domain only",
    "by-domain": "AUC and pAUC of a domain: its normal clips against the anomalies of that domain",
    "by-id": "AUC and pAUC of a machine id: its normal clips against its anomalies",
}
PAUC_TEXT = f"up to a false-positive rate of {MAX_FPR}, McClish-standardised"
AGGREGATE_TEXT: dict[Convention, str] = {
    "official": "Ω: harmonic mean over machines × sections × {AUC source, AUC target, pAUC}. The "
    "other columns are harmonic means too.",
    "same-domain": "Ω: harmonic mean over machines × sections × {AUC source, AUC target, pAUC}. "
    "The other columns are harmonic means too.",
    "by-domain": "Ω: harmonic mean over machines × sections × domains × {AUC, pAUC}. The other "
    "columns are harmonic means too.",
    "by-id": "Ω: mean over machines of the mean over their ids of AUC and pAUC. The other columns "
    "are such means too.",
}
NAMED_SECTIONS = 12


def notes(judged: Resampled, scores: pl.DataFrame) -> list[str]:
    """Return the footnotes: what the metrics and intervals are, and what had to be left out."""
    over = "over the whole section, " if "pauc" in judged.metrics else ""
    sentences = [
        f"{CONVENTION_TEXT[judged.convention]}; pAUC: {over}{PAUC_TEXT}; "
        f"{AGGREGATE_TEXT[judged.convention]}",
        interval_note(judged),
    ]
    sentences += [
        f"{shown_system(system)}: {_named(judged, partial)} has not scored every section "
        "and is left out of the means over machines."
        for system in systems_of(scores)
        if (partial := judged.partial_trainings(system))
    ]
    if marked := _marked(scores):
        sentences.append(
            f"Names of {first_few(marked, NAMED_SECTIONS)} have attributes that the "
            "challenge withheld (download --hidden-attributes): systems that learned from them do "
            "not compare with those that could not."
        )
    if len({tuple(judged.trainings(system)) for system in systems_of(scores)}) > 1:
        sentences.append(
            "The systems are not all of the same seeds and splits; a lead is of those of both."
        )
    if len({frozenset(judged.places(system)) for system in systems_of(scores)}) > 1:
        sentences.append("The systems did not score the same sections: their Ω are not comparable.")
    sentences += _undefined_notes(judged)
    if count := unlabeled(scores).select("machine", "section", "path").n_unique():
        sentences.append(
            f"Test clips without domain or label, which are left out: {count}. Their scores are of "
            "use for a submission only."
        )
    return sentences


def unlabeled(scores: pl.DataFrame) -> pl.DataFrame:
    """Return the test clips of a table of scores whose domain or label is not known."""
    unknown = pl.any_horizontal(pl.col("label", "domain") == UNKNOWN)
    return scores.filter(pl.col("split") == "test", unknown)


def _named(judged: Resampled, trainings: Sequence[Training]) -> str:
    """Return what trainings are called in a note: by seed, and by split where there are several."""
    if not judged.several_repeats:
        return f"seed {', '.join(str(each.seed) for each in trainings)}"
    return f"split {', '.join(f'{each.repeat} (seed {each.seed})' for each in trainings)}"


def interval_note(judged: Resampled) -> str:
    """Return what the intervals of a table are, or that there are none."""
    seeds = len({unit.seed for unit in judged.cells})
    over_seeds = "one seed" if seeds == 1 else f"the mean over {seeds} seeds"
    if judged.several_repeats:
        repeats = len({unit.repeat for unit in judged.cells})
        return f"±: standard error over {repeats} train/test splits; each split is {over_seeds}."
    if not judged.resamples:
        return f"Every number is of {over_seeds}; no interval was computed."
    return (
        f"[low, high]: {100 * judged.confidence:g} % bootstrap interval, {judged.resamples} "
        "resamples of the test clips (within section, domain and label)"
        + (f" and of the seeds; every number is {over_seeds}." if seeds > 1 else "; one seed.")
    )


def _undefined_notes(judged: Resampled) -> list[str]:
    sentences = []
    for number, metric in enumerate(judged.metrics):
        places = sorted(
            {
                f"{unit.machine} {unit.section}"
                for unit, cells in judged.cells.items()
                if math.isnan(cells[0, number])
            }
        )
        if places:
            named = first_few(places, NAMED_SECTIONS)
            sentences.append(
                f"{METRIC_NAMES[metric]} is undefined, and left out of the means, in {named}: "
                "clips of one class are missing there."
            )
    return sentences


def _marked(scores: pl.DataFrame) -> list[str]:
    """Return the machines whose clips are named with attributes that the challenge withheld."""
    marked = pl.col("path").str.contains(rf"_\d+_{HIDDEN}[^/]*$")
    return sorted(scores.filter(marked)["machine"].unique())
