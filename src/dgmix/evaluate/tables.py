"""The tables of a run: results.csv, results.md and the few lines that end it on a terminal.

Numbers are fractions in `results_frame` and results.csv, per cent in all that is meant to be read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import polars as pl

from dgmix.config import EvaluateSettings
from dgmix.errors import DgmixError, first_few
from dgmix.evaluate.intervals import GROUPS, Estimate, Resampled, Training, resample
from dgmix.evaluate.metrics import MAX_FPR, METRICS, Convention
from dgmix.evaluate.scores import UNKNOWN, csv_text, shown_system, systems_of

MACHINES = ("bearing", "fan", "gearbox", "valve", "slider", "ToyCar", "ToyTrain")
DEV, EVAL = ("00", "01", "02"), ("03", "04", "05")
METRIC_NAMES = {"auc_source": "AUC source", "auc_target": "AUC target", "pauc": "pAUC"}
CONVENTION_TEXT: dict[Convention, str] = {
    "official": "AUC of a domain: its normal clips against all anomalies of the section",
    "same-domain": "AUC of a domain: its normal clips against the anomalies of that domain only",
}
BLOCK_NAMES = {
    "": [],
    "dev": ["dev (sections 00–02)"],
    "eval": ["eval (sections 03–05)"],
    "all": ["all sections"],
}
NAMED_SECTIONS = 12
Block = tuple[str, ...] | None


def results_frame(scores: pl.DataFrame) -> pl.DataFrame:
    """Return one row a system, repeat, seed, machine and section, sorted by them.

    Columns, after those five: `auc_source`, `auc_target`, `pauc` (official), `auc_source_same`,
    `auc_target_same` (same-domain), float64 fractions, null where undefined; then how many test
    clips there are of each domain and label (`source_normal`, ...), and without one (`unlabeled`).
    """
    official, same = (
        resample(scores, convention, bootstrap=0) for convention in ("official", "same-domain")
    )
    unlabeled = _unlabeled(scores)
    rows = []
    for unit in sorted(official.cells):
        groups = official.clips[unit].groups.tolist()
        rows.append(
            unit._asdict()
            | dict(zip(METRICS, official.cells[unit][0].tolist(), strict=True))
            | dict(zip(_SAME, same.cells[unit][0, :2].tolist(), strict=True))
            | {"_".join(name): groups.count(number) for number, name in enumerate(GROUPS)}
            | {"unlabeled": unlabeled.filter(**unit._asdict()).height}
        )
    return pl.DataFrame(rows, schema=_RESULTS).with_columns(pl.selectors.float().fill_nan(None))


def results_csv(scores: pl.DataFrame) -> str:
    """Return `results_frame` as CSV: numbers as short as reads back the same, undefined empty."""
    results = results_frame(scores)
    rows = [["" if cell is None else str(cell) for cell in row] for row in results.iter_rows()]
    return csv_text([results.columns, *rows])


def results_markdown(scores: pl.DataFrame, settings: EvaluateSettings) -> str:
    """Return results.md: the official tables of every system, the same-domain ones, footnotes."""
    official = resample(scores, "official", settings.bootstrap, settings.confidence)
    same = resample(scores, "same-domain", bootstrap=0)
    systems = systems_of(scores)
    parts = [
        "# Anomaly detection results",
        _scope(scores) + " All numbers in %; 50 is chance for an AUC or pAUC.",
        f"## Official metric (DCASE 2022–2025): {CONVENTION_TEXT['official']}",
        markdown_table(*overview(official, systems)),
        *(_official_part(official, system) for system in systems),
        f"## Same-domain metric: {CONVENTION_TEXT['same-domain']}",
        "Harmonic means over sections; the column AUC is over all machines.",
        *(_same_domain_part(same, system) for system in systems),
        "## Notes",
        "\n".join(f"- {note}" for note in notes(official, scores)),
    ]
    return "\n\n".join(parts) + "\n"


def summary_text(scores: pl.DataFrame, settings: EvaluateSettings) -> str:
    """Return the table that ends a run: each system's official metrics, in % (no final newline)."""
    official = resample(scores, "official", settings.bootstrap, settings.confidence)
    table = text_table(*overview(official, systems_of(scores), brief=True))
    about = f"{_scope(scores)} Official metric, in %:"
    return f"{about}\n\n{table}\n\n{_interval_note(official)}"


def overview(
    judged: Resampled, systems: Sequence[str], brief: bool = False
) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the table that sets the systems side by side.

    Where dgmix is one of several, the last column is how much its Ω is above each other one's;
    a `brief` table has no such column, and only its last Ω has an interval.
    """
    omegas = {f"Ω {name}".strip(): sections for name, sections in blocks(judged).items()}
    compared = "dgmix" in systems and len(systems) > 1 and not brief
    header = [judged.convention, *METRIC_NAMES.values(), *omegas]
    rows = []
    for system in systems:
        row = [shown_system(system)]
        row += [shown(judged.estimate(system, [metric]), spread=False) for metric in METRICS]
        for sections in omegas.values():
            spread = not brief or sections is None
            row.append(shown(judged.estimate(system, sections=sections), spread))
        rows.append([*row, _lead(judged, system)] if compared else row)
    return [*header, *(["lead of dgmix"] if compared else [])], rows


def notes(judged: Resampled, scores: pl.DataFrame) -> list[str]:
    """Return the footnotes: what the metrics and intervals are, and what had to be left out."""
    found = [
        f"{CONVENTION_TEXT[judged.convention]}; pAUC: over the whole section, up to a "
        f"false-positive rate of {MAX_FPR}, McClish-standardised; Ω: harmonic mean over machines × "
        "sections × {AUC source, AUC target, pAUC}. The other columns are harmonic means too.",
        _interval_note(judged),
    ]
    found += [
        f"{shown_system(system)}: {_named(judged, partial)} has not scored every section "
        "and is left out of the means over machines."
        for system in systems_of(scores)
        if (partial := judged.partial_trainings(system))
    ]
    if len({tuple(judged.trainings(system)) for system in systems_of(scores)}) > 1:
        found.append(
            "The systems are not all of the same seeds and splits; a lead is of those of both."
        )
    if len({frozenset(judged.places(system)) for system in systems_of(scores)}) > 1:
        found.append("The systems did not score the same sections: their Ω are not comparable.")
    found += _undefined_notes(judged)
    if count := _unlabeled(scores).select("machine", "section", "path").n_unique():
        found.append(f"Test clips without domain or label, which are left out: {count}.")
    return found


def blocks(judged: Resampled) -> dict[str, Block]:
    """Return the sections to judge apart, by name; None is all of them.

    The six sections of DCASE 2022 make "dev" (00-02), "eval" (03-05) and "all"; others one block
    without a name.
    """
    if {unit.section for unit in judged.cells} == {*DEV, *EVAL}:
        return {"dev": DEV, "eval": EVAL, "all": None}
    return {"": None}


def shown(estimate: Estimate, spread: bool = True) -> str:
    """Return a number in %, with its interval or standard error if `spread`; or "undefined"."""
    text = percent(estimate.value)
    if not math.isnan(estimate.error):
        return f"{text} ± {percent(estimate.error)}"
    if spread and not math.isnan(estimate.low):
        return f"{text} [{percent(estimate.low)}, {percent(estimate.high)}]"
    return text


def percent(fraction: float, sign: str = "") -> str:
    """Return a fraction in % with two decimals, or "undefined" for NaN."""
    return "undefined" if math.isnan(fraction) else f"{100 * fraction:{sign}.2f}"


def in_order(machines: set[str]) -> list[str]:
    """Return machine names: those of DCASE 2022 as its tables have them, then the others."""
    return [m for m in MACHINES if m in machines] + sorted(machines - set(MACHINES))


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the first column is on the left, the others on the right."""
    header, *rows = ([cell.replace("|", "\\|") for cell in row] for row in (header, *rows))
    widths = _widths(header, rows)
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in _aligned(header, rows, widths, rule))


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table for the terminal, columns two spaces apart, the first one on the left."""
    widths = _widths(header, rows)
    return "\n".join("  ".join(line).rstrip() for line in _aligned(header, rows, widths))


_SAME = ("auc_source_same", "auc_target_same")
_RESULTS = {
    "system": pl.String,
    "repeat": pl.Int64,
    "seed": pl.Int64,
    "machine": pl.String,
    "section": pl.String,
    **dict.fromkeys((*METRICS, *_SAME), pl.Float64),
    **dict.fromkeys(["_".join(name) for name in GROUPS], pl.Int64),
    "unlabeled": pl.Int64,
}


def _unlabeled(scores: pl.DataFrame) -> pl.DataFrame:
    unknown = pl.any_horizontal(pl.col("label", "domain") == UNKNOWN)
    return scores.filter(pl.col("split") == "test", unknown)


def _scope(scores: pl.DataFrame) -> str:
    test = scores.filter(pl.col("split") == "test")
    splits = test["repeat"].n_unique()
    counts = [
        (test["machine"].n_unique(), "machine"),
        (test.select("machine", "section").n_unique(), "section"),
        (test.select("machine", "section", "path").n_unique(), "test clip"),
        *([(splits, "train/test split")] if splits > 1 else []),
        (test["seed"].n_unique(), "seed"),
    ]
    return ", ".join(f"{n} {name}{'' if n == 1 else 's'}" for n, name in counts) + "."


def _official_part(judged: Resampled, system: str) -> str:
    parts = []
    for name, sections in blocks(judged).items():
        title = ", ".join([shown_system(system), judged.convention, *BLOCK_NAMES[name]])
        parts += [f"### {title}", _official_table(judged, system, sections)]
    return "\n\n".join(parts)


def _official_table(judged: Resampled, system: str, sections: Block) -> str:
    machines = in_order({machine for machine, _ in judged.places(system)})
    rows = []
    for machine in (*machines, None):
        of = [
            judged.estimate(system, metrics, machine, sections)
            for metrics in (*([metric] for metric in METRICS), METRICS)
        ]
        cells = [shown(each, spread=each is of[-1]) for each in of]
        rows.append(
            [machine, *cells] if machine else [f"**{c}**" for c in ("all machines", *cells)]
        )
    return markdown_table([judged.convention, *METRIC_NAMES.values(), "Ω"], rows)


def _same_domain_part(judged: Resampled, system: str) -> str:
    machines = in_order({machine for machine, _ in judged.places(system)})
    parts = blocks(judged)
    rows = []
    for domain in ("source", "target"):
        for name, sections in parts.items():
            if name != "all":
                values = [
                    judged.estimate(system, [f"auc_{domain}"], machine, sections)
                    for machine in (None, *machines)
                ]
                rows.append([f"{domain}_{name}".rstrip("_"), *(shown(each) for each in values)])
    table = markdown_table([judged.convention, "AUC", *machines], rows)
    return f"### {shown_system(system)}, {judged.convention}\n\n{table}"


def _lead(judged: Resampled, system: str) -> str:
    if system == "dgmix":
        return ""
    try:
        found = judged.difference("dgmix", system)
    except DgmixError:
        return "other clips"
    text = percent(found.value, "+")
    if not math.isnan(found.error):
        return f"{text} ± {percent(found.error)}"
    if not math.isnan(found.low):
        return f"{text} [{percent(found.low, '+')}, {percent(found.high, '+')}]"
    return text


def _named(judged: Resampled, trainings: Sequence[Training]) -> str:
    """Return what trainings are called in a note: by seed, and by split where there are several."""
    if not judged.several_repeats:
        return f"seed {', '.join(str(each.seed) for each in trainings)}"
    return f"split {', '.join(f'{each.repeat} (seed {each.seed})' for each in trainings)}"


def _interval_note(judged: Resampled) -> str:
    seeds = len({unit.seed for unit in judged.cells})
    over_seeds = "one seed" if seeds == 1 else f"the mean over {seeds} seeds"
    if judged.several_repeats:
        repeats = len({unit.repeat for unit in judged.cells})
        return f"±: standard error over {repeats} train/test splits; each split is {over_seeds}."
    if not judged.resamples:
        return f"Every number is of {over_seeds}; no interval was asked for."
    return (
        f"[low, high]: {100 * judged.confidence:g} % bootstrap interval, {judged.resamples} "
        "resamples of the test clips (within section, domain and label)"
        + (f" and of the seeds; every number is {over_seeds}." if seeds > 1 else "; one seed.")
    )


def _undefined_notes(judged: Resampled) -> list[str]:
    found = []
    for number, metric in enumerate(METRICS):
        places = sorted(
            {
                f"{unit.machine} {unit.section}"
                for unit, cells in judged.cells.items()
                if math.isnan(cells[0, number])
            }
        )
        if places:
            named = first_few(places, NAMED_SECTIONS)
            found.append(
                f"{METRIC_NAMES[metric]} is undefined, and left out of the means, in {named}: "
                "clips of one class are missing there."
            )
    return found


def _widths(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(3, *map(len, column)) for column in zip(header, *rows, strict=True)]


def _aligned(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    widths: Sequence[int],
    rule: Sequence[str] | None = None,
) -> list[list[str]]:
    lines = [
        [cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in enumerate(pairs)]
        for pairs in (zip(line, widths, strict=True) for line in (header, *rows))
    ]
    return [lines[0], list(rule), *lines[1:]] if rule else lines
