"""The tables of a run: results.csv, results.md and the few lines that end it on a terminal.

Numbers are fractions in `results_frame` and results.csv, per cent in all that is meant to be read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import polars as pl

from dgmix.config import EvaluateSettings
from dgmix.errors import DgmixError
from dgmix.evaluate.draws import GROUPS
from dgmix.evaluate.formats import in_order, markdown_table, percent, shown, signed, text_table
from dgmix.evaluate.intervals import Estimate, Place, Resampled, resample
from dgmix.evaluate.metrics import METRICS
from dgmix.evaluate.notes import (
    CONVENTION_NAMES,
    CONVENTION_TEXT,
    CONVENTION_YEARS,
    METRIC_NAMES,
    interval_note,
    notes,
    unlabeled,
)
from dgmix.evaluate.published import figures_of
from dgmix.evaluate.rules import DEV, EVAL, blocks, convention_of, year_of_scores
from dgmix.evaluate.scores import csv_text, shown_system, systems_of

Block = frozenset[Place] | None
FEWEST_CLIPS = 150
"""Labelled test clips of a section in any year's set, or fewer."""


def results_frame(scores: pl.DataFrame) -> pl.DataFrame:
    """Return one row a system, repeat, seed, machine and section, sorted by them.

    Columns, after those five: `auc_source`, `auc_target`, `pauc` (official from 2022 on),
    `auc_source_same`, `auc_target_same` (same-domain), float64 fractions, null where undefined;
    then how many test clips there are of each domain and label (`source_normal`, ...), and without
    one (`unlabeled`). Scores of 2020 have `auc` after these, those of 2021 `pauc_source` and
    `pauc_target`.
    """
    official, same, yearly = (
        resample(scores, convention, bootstrap=0)
        for convention in ("official", "same-domain", convention_of(scores))
    )
    more = [metric for metric in yearly.metrics if metric not in METRICS]
    unknown = unlabeled(scores)
    rows = []
    for unit in sorted(official.cells):
        groups = official.clips[unit].groups.tolist()
        own = dict(zip(yearly.metrics, yearly.cells[unit][0].tolist(), strict=True))
        rows.append(
            unit._asdict()
            | dict(zip(METRICS, official.cells[unit][0].tolist(), strict=True))
            | dict(zip(_SAME, same.cells[unit][0, :2].tolist(), strict=True))
            | {"_".join(name): groups.count(number) for number, name in enumerate(GROUPS)}
            | {"unlabeled": unknown.filter(**unit._asdict()).height}
            | {metric: own[metric] for metric in more}
        )
    schema = _RESULTS | dict.fromkeys(more, pl.Float64)
    return pl.DataFrame(rows, schema=schema).with_columns(pl.selectors.float().fill_nan(None))


def results_csv(scores: pl.DataFrame) -> str:
    """Return `results_frame` as CSV: numbers as short as reads back the same, undefined empty."""
    results = results_frame(scores)
    rows = [["" if cell is None else str(cell) for cell in row] for row in results.iter_rows()]
    return csv_text([results.columns, *rows])


def results_markdown(
    scores: pl.DataFrame, settings: EvaluateSettings, remarks: Sequence[str] = ()
) -> str:
    """Return results.md: the official tables of every system, the same-domain ones, footnotes.

    Official is what the year is judged by that the scores are of; same-domain tables are there from
    2022 on. `remarks` are further footnotes.
    """
    convention = convention_of(scores)
    official = resample(scores, convention, settings.bootstrap, settings.confidence)
    systems = systems_of(scores)
    parts = [
        "# Anomaly detection results",
        _scope(scores) + " All numbers in %; 50 is chance for an AUC or pAUC.",
        f"## Official metric ({CONVENTION_YEARS[convention]}): {CONVENTION_TEXT[convention]}",
        markdown_table(*overview(official, systems)),
        *(_official_part(official, system) for system in systems),
        *_published_part(official, scores),
        *(_same_domain_parts(scores, systems) if convention == "official" else []),
        "## Notes",
        "\n".join(f"- {note}" for note in [*notes(official, scores), *remarks]),
    ]
    return "\n\n".join(parts) + "\n"


def summary_text(scores: pl.DataFrame, settings: EvaluateSettings) -> str:
    """Return the table that ends a run: each system's official metrics, in % (no final newline)."""
    official = resample(scores, convention_of(scores), settings.bootstrap, settings.confidence)
    table = text_table(*overview(official, systems_of(scores), brief=True))
    about = f"{_scope(scores)} Official metric, in %:"
    return f"{about}\n\n{table}\n\n{interval_note(official)}"


def summary_values(
    scores: pl.DataFrame, settings: EvaluateSettings
) -> dict[str, dict[str, float | list[float] | None]]:
    """Return the official metrics and Ω of each system: fractions, None where undefined."""
    official = resample(scores, convention_of(scores), settings.bootstrap, settings.confidence)
    return {
        system: {
            **{name: _plain(official.estimate(system, [name]).value) for name in official.metrics},
            "omega": _plain(official.estimate(system).value),
            "omega_interval": _interval(official.estimate(system)),
            "omega_error": _plain(official.estimate(system).error),
        }
        for system in systems_of(scores)
    }


def _interval(estimate: Estimate) -> list[float] | None:
    return None if math.isnan(estimate.low) else [estimate.low, estimate.high]


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value


def overview(
    judged: Resampled, systems: Sequence[str], brief: bool = False
) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the table that sets the systems side by side.

    Where dgmix is one of several, the last column is how much its Ω is above each other one's;
    a `brief` table has no such column, and only its last Ω has an interval.
    """
    omegas = {f"Ω {name}".strip(): places for name, places in blocks_of(judged).items()}
    compared = "dgmix" in systems and len(systems) > 1 and not brief
    rows = []
    for system in systems:
        row = [shown_system(system)]
        row += [shown(judged.estimate(system, [metric]), spread=False) for metric in judged.metrics]
        for places in omegas.values():
            spread = not brief or places is None
            row.append(shown(judged.estimate(system, places=places), spread))
        rows.append([*row, _lead(judged, system)] if compared else row)
    return [*_header(judged), *omegas, *(["lead of dgmix"] if compared else [])], rows


def blocks_of(judged: Resampled) -> dict[str, Block]:
    """Return the machines and sections to judge apart; see `dgmix.evaluate.rules.blocks`."""
    return blocks({(unit.machine, unit.section) for unit in judged.cells})


def block_title(name: str, places: Block) -> str:
    """Return what a block is called in a heading; nothing where it is the only one."""
    if name in ("", "all"):
        return "all sections" if name else ""
    sections = tuple(sorted({section for _, section in places or ()}))
    return f"{name} (sections {sections[0]}–{sections[-1]})" if sections in (DEV, EVAL) else name


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
    for name, places in blocks_of(judged).items():
        title = [shown_system(system), CONVENTION_NAMES[judged.convention]]
        title += [block_title(name, places)] if name else []
        parts += [f"### {', '.join(title)}", _official_table(judged, system, places)]
    return "\n\n".join(parts)


def _official_table(judged: Resampled, system: str, places: Block) -> str:
    there = judged.places(system) & (places or judged.places(system))
    rows = []
    for machine in (*in_order({machine for machine, _ in there}), None):
        of = [
            judged.estimate(system, metrics, machine, places)
            for metrics in (*([metric] for metric in judged.metrics), judged.metrics)
        ]
        cells = [shown(each, spread=each is of[-1]) for each in of]
        rows.append(
            [machine, *cells] if machine else [f"**{c}**" for c in ("all machines", *cells)]
        )
    return markdown_table([*_header(judged), "Ω"], rows)


def _header(judged: Resampled) -> list[str]:
    names = [METRIC_NAMES[metric] for metric in judged.metrics]
    return [CONVENTION_NAMES[judged.convention], *names]


def _published_part(judged: Resampled, scores: pl.DataFrame) -> list[str]:
    """Return the published figures of a year beside ours, if a whole set of it has been scored."""
    year = year_of_scores(scores)
    large = {
        (unit.machine, unit.section)
        for unit, clips in judged.clips.items()
        if len(clips.paths) >= FEWEST_CLIPS
    }
    whole = [name for name, of in year.places.items() if of <= large] if year else []
    if year is None or not whole:
        return []
    rows = [
        [
            f"**{shown_system(system)}**, this run",
            *(
                percent(judged.estimate(system, places=of).value) if name in whole else "–"
                for name, of in year.places.items()
            ),
            "",
        ]
        for system in systems_of(scores)
    ]
    for system, values, source in figures_of(year.number):
        shown_values = ["–" if value is None else f"{value:.2f}" for value in values]
        rows.append([system, *shown_values, source])
    return [
        f"## Published figures of DCASE {year.number}",
        "The official score Ω in %. They compare with this run only if its clips are those of the "
        "challenge, not simulated or own ones of the same names.",
        markdown_table(["system", "dev", "eval", "source"], rows),
    ]


def _same_domain_parts(scores: pl.DataFrame, systems: Sequence[str]) -> list[str]:
    same = resample(scores, "same-domain", bootstrap=0)
    return [
        f"## Same-domain metric: {CONVENTION_TEXT['same-domain']}",
        "Harmonic means over sections; the column AUC is over all machines.",
        *(_same_domain_part(same, system) for system in systems),
    ]


def _same_domain_part(judged: Resampled, system: str) -> str:
    machines = in_order({machine for machine, _ in judged.places(system)})
    rows = []
    for domain in ("source", "target"):
        for name, places in blocks_of(judged).items():
            if name != "all":
                values = [
                    judged.estimate(system, [f"auc_{domain}"], machine, places)
                    for machine in (None, *machines)
                ]
                rows.append([f"{domain}_{name}".rstrip("_"), *(shown(each) for each in values)])
    table = markdown_table([judged.convention, "AUC", *machines], rows)
    return f"### {shown_system(system)}, {judged.convention}\n\n{table}"


def _lead(judged: Resampled, system: str) -> str:
    if system == "dgmix":
        return ""
    try:
        return signed(judged.difference("dgmix", system))
    except DgmixError:
        return "other clips"
