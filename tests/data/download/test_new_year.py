"""A further year is one entry of the table: everything else follows from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import zenodo_server

from dgmix.data import load_manifest
from dgmix.data.download import download
from dgmix.data.simulate import simulate
from dgmix.data.years import YEARS, Source, Year
from dgmix.evaluate import evaluate_scores
from dgmix.evaluate.scores import SCHEMA, write_scores

NEXT = 2027
ENTRY = Year(
    NEXT,
    "generalisation",
    dev={"fan": ("00",), "press": ("00",)},
    eval={"LawnMower": ("00",)},
    sources={
        "dev": Source(27000001, "dev_{machine}.zip", {"press": "dev_press_r2.zip"}),
        "train": Source(27000002, "eval_data_{machine}_train.zip"),
        "eval": Source(27000003, "eval_data_{machine}_test.zip"),
    },
    channels=2,
    labelled=False,
)


@pytest.fixture(autouse=True)
def _entry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(YEARS, NEXT, ENTRY)


def test_it_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    listed = [
        (27000001, "dev_{}.zip", "fan"),
        (27000001, "dev_{}_r2.zip", "press"),
        (27000002, "eval_data_{}_train.zip", "LawnMower"),
        (27000003, "eval_data_{}_test.zip", "LawnMower"),
    ]
    monkeypatch.setitem(zenodo_server.RECORDS, NEXT, listed)
    with zenodo_server.serve(zenodo_server.archives(NEXT), NEXT) as record:
        download("dcase2027", tmp_path, base_url=record.url)
    clips = load_manifest(tmp_path)
    assert clips.values("machine") == sorted(ENTRY.machines)
    assert len(clips.select(machine="LawnMower", split="test", label="unknown"))


def test_it_is_simulated_and_judged(tmp_path: Path) -> None:
    simulate(tmp_path / "set", like="dcase2027", clips=2, test_clips=2, seconds=1)
    tested = load_manifest(tmp_path / "set").select(split="test")
    assert set(tested.values("machine")) == set(ENTRY.machines)
    rows = [
        ("dgmix", 0, 0, str(c.path), c.machine, c.section, c.domain, c.split, c.label, score)
        for c, score in zip(
            tested, np.random.default_rng(0).normal(size=len(tested)).tolist(), strict=True
        )
    ]
    write_scores(tmp_path / "scores.csv", pl.DataFrame(rows, schema=SCHEMA, orient="row"))
    evaluation = evaluate_scores(tmp_path / "scores.csv", bootstrap=0)
    assert evaluation.year == NEXT
    assert set(evaluation.blocks) == {"dev", "eval"}
    assert (
        evaluation.omega == evaluate_scores(tmp_path / "scores.csv", bootstrap=0, year=NEXT).omega
    )
