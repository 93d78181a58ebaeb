"""`dgmix watch --demo`: simulated machines that break, change, lose their microphone."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from dgmix.watch.running import run_settings
from dgmix.watch.settings import WatchSettings, parse_settings
from dgmix.watch.sources.settings import SimulatedSettings

SECONDS = 4.0
CLIPS = 60
SEED = 0
SEVERITY = 3.0
SCRIPTS: dict[str, tuple[str, list[tuple[str, float]]]] = {
    "fan": ("Fan, breaks", [("healthy", 40), ("broken", 60), ("healthy", 80)]),
    "slider": (
        "Slide rail, changes its speed",
        [("healthy", 80), ("condition", 60), ("healthy", 60)],
    ),
    "gearbox": ("Gearbox, loses its microphone", [("healthy", 60), ("lost", 40)]),
    "valve": ("Valve, healthy", [("healthy", 3600)]),
}
RULE = {"windows": 3, "of": 4, "clear_after": 3}
RULES = {"slider": {"rate": 0.2, "windows": 4, "of": 5, "clear_after": 3}}
"""The slide rail learns five speeds by name: enough for a promise about a sixth at 20 %."""


def demo_settings(folder: Path, port: int = 8765) -> WatchSettings:
    """Return the settings of the demonstration, whose detectors are in a folder."""
    machines: list[dict[str, Any]] = [
        {
            "name": name,
            "title": title,
            "detector": str(folder / f"{name}.dgmix"),
            "source": {
                "type": "simulated",
                "machine": name,
                "severity": SEVERITY,
                "clip_seconds": SECONDS,
                "seed": SEED,
                "script": script,
                "tell_after": 10,
            },
            "window": {"settle": 0},
            "rule": RULES.get(name, RULE),
        }
        for name, (title, script) in SCRIPTS.items()
    ]
    values = {"site": "demo", "state": str(folder / "state"), "machines": machines}
    page = {"port": port}
    storage = {"healthy_per_day": 2000, "budget_mb": 200, "least_free_mb": 100}
    return parse_settings({**values, "page": page, "storage": storage}, "demo")


def prepare(folder: Path, clips: int = CLIPS) -> None:
    """Let a detector learn each machine's healthy sound, where it has not."""
    import numpy as np

    from dgmix.data.simulate.clips import PlannedClip, samples_of
    from dgmix.detect.detector import Detector
    from dgmix.progress import quiet
    from dgmix.watch.sources.simulated import RATE

    folder.mkdir(parents=True, exist_ok=True)
    for name in SCRIPTS:
        path = folder / f"{name}.dgmix"
        if path.exists():
            continue
        print(f"{name}: learning from {clips} healthy recordings", file=sys.stderr)
        own = SimulatedSettings(type="simulated", machine=name, seed=SEED)
        planned = [PlannedClip(name, own.section, 0, number) for number in range(clips)]
        recordings = [np.asarray(samples_of(clip, SEED, round(RATE * SECONDS))) for clip in planned]
        conditions = [str(clip.condition) if name in RULES else "" for clip in planned]
        with quiet():
            detector = Detector(seed=SEED)
            detector.fit(recordings, sample_rate=RATE, conditions=conditions).save(path)


def run_demo(folder: Path | None = None) -> None:
    """Watch the simulated machines until a signal ends it; without a folder, keep nothing."""
    if folder is not None:
        prepare(folder)
        run_settings(demo_settings(folder))
        return
    with tempfile.TemporaryDirectory(prefix="dgmix-demo-") as temporary:
        prepare(Path(temporary))
        run_settings(demo_settings(Path(temporary)))
