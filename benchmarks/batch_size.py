"""Does DG-Mix pay, and at which size of batch?

    python benchmarks/batch_size.py -o runs/batch-size NAME=DATA … [--seeds 3] [--crops 61440]

DATA is what `dgmix run -d` takes: a set in DCASE form or a CSV of splits, of which the first
`--splits` are taken. The recipe `published` pre-trains on batches of each size until so many crops
were seen, so that a large batch takes fewer steps: the learning rate is scaled by the batch as LARS
has it, and warm-up is a tenth of the steps. There is no fine-tuning; clips are compared by whitened
1-NN within their section. Rows: log-standardised and published input, mixing within a machine type
and across types, and the network untrained. Across types, a set of several is trained on as a
whole, and those of one type each are trained on together. Writes
`benchmarks/results/batch_size.md`: Ω (official) and its 95 % interval over seeds (Student's t; of
two seeds both values), a seed's Ω being the mean over splits. Of each group of rows every cell is
trained with the first seed before any is with the second. Continues where it was stopped;
`--no-training` writes the table of what is there.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, product
from pathlib import Path
from statistics import fmean, harmonic_mean, stdev

import polars as pl
from scipy.stats import t as student

import dgmix
from dgmix.config import load_recipe
from dgmix.data import load_manifest
from dgmix.evaluate.tables import METRICS
from dgmix.files import write_text

SIZES = (64, 256, 1024, 2048)
WHOLE = 256  # crops whose activations are kept
RESULT = Path(__file__).parent / "results" / "batch_size.md"
DETECTOR, UNTRAINED = "dgmix", "untrained"


@dataclass(frozen=True)
class Arm:
    """A way to train: batch size, input and what is mixed."""

    size: int
    log: bool
    together: bool

    @property
    def group(self) -> str:
        """What the rows of all sizes have in common."""
        levels = "log-standardised" if self.log else "published"
        return f"{levels}, {'across types' if self.together else 'within a type'}"

    @property
    def place(self) -> str:
        """The name of the folder of its runs."""
        return f"{self.size}-{'log' if self.log else 'linear'}-{'all' if self.together else 'one'}"

    def changes(self, crops: int) -> list[str]:
        """Return the settings that differ from the recipe `published`, for so many crops seen."""
        steps = max(1, round(crops / self.size))
        stage = {
            "batch_size": self.size,
            "recompute": str(self.size > WHOLE).lower(),
            "epochs": 1,
            "min_steps": steps,
            "max_steps": steps,
        }
        levels = str(self.log).lower()
        return [
            *(f"pretrain.{name}={value}" for name, value in stage.items()),
            "finetune.epochs=0",
            f"input.log={levels}",
            f"input.standardize={levels}",
            f"together={str(self.together).lower()}",
            "detect.whiten=true",
            f"evaluate.baselines=[{UNTRAINED if self.size == SIZES[0] else ''}]",
            "evaluate.bootstrap=0",
        ]


def groups() -> Iterator[list[Arm]]:
    """Yield the ways to train that differ in their batch alone."""
    for log in (True, False):
        for together in (False, True):
            yield [Arm(size, log, together) for size in SIZES]


def arms() -> Iterator[Arm]:
    """Yield every way to train."""
    return chain.from_iterable(groups())


def omegas(results: pl.DataFrame, system: str) -> list[float]:
    """Return Ω of a system, in percent, for each seed in order: the mean over its splits."""
    mine = results.filter(pl.col("system") == system)
    by_size: dict[int, list[float]] = {}
    for (seed, _repeat), rows in sorted(mine.group_by("seed", "repeat")):
        values = [v for name in METRICS for v in rows[name].drop_nulls()]
        by_size.setdefault(int(seed), []).append(100 * harmonic_mean(values))
    return [fmean(by_size[seed]) for seed in sorted(by_size)]


def interval(values: Sequence[float]) -> str:
    """Return the mean and its 95 % interval; of two values these; of none a dash."""
    if not values:
        return "–"
    mean = fmean(values)
    if len(values) < 3:
        return f"{mean:.1f}" + (f" ({', '.join(f'{v:.1f}' for v in values)})" if values[1:] else "")
    half = float(student.ppf(0.975, len(values) - 1)) * stdev(values) / len(values) ** 0.5
    return f"{mean:.1f} [{mean - half:.1f}, {mean + half:.1f}]"


def first_splits(source: Path, count: int | None, shorter: Path) -> Path:
    """Return a CSV of the first splits of another, written to `shorter`; else `source` itself."""
    if count is None or source.suffix != ".csv":
        return source
    table = pl.read_csv(source, infer_schema=False)
    kept = table["repeat"].unique(maintain_order=True)[:count]
    folder = str(source.resolve().parent) + "/"
    rows = table.filter(pl.col("repeat").is_in(kept.implode()))
    write_text(shorter, rows.with_columns(path=folder + pl.col("path")).write_csv())
    return shorter


def joined(sources: Sequence[Path], table: Path) -> Path:
    """Return `table`, to which the clips of the first split of all sets are written."""
    columns = ("machine", "section", "domain", "split", "label")
    rows = [
        {"path": str(clip.path.resolve()), **{name: getattr(clip, name) for name in columns}}
        for source in sources
        for clip in load_manifest(source).select(repeat=0)
    ]
    write_text(table, pl.DataFrame(rows).write_csv())
    return table


def row(group: str, name: str, cells: Sequence[str]) -> str:
    return f"| {' | '.join([group, name, *cells])} |"


def table(done: dict[tuple[str, Arm], pl.DataFrame], sets: Sequence[str]) -> list[str]:
    """Return the lines of the table of what is done; a dash stands for what is not.

    The mean over sets, and how far it lies above that of the untrained network, are paired by seed.
    """
    columns = [*sets, "**mean**", "above untrained"]
    lines = [row("input, mixing", "batch", columns), row("---", "---", ["---"] * len(columns))]
    for group in groups():
        untrained = by_set(done, group[0], sets, UNTRAINED)
        if not any(untrained):
            continue
        first = means(untrained)
        cells = [*map(interval, [*untrained, first]), ""]
        lines.append(row(group[0].group, UNTRAINED, cells))
        for arm in group:
            trained = by_set(done, arm, sets, DETECTOR)
            mean = means(trained)
            gains = [after - before for after, before in zip(mean, first, strict=False)]
            cells = list(map(interval, [*trained, mean, gains]))
            lines.append(row(arm.group, str(arm.size), cells))
    return lines


def means(values: Sequence[Sequence[float]]) -> list[float]:
    """Return the mean over sets of each seed that all sets have."""
    return [fmean(of_seed) for of_seed in zip(*values, strict=False)]


def by_set(
    done: dict[tuple[str, Arm], pl.DataFrame], arm: Arm, sets: Sequence[str], system: str
) -> list[list[float]]:
    """Return Ω of each seed for each set; none where it was not measured."""
    return [omegas(done[each, arm], system) if (each, arm) in done else [] for each in sets]


def page(done: dict[tuple[str, Arm], pl.DataFrame], sets: Sequence[str], about: str) -> str:
    title = "# DG-Mix by the size of its batch"
    return "\n".join([title, "", about, "", *table(done, sets), ""])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="+", metavar="NAME=DATA")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--crops", type=int, default=61_440, help="crops seen in each training")
    parser.add_argument("--splits", type=int, help="of a CSV; all by default")
    parser.add_argument("--no-training", action="store_false", dest="training")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], dest="changes", metavar="KEY=VALUE")
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args(arguments)
    named = dict(text.split("=", 1) for text in options.sets)
    data = {
        name: first_splits(Path(source), options.splits, options.output / f"{name}.csv")
        for name, source in named.items()
    }
    types = {name: load_manifest(source).values("machine") for name, source in data.items()}
    alone = [data[name] for name in data if len(types[name]) == 1]
    together = joined(alone, options.output / "together.csv")
    about = (
        "Written by `benchmarks/batch_size.py`. Ω in percent, mean over seeds [95 % interval], of "
        f"two seeds (both values); {options.crops} crops seen in each training"
        f"{f', {options.splits} split(s) of a CSV' if options.splits else ''}; "
        f"{' '.join(options.changes) or 'recipe published otherwise'}. A dash: not measured."
    )
    done: dict[tuple[str, Arm], pl.DataFrame] = {}
    for group, count in product(groups(), range(1, options.seeds + 1)):
        for arm, name in product(group, data):
            across = arm.together and data[name] in alone
            source, place = (together, together.stem) if across else (data[name], name)
            recipe = load_recipe("published", [*arm.changes(options.crops), *options.changes])
            where, seeds = options.output / place / arm.place, range(count)
            if options.training:
                dgmix.run(recipe, source, where, seeds=seeds, jobs=options.jobs, device="cpu")
            if (where / "results.csv").exists():
                results = pl.read_csv(where / "results.csv", schema_overrides={"section": str})
                done[name, arm] = results.filter(pl.col("machine").is_in(types[name]))
                write_text(options.result, page(done, list(data), about))


if __name__ == "__main__":
    main()
