"""Run folders as `dgmix run` leaves them, with scores and logs drawn at random; a browser.

The helpers beside this file are found through it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from dgmix.config import dump_recipe, load_recipe
from dgmix.evaluate.report.embeddings import write_embeddings
from dgmix.evaluate.scores import csv_text

sys.path.insert(0, str(Path(__file__).parent))

import chromium

SEPARATION = {"dgmix": 0.6, "untrained": 0.2, "logmel-mean": 0.3, "logmel-max": 0.8}
TERMS = {"loss": 40.0, "geometric": 0.4, "variance": 0.6, "covariance": 9.0}

MakeRun = Callable[..., Path]


@pytest.fixture(scope="session")
def browser() -> Iterator[chromium.Browser]:
    """A browser without a window."""
    if not chromium.PROGRAM:
        pytest.skip("no Chromium here to open the report with")
    browser = chromium.Browser()
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def make_run(tmp_path_factory: pytest.TempPathFactory) -> MakeRun:
    """Write a run in a new folder; the same arguments give the same files."""

    def make(
        machines: Sequence[str] = ("fan", "valve"),
        sections: Sequence[str] = ("00", "01"),
        seeds: Sequence[int] = (0, 1),
        repeats: Sequence[int] = (),
        clips: int = 10,
        epochs: int = 12,
        separation: Mapping[str, float] = SEPARATION,
    ) -> Path:
        run = tmp_path_factory.mktemp("runs") / "run"
        rng = np.random.default_rng(0)
        parts = [f"repeat{repeat}/" for repeat in repeats] or [""]
        for machine, part, seed in product(machines, parts, seeds):
            folder = run / machine.replace("/", "_") / f"{part}seed{seed}"
            folder.mkdir(parents=True)
            for system, gap in separation.items():
                name = "scores.csv" if system == "dgmix" else f"scores_{system}.csv"
                rows = score_rows(machine, sections, clips, gap, rng)
                (folder / name).write_text(csv_text(rows), "utf-8")
                if system == "dgmix":
                    write_embeddings(folder, rng.normal(size=(len(rows) - 1, 6)))
            (folder / "log.jsonl").write_text(log_text(epochs, rng), "utf-8")
            (folder / "clips.csv").write_text(clips_text(machine, sections), "utf-8")
        (run / "recipe.yaml").write_text(dump_recipe(load_recipe("demo")), "utf-8")
        environment = {"python": "3.12.1", "cores": 8, "packages": {"torch": "2.10.0"}, "gpu": None}
        (run / "environment.json").write_text(json.dumps(environment), "utf-8")
        return run

    return make


def score_rows(
    machine: str, sections: Sequence[str], clips: int, separation: float, rng: np.random.Generator
) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [
        ("path", "machine", "section", "domain", "split", "label", "score")
    ]
    for section, domain, label in product(sections, ("source", "target"), ("normal", "anomaly")):
        centre = separation * (label == "anomaly") + 0.4 * (domain == "target")
        scores = 5 + int(section) + rng.gamma(4.0, 0.3, clips) + centre
        for number, score in enumerate(scores.tolist()):
            path = f"{machine}/test/section_{section}_{domain}_test_{label}_{number:04}.wav"
            rows.append((path, machine, section, domain, "test", label, repr(score)))
    return rows


def log_text(epochs: int, rng: np.random.Generator) -> str:
    lines = []
    for stage, length in (("pretrain", epochs), ("finetune", max(2, epochs // 5))):
        for epoch in range(1, length + 1):
            fall = float(np.exp(-3 * epoch / length) + 0.05 * rng.random())
            terms = {"loss": fall, "geometric": fall, "classification": fall}
            if stage == "pretrain":
                terms = {name: scale * fall for name, scale in TERMS.items()}
            lines.append(
                {"stage": stage, "epoch": epoch, "steps": 10 * epoch, "lr": 1e-3 * fall}
                | terms
                | {"embedding_std": 0.3 + 0.2 * fall, "effective_rank": 40 * (1.2 - fall)}
                | ({"projector_std": 1 - 0.1 * fall} if stage == "pretrain" else {})
                | {"geometric_over_variance": fall / 2, "seconds": 2.5}
            )
    return "".join(f"{json.dumps(line)}\n" for line in lines)


def clips_text(machine: str, sections: Sequence[str]) -> str:
    rows = [("path", "machine", "section", "domain", "split", "label")]
    for section, (domain, clips) in product(sections, {"source": 9, "target": 1}.items()):
        rows += [
            (f"{section}_{domain}_{n}.wav", machine, section, domain, "train", "normal")
            for n in range(clips)
        ]
    return csv_text(rows)
