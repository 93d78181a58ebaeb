"""Write the table of evaluation clips in docs/dcase.md: `python docs/evaluation_clips.py`.

It counts the names that dgmix gives to evaluation clips, which are those of the organisers' lists.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PurePosixPath

from dgmix.data.dcase import parse_name
from dgmix.data.download.names import full_names
from dgmix.data.years import YEARS, Year
from dgmix.evaluate.formats import markdown_table
from dgmix.files import write_text

PAGE = Path(__file__).with_name("dcase.md")
START, END = "<!-- evaluation clips -->\n", "<!-- /evaluation clips -->"
HEADER = ["year", "machines", "source normal", "source anomaly", "target normal", "target anomaly"]
GROUPS = [(domain, label) for domain in ("source", "target") for label in ("normal", "anomaly")]


def table() -> str:
    """Return how many evaluation clips there are by year, machine, domain and label, Markdown."""
    rows = [row for year in YEARS.values() if year.labelled for row in rows_of(year)]
    return markdown_table(HEADER, rows)


def rows_of(year: Year) -> list[list[str]]:
    """Return the rows of a year; machines with the same counts share one."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for name in full_names(year.number).values():
        path = PurePosixPath(name)
        clip = parse_name(Path("test", path.name), path.parts[0])
        assert clip is not None
        counts[clip.machine, clip.domain, clip.label] += 1
    machines: dict[tuple[int, ...], list[str]] = {}
    for machine in year.eval:
        numbers = tuple(counts[machine, *group] for group in GROUPS)
        machines.setdefault(numbers, []).append(machine)
    return [
        [str(year.number), " ".join(names), *(str(number or "–") for number in numbers)]
        for numbers, names in machines.items()
    ]


def with_table(page: str) -> str:
    """Return the page with the table between its markers."""
    before, _, rest = page.partition(START)
    return f"{before}{START}{table()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    write_text(PAGE, with_table(PAGE.read_text("utf-8")))
