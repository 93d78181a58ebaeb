from dataclasses import replace

import numpy as np
import pytest

from dgmix.detect.sources import sounds
from dgmix.evaluate.report.listening.scored import score


@pytest.fixture(scope="module")
def result(workshop):
    detector = workshop.detector
    recordings = sounds(workshop.queries)
    return recordings, *score(detector.fitted_, recordings)


def test_scores_are_those_of_the_detector(workshop, result):
    _, scored, _ = result
    paths = [workshop.queries / each.name for each in scored]
    detector = workshop.detector
    assert [each.judgement.score for each in scored] == pytest.approx(detector.score_samples(paths))
    assert [each.judgement.p_known for each in scored] == pytest.approx(detector.p_values(paths))
    for each, place in zip(scored, detector.localize(paths), strict=True):
        assert each.region.peak == place.over_time.max()
        assert each.region.when in place.seconds[place.over_time >= 0.99 * each.region.peak]


def test_the_most_anomalous_comes_first(result):
    _, scored, _ = result
    order = [(each.judgement.p_known, -each.judgement.score) for each in scored]
    assert order == sorted(order)
    assert len({each.judgement.p_known for each in scored}) > 1


def test_each_has_its_length_and_its_place(result):
    _, scored, _ = result
    (beep,) = (each for each in scored if each.name == "beep.wav")
    assert beep.seconds == pytest.approx(14.0, abs=0.03)
    assert beep.region.seconds == pytest.approx((8.0, 12.0), abs=0.2)
    assert beep.region.where == pytest.approx(3000, rel=0.1)


def test_numbers_lead_back_to_the_recordings(result):
    recordings, scored, _ = result
    assert [recordings.names[each.index] for each in scored] == [each.name for each in scored]


def test_what_cannot_be_read_is_told_and_stops_nothing(result):
    _, scored, unread = result
    assert len(scored) == 4
    assert [each.name for each in unread] == ["broken.wav"]
    assert "broken.wav: not a sound file" in unread[0].reason


def test_what_is_no_recording_is_listed_too(workshop, capsys):
    link = "asked/gone.wav: a link to nothing"
    given = replace(sounds([workshop.queries / "calm_0.wav"]), left_out=(link,))
    scored, unread = score(workshop.detector.fitted_, given)
    assert (len(scored), [each.name for each in unread]) == (1, ["asked/gone.wav"])
    assert f"left out: {link}" in capsys.readouterr().err.splitlines()


def test_what_it_learned_from_is_known(workshop):
    detector = workshop.detector
    paths = [workshop.healthy / "clip_003.wav", workshop.queries / "calm_0.wav"]
    scored, _ = score(detector.fitted_, sounds(paths))
    assert {each.name: each.judgement.learned for each in scored} == {
        str(paths[0]): True,
        str(paths[1]): False,
    }


def test_a_known_condition_is_judged_by_its_own_recordings(workshop):
    detector = workshop.detector
    recordings = sounds(workshop.queries)
    scored, _ = score(detector.fitted_, recordings, "source")
    paths = [workshop.queries / each.name for each in scored]
    expected = detector.p_values(paths, conditions=["source"] * len(paths))
    assert [each.judgement.p_known for each in scored] == pytest.approx(expected)


def test_arrays(workshop):
    detector = workshop.detector
    waves = [np.sin(np.arange(8000 * n, dtype=np.float32)) for n in (1, 2, 3)]
    scored, _ = score(detector.fitted_, sounds(waves, 16_000))
    assert sorted(each.name for each in scored) == [f"recording {n}" for n in range(3)]
    lengths = sorted(each.seconds for each in scored)
    assert lengths == pytest.approx([0.5, 1.0, 1.5], abs=0.04)
