"""How `benchmarks/speed.py` measures, and how it writes down what it found."""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from dgmix.environment import describe_environment
from dgmix.files import write_text

PANEL_WIDTH, PANEL_HEIGHT, MARGIN = 220, 160, 40


@dataclass(frozen=True)
class Cost:
    """What some work took: wall-clock and CPU seconds, its child processes' included."""

    wall: float
    cpu: float

    def each(self, count: int) -> Cost:
        return Cost(self.wall / count, self.cpu / count)


def cost_of(work: Callable[[], Any]) -> Cost:
    wall, cpu = time.perf_counter(), _cpu_seconds()
    work()
    return Cost(time.perf_counter() - wall, _cpu_seconds() - cpu)


def _cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def alternating(
    works: Mapping[str, Callable[[], Cost]], rounds: int, warm_ups: int = 1
) -> dict[str, list[Cost]]:
    """Return the costs of works that take turns, so that a busy machine is busy for all of them."""
    costs: dict[str, list[Cost]] = {name: [] for name in works}
    for turn in range(warm_ups + rounds):
        for name, work in works.items():
            cost = work()
            if turn >= warm_ups:
                costs[name].append(cost)
    return costs


def ratio(of: Sequence[Cost], to: Sequence[Cost], what: str) -> list[float]:
    """Return the median, least and greatest of the rounds' ratios of `wall` or `cpu` seconds."""
    ratios = [getattr(a, what) / getattr(b, what) for a, b in zip(of, to, strict=True)]
    return [median(ratios), min(ratios), max(ratios)]


def comparison(costs: Mapping[str, Sequence[Cost]], slow: str) -> dict[str, Any]:
    """Return each work's median costs and how many times faster than `slow` it is."""
    return {
        name: {
            "wall": median(cost.wall for cost in each),
            "cpu": median(cost.cpu for cost in each),
            "faster_wall": ratio(costs[slow], each, "wall"),
            "faster_cpu": ratio(costs[slow], each, "cpu"),
        }
        for name, each in costs.items()
    }


def in_child(part: str, threads: int, **arguments: Any) -> dict[str, Any]:
    """Return what `speed.py --child` answers: a part of the work in a process of its own.

    For what must start afresh: memory, of which a process keeps the peak, and threads.
    """
    command = [sys.executable, str(Path(__file__).with_name("speed.py")), "--child", part]
    done = subprocess.run(
        [*command, json.dumps(arguments)],
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def peak_memory() -> float:
    """Return the most memory that this process had resident so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return the least-squares slope of log cost over log size: 1 is linear."""
    x, y = ([math.log(value) for value in values] for values in (sizes, costs))
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    covariance = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return covariance / sum((a - mean_x) ** 2 for a in x)


def machine() -> str:
    """Return the machine in general words."""
    environment = describe_environment()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    gpu = f", {environment['gpu']}" if environment["gpu"] else ", no GPU"
    cores, system = environment["cores"], environment["platform"]
    return f"{cores} CPU cores ({system}), {memory:.0f} GB of memory{gpu}"


def versions() -> dict[str, Any]:
    environment = describe_environment()
    kept = {
        name: environment["packages"][name] for name in ("dgmix", "torch", "numpy", "scikit-learn")
    }
    return {"python": environment["python"], **kept, "commit": environment["commit"]}


def record(path: Path, part: str, result: Any, command: str) -> dict[str, Any]:
    """Put a part's result into the JSON file of results, and return all of them."""
    results: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    about = {"command": command, "machine": machine(), "versions": versions()}
    results[part] = {**about, "result": result}
    write_text(path, json.dumps(results, indent=1, sort_keys=True) + "\n")
    return results


@dataclass(frozen=True)
class Curve:
    """Seconds over a size."""

    name: str
    sizes: Sequence[float]
    seconds: Sequence[float]

    @property
    def exponent(self) -> float:
        return exponent(self.sizes, self.seconds)


def plot(curves: Sequence[Curve]) -> str:
    """Return the curves as an SVG picture, a logarithmic panel each."""
    width = len(curves) * (PANEL_WIDTH + MARGIN) + MARGIN
    height = PANEL_HEIGHT + 2 * MARGIN
    panels = "".join(_panel(c, MARGIN + i * (PANEL_WIDTH + MARGIN)) for i, c in enumerate(curves))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>'
        f"{panels}</svg>\n"
    )


def _panel(curve: Curve, left: float) -> str:
    """Return a panel: both axes logarithmic, with the fitted exponent in its heading."""
    x = _positions(curve.sizes, left, PANEL_WIDTH)
    y = [MARGIN + PANEL_HEIGHT - v for v in _positions(curve.seconds, 0, PANEL_HEIGHT)]
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    dots = "".join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3"/>' for a, b in zip(x, y, strict=True))
    bottom = MARGIN + PANEL_HEIGHT
    labels = "".join(
        f'<text x="{a:.1f}" y="{bottom + 16}" text-anchor="middle">{size:g}</text>'
        for a, size in zip(x, curve.sizes, strict=True)
    )
    ends = "".join(
        f'<text x="{left - 4}" y="{at:.1f}" text-anchor="end">{seconds:.2g}</text>'
        for at, seconds in ((y[0], curve.seconds[0]), (y[-1], curve.seconds[-1]))
    )
    return (
        f'<text x="{left}" y="{MARGIN - 12}">seconds over {curve.name}: '
        f"exponent {curve.exponent:.2f}</text>"
        f'<path d="M{left},{MARGIN}V{bottom}H{left + PANEL_WIDTH}" fill="none" stroke="#888"/>'
        f'<polyline points="{points}" fill="none" stroke="#0060a0"/>{dots}{labels}{ends}'
    )


def _positions(values: Sequence[float], start: float, length: float) -> list[float]:
    logs = [math.log(value) for value in values]
    low, spread = min(logs), max(logs) - min(logs) or 1.0
    return [start + 14 + (value - low) / spread * (length - 28) for value in logs]
