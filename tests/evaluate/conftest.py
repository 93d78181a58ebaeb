"""Tables of scores to judge."""

from __future__ import annotations

from itertools import product

import numpy as np
import polars as pl
import pytest

from dgmix.evaluate.scores import SCHEMA


@pytest.fixture(scope="session")
def make_scores():
    return _make_scores


@pytest.fixture(scope="session")
def named():
    return _named


def _named(scores):
    """Scores whose paths are DCASE names."""
    return scores.with_columns(
        path=pl.concat_str(
            "machine",
            pl.lit("/test/section_"),
            "section",
            pl.lit("_"),
            "domain",
            pl.lit("_test_"),
            "label",
            pl.lit("_0"),
            pl.col("path").str.extract(r"(\d{3}\.wav)$"),
        )
    )


def _make_scores(
    machines=("fan",),
    sections=("00",),
    systems=("dgmix",),
    seeds=(0,),
    repeats=(0,),
    clips=10,
    gap=1.0,
    domains=("source", "target"),
    labels=("normal", "anomaly"),
    decimals=1,
):
    """Return `clips` rows of every combination; anomalies score `gap` higher, with ties."""
    rows = []
    units = product(systems, repeats, seeds, machines, sections)
    for number, (system, repeat, seed, machine, section) in enumerate(units):
        rng = np.random.default_rng(number)
        for domain, label, clip in product(domains, labels, range(clips)):
            path = f"{machine}/test/{section}_{domain}_{label}_{clip:03d}.wav"
            score = round(rng.normal() + gap * (label == "anomaly"), decimals)
            rows.append(
                (system, repeat, seed, path, machine, section, domain, "test", label, score)
            )
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")
