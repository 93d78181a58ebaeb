"""What a detector can promise, in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from dgmix.detect.threshold import rate_interval

from dgmix.detect.detector import Detector
from dgmix.detect.summary import (
    conditions,
    counted,
    described,
    learned,
    percent,
    promise,
    summary,
    thresholds,
    uncertainty,
)

Make = Callable[..., Detector]


def told(**changes: Any) -> dict[str, Any]:
    return {
        "recordings": 8,
        "minutes": 7.13,
        "copies": 0,
        "sections": {"00": 8},
        "trained on": 8,
        "domains": {"source": 8},
        "smallest false-alarm rate": 1 / 9,
        "false-alarm rate": 1 / 9,
        "false-alarm rate in truth": [0.0001, 0.4862],
        "threshold": {"00": 0.62468},
        "views": {"dgmix": [8, 320]},
        **changes,
    }


def test_a_summary_is_plain_json(make_detector: Make) -> None:
    values = summary(make_detector())
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert values["sections"] == {"00": 4, "01": 4}
    assert set(values["threshold"]) == {"00", "01"}


def test_the_interval_is_that_of_the_condition_with_the_fewest(make_detector: Make) -> None:
    values = summary(make_detector())
    assert values["domains"] == {"source": 6, "target": 2}  # in two sections, so 1 is the fewest
    assert values["false-alarm rate in truth"] == list(rate_interval(1, 1 / 2))
    low, high = values["false-alarm rate in truth"]
    assert 0 <= low < values["false-alarm rate"] < high <= 1


def test_how_much_was_learned_from() -> None:
    assert learned(told()) == "8 recordings, 7.1 minutes"
    more = told(recordings=10)
    assert learned(more) == "10 recordings, 7.1 minutes (2 of them added without training)"
    assert learned(told(copies=3)).endswith("(3 of them copies of others, which count once)")


def test_what_can_be_promised() -> None:
    assert promise(told()) == (
        "11.2 % is the smallest rate that 8 recordings support; 10 % needs 9, 5 % needs 19"
    )
    enough = told(**{"smallest false-alarm rate": 1 / 100})
    assert promise(enough).startswith("1 % is the smallest rate that 99 recordings support")
    assert "every p-value is 1" in promise(told(threshold={"00": None}))
    apart = told(threshold={"a": None, "b": None}, sections={"a": 1, "b": 1})
    assert "nothing else healthy in its section to compare" in promise(apart)


def test_few_recordings_do_not_hide_how_little_is_certain() -> None:
    assert uncertainty(told()) == (
        "11.2 % is an average over detectors; with 8 recordings this one's rate may in truth be "
        "up to 48.7 %, and more recordings narrow that"
    )
    assert uncertainty(told(threshold={"00": None})).startswith("none: ")


def test_thresholds_of_one_section_of_several_and_of_none() -> None:
    assert thresholds(told()) == "above 0.6247, at a false-alarm rate of 11.2 %"
    several = thresholds(told(views={"dgmix": [8, 320], "logmel-max": [8, 128]}))
    assert several.endswith("11.2 %; or less, where several views agree")
    both = told(threshold={"a": 0.5, "b": None})
    assert thresholds(both).startswith("above 0.5 (section a), infinity (section b), at")


def test_several_conditions_are_explained() -> None:
    assert conditions(told()) == "source: 8"
    assert "excuses it most" in conditions(told(domains={"source": 8, "winter": 2}))


def test_a_page_has_everything(make_detector: Make) -> None:
    values = {
        **summary(make_detector()),
        "format": 1,
        "dgmix": "0.1.0",
        "seed": 3,
        "recipe": {"audio": {"sample_rate": 16000}},
    }
    page = described("pump.dgmix", values)
    assert page.startswith("pump.dgmix\n\nlearned from")
    for text in ("dgmix 0.1.0, file format 1", "seed 3", "    sample_rate: 16000", "8 vectors of"):
        assert text in page
    raw = described("pump.dgmix", {**values, "views": {"logmel-max": [8, 32]}})
    assert "none: no view is learned" in raw
    assert "logmel-max: 8 vectors of 32 numbers" in raw


@pytest.mark.parametrize(
    ("rate", "text"),
    [(1 / 9, "11.2 %"), (0.05, "5 %"), (0.01, "1 %"), (1 / 1001, "0.1 %"), (1 / 3, "33.4 %")],
)
def test_rates_are_never_rounded_down(rate: float, text: str) -> None:
    assert percent(rate) == text
    assert float(text.split()[0]) / 100 >= rate - 1e-12


def test_one_is_not_many() -> None:
    assert (counted(1, "recording"), counted(0, "recording")) == ("1 recording", "0 recordings")
