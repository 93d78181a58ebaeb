"""How fast is dgmix, beside a straightforward training, and what does more of everything cost?

    python benchmarks/speed.py [PART …] [--full] [--threads 1 2]

Measures the parts (all of them by default) and writes `benchmarks/results/speed.{json,md,svg}`;
what earlier calls found of other parts stays there. About ten minutes on two cores; `--full` takes
the sizes of the acceptance figures (6000 and 10 000 clips, 1 000 000 references) and an hour. What
is compared takes turns on the same machine; ratios are medians over rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import speed_parts
import speed_tables
from measuring import Curve, plot, record

from dgmix.files import write_text

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(speed_parts.PARTS))
    parser.add_argument("--full", action="store_true", help="the sizes of the acceptance figures")
    parser.add_argument("--threads", type=int, nargs="+", default=[1], help="of one training")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    parser.add_argument("--child", nargs=2, metavar=("PART", "JSON"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        part, arguments = options.child
        print(json.dumps(speed_parts.CHILDREN[part](**json.loads(arguments))))
        return
    if unknown := set(options.parts) - set(speed_parts.PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as folder:
        for part in options.parts or speed_parts.PARTS:
            measure(part, speed_parts.PARTS[part], options, Path(folder))


def measure(part: str, work: Callable[..., Any], options: argparse.Namespace, folder: Path) -> None:
    """Measure a part and write it down with what is there already."""
    print(f"{part} ...", file=sys.stderr, flush=True)
    result = work(folder, options)
    if result is None:
        return
    command = f"python benchmarks/speed.py {part}" + (" --full" if options.full else "")
    command += f" --threads {' '.join(map(str, options.threads))} --rounds {options.rounds}"
    results = record(options.output / "speed.json", part, result, command)
    write_text(options.output / "speed.md", speed_tables.page(results))
    if "curves" in results:
        curves = [Curve(**curve) for curve in results["curves"]["result"]]
        write_text(options.output / "speed.svg", plot(curves))
    print(speed_tables.section(part, results[part]), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
