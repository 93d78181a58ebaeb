"""What a detector learned from and can promise, in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from dgmix.detect.conformal import rate_interval
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.memory import Update
from dgmix.detect.reporting import fit_report, odd_recordings, undo_report, update_report
from dgmix.detect.summary import (
    counted,
    described,
    known_conditions,
    new_conditions,
    percent,
    sections,
    shown,
    summary,
    thresholds,
    training,
    uncertainty,
)

Make = Callable[..., FittedDetector]


def test_a_summary_is_plain_json(make_fitted: Make) -> None:
    values = summary(make_fitted())
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert values["sections"] == {"00": 4, "01": 4}
    assert set(values["threshold"]) == {"00", "01"}
    assert values["conditions"] == values["domains"] == {"source": 6, "target": 2}
    assert values["promises"] == {
        "known conditions": {"recordings": 4, "smallest false-alarm rate": 1 / 5},
        "new conditions": {"conditions": 2, "smallest false-alarm rate": 1 / 3},
    }
    assert values["false-alarm rate interval"] == list(rate_interval(4, 1 / 5))
    assert values["exact"]


def test_what_can_be_promised(make_fitted: Make) -> None:
    values = summary(make_fitted(per_section=False))
    assert known_conditions(values) == (
        "11.2 % at best, of healthy recordings made like these (10 % needs 9, 5 % needs 19 "
        "recordings)"
    )
    assert new_conditions(values) == (
        "33.4 % at best, of healthy recordings of a condition drawn like these 2 (10 % needs 9, "
        "5 % needs 19 conditions)"
    )
    estimated = summary(make_fitted(per_section=False, scorer="mahalanobis"))
    assert not estimated["exact"]
    assert new_conditions(estimated).startswith("no promise: the scorer estimates something")
    assert estimated["promises"]["known conditions"]["recordings"] == 4


def test_few_recordings_do_not_hide_how_little_is_certain(make_fitted: Make) -> None:
    values = summary(make_fitted(per_section=False))
    _, most = rate_interval(8, 1 / 9)
    assert uncertainty(values) == (
        "11.2 % is an average over detectors that learn from 8 recordings; the rate of this one "
        f"may be up to {percent(most)}; more recordings narrow that"
    )


def test_thresholds_of_one_section_of_several_and_of_none() -> None:
    one = {"threshold": {"00": 0.62468}, "false-alarm rate": 1 / 9}
    assert thresholds(one) == "a score above 0.6247, at a false-alarm rate of 11.2 %"
    both = {"threshold": {"a": 0.5, "b": None}, "false-alarm rate": 1 / 9}
    assert thresholds(both).startswith("a score above 0.5 (section a), no score (section b), at")
    none = {"threshold": {"00": None}, "false-alarm rate": 1 / 2}
    assert thresholds(none) == "no score: there are too few healthy recordings for verdicts"


def test_reports_tell_what_was_learned_and_what_comes_next(make_fitted: Make) -> None:
    fitted = make_fitted()
    lines = fit_report(fitted, "pump.dgmix", [f"{n}.wav" for n in range(8)]).splitlines()
    assert lines[0].startswith("pump.dgmix: 8 recordings, 0.2 minutes")
    assert [line.partition(":")[0] for line in lines[1:]] == [
        "band",
        "sections",
        "false alarms",
        "new conditions",
        "uncertainty",
        "anomaly",
        "next",
    ]


def test_updates_are_reported_and_counted(make_fitted: Make) -> None:
    before = make_fitted()
    entry = Update("2026-01-02T03:04:05+00:00", 2, 1, ("winter",))
    after = replace(before, updates=(entry,))
    text = update_report(before, after, "pump.dgmix", 5)
    assert (
        "2 recordings added, 2 left out because it has learned from them, 1 left out because they"
        in text
    )
    assert "--accept" in text
    assert text.endswith("to take this back: dgmix update pump.dgmix --undo")
    assert "(2 of them added by `dgmix update`)" in training(summary(after))
    undone = undo_report(after, before, "pump.dgmix")
    assert "the update of 2026-01-02T03:04:05+00:00, 2 recordings, is taken back; now 8" in undone


def test_few_recordings_and_single_views_accuse_nobody(make_fitted: Make) -> None:
    names = [f"{n}.wav" for n in range(8)]
    assert odd_recordings(make_fitted(), names) == []
    assert odd_recordings(make_fitted(views=["logmel-mean", "logmel-max"]), names) == []


def test_a_page_has_everything(make_fitted: Make) -> None:
    values = {
        **summary(make_fitted()),
        "format": 4,
        "dgmix": "0.1.0",
        "seed": 3,
        "recipe": {"audio": {"sample_rate": 16000}, "encoder": {"width": 1.0}},
    }
    page = described("pump.dgmix", values)
    assert page.startswith("pump.dgmix\n\nlearned from")
    for text in ("dgmix 0.1.0, file format 4", "seed 3", "    sample_rate: 16000", "8 vectors of"):
        assert text in page
    assert "width: 1.0" in page
    raw = described("pump.dgmix", {**values, "views": {"logmel-max": [8, 32]}})
    assert "none: no view is learned" in raw
    assert "sample_rate: 16000" in raw
    assert "width" not in raw
    assert "logmel-max: 8 vectors of 32 numbers" in raw


@pytest.mark.parametrize(
    ("rate", "text"),
    [(1 / 9, "11.2 %"), (0.05, "5 %"), (0.01, "1 %"), (1 / 1001, "0.1 %"), (1 / 3, "33.4 %")],
)
def test_rates_are_never_rounded_down(rate: float, text: str) -> None:
    assert percent(rate) == text
    assert float(text.split()[0]) / 100 >= rate - 1e-12


def test_numbers_as_people_write_them() -> None:
    assert (counted(1, "recording"), counted(0, "recording")) == ("1 recording", "0 recordings")
    assert (shown(None), shown(float("inf")), shown(1.23456)) == ("infinity", "infinity", "1.235")


def test_sections_are_compared_with_themselves_or_with_all() -> None:
    values = {"sections": {"a": 3, "b": 2}, "threshold": {"a": 1.0, "b": 2.0}}
    own = "a: 3, b: 2; a recording is compared with those of its own section (--set"
    assert sections(values).startswith(own)
    values["threshold"] = {"all": 1.0}
    assert sections(values) == "a: 3, b: 2; a recording is compared with all"
