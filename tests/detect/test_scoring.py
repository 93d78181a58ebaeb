"""Many recordings judged and written, and what is said of the set."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from dgmix.detect.fitted import FittedDetector
from dgmix.detect.forms import Terms, json_lines
from dgmix.detect.judgement import Judgement
from dgmix.detect.recordings import COLUMNS, Sounds
from dgmix.detect.scoring import Result, choose_terms, score_recordings
from dgmix.detect.sources import sounds
from dgmix.errors import DgmixError, InputError

Make = Callable[..., FittedDetector]
RATE = 16_000


@pytest.fixture(scope="module")
def fitted(make_fitted: Make) -> FittedDetector:
    return make_fitted(views=["logmel-mean", "logmel-max"], per_section=False)


def recordings(fitted: FittedDetector) -> Sounds:
    """Return five recordings, the second of which cannot be read."""
    rng = np.random.default_rng(0)
    signals = [0.05 * (number + 1) * rng.standard_normal(RATE) for number in range(4)]
    good = sounds(signals, RATE)
    bad = sounds(["none.wav"])
    both = Sounds(*(getattr(good, name) + getattr(bad, name) for name in COLUMNS))
    return both.select([0, 4, 1, 2, 3])


def scored(fitted: FittedDetector, capsys: pytest.CaptureFixture[str], **options: object):  # type: ignore[no-untyped-def]
    summary = io.StringIO()
    with pytest.raises(DgmixError, match="1 recording of 5 could not be read; the reason stands"):
        score_recordings(
            fitted, recordings(fitted), json_lines(), summary_on=summary, quiet=True, **options
        )  # type: ignore[arg-type]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return lines, summary.getvalue()


def test_recordings_are_written_in_order(
    fitted: FittedDetector, capsys: pytest.CaptureFixture[str]
) -> None:
    given = recordings(fitted)
    lines, _ = scored(fitted, capsys)
    assert [each["path"] for each in lines] == given.names
    judged = list(fitted.judge_recordings(given))
    for line, each in zip(lines, judged, strict=True):
        if each.error is None:
            assert (line["score"], line["p_value"]) == (each.score, each.p_known)


def test_recordings_are_sorted_by_score_with_the_unreadable_last(
    fitted: FittedDetector, capsys: pytest.CaptureFixture[str]
) -> None:
    lines, _ = scored(fitted, capsys, by_score=True)
    values = [each["score"] for each in lines[:-1]]
    assert values == sorted(values, reverse=True)
    assert len({*values}) == 4
    assert "error" in lines[-1]


def test_recordings_of_no_known_section_are_counted(make_fitted: Make) -> None:
    fitted = make_fitted(views=["logmel-mean", "logmel-max"], per_section=True)
    known = fitted.sections
    result = Result(Terms(0.5))
    assert "Compared with all" not in result.summary(fitted, known, None)
    text = result.summary(fitted, [*known, "", ""], None)
    assert f"2 recordings in no folder that is called as one of them ({', '.join(known)})" in text


def test_the_set_has_a_p_value(fitted: FittedDetector, capsys: pytest.CaptureFixture[str]) -> None:
    lines, summary = scored(fitted, capsys)
    p_values = [each["p_value"] for each in lines if "error" not in each]
    expected = false_discovery_control(p_values, method="bh").min()
    assert f"The set as a whole: p-value {expected:.3g}, were all of it healthy." in summary
    assert "5 recordings: " in summary
    assert "1 unreadable" in summary
    assert "Flagged: a score above " in summary


def test_terms_follow_promise_and_condition(fitted: FittedDetector) -> None:
    assert choose_terms(fitted, [""]) == Terms(1 / 9, "known")
    assert choose_terms(fitted, [""], 0.4) == Terms(0.4, "both")
    assert choose_terms(fitted, [""], None, "new") == Terms(1 / 3, "new")
    assert choose_terms(fitted, [""], None, None, "target") == Terms(1 / 3, "known")
    assert choose_terms(fitted, [""], None, None, "winter") == Terms(1 / 3, "new")
    with pytest.raises(InputError, match="of condition target, and there are 2"):
        choose_terms(fitted, [""], 0.1, None, "target")
    with pytest.raises(InputError, match="healthy conditions, and there are 2"):
        choose_terms(fitted, [""], 0.2, "both")


def test_the_summary_counts_verdicts(fitted: FittedDetector) -> None:
    result = Result(Terms(0.2, "both"))
    for p_known, p_new in ((0.1, 0.1), (0.1, 0.5), (0.5, 0.5), (0.5, 0.5)):
        result.add(Judgement("a", 1.0, p_known, 1.0, p_new))
    result.add(Judgement("b", 1.0, 0.01, 1.0, 0.01, learned=True))
    text = result.summary(fitted, [""], None)
    assert text.startswith(
        "5 recordings: 2 anomalies, 1 perhaps of a new condition, 2 normal, at a false-alarm rate "
        "of 20 % for healthy recordings made like those learned from, or of a condition"
    )
    assert result.p_values == [0.1, 0.5, 0.5, 0.5]
    assert "The detector learned from 1 of them; this says nothing of their health." in text
