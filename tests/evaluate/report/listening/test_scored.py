import numpy as np
import pytest

from dgmix.errors import InputError
from dgmix.evaluate.report.listening.scored import gather, score


@pytest.fixture(scope="module")
def result(workshop):
    detector = workshop.detector
    found = gather(workshop.asked, detector.recipe_)
    return found, *score(detector, found)


def test_scores_are_those_of_the_detector(workshop, result):
    _, scored, _ = result
    paths = [workshop.asked / each.name for each in scored]
    detector = workshop.detector
    assert [each.score for each in scored] == pytest.approx(detector.score_samples(paths))
    assert [each.p_value for each in scored] == pytest.approx(detector.p_values(paths))
    places = detector.localize(paths)
    assert [each.region.when for each in scored] == [place.when for place in places]


def test_the_most_anomalous_comes_first(result):
    _, scored, _ = result
    order = [(each.p_value, -each.score) for each in scored]
    assert order == sorted(order)
    assert len({each.p_value for each in scored}) > 1


def test_each_has_its_length_and_its_place(result):
    _, scored, _ = result
    (beep,) = (each for each in scored if each.name == "beep.wav")
    assert beep.seconds == 14.0
    assert beep.region.seconds == pytest.approx((5.0, 13.0), abs=0.1)
    assert beep.region.where == pytest.approx(3000, rel=0.1)


def test_numbers_lead_back_to_the_recordings(result):
    found, scored, _ = result
    assert [found.names[each.index] for each in scored] == [each.name for each in scored]


def test_what_cannot_be_read_is_told_and_stops_nothing(result):
    _, scored, unread = result
    assert len(scored) == 4
    assert [each.name for each in unread] == ["broken.wav"]
    assert "broken.wav: not a sound file" in unread[0].reason


def test_several_files_and_folders(workshop):
    recipe = workshop.detector.recipe_
    one = workshop.healthy / "clip_003.wav"
    found = gather([workshop.asked, one, str(workshop.asked / "beep.wav")], recipe)
    inside = sorted(str(path) for path in workshop.asked.iterdir())
    assert found.names == [*inside, str(one), str(workshop.asked / "beep.wav")]
    assert len(found) == len(found.sections) == len(found.domains)


def test_one_folder_in_a_list_is_that_folder(workshop):
    recipe = workshop.detector.recipe_
    assert gather([workshop.asked], recipe).names == gather(workshop.asked, recipe).names


def test_arrays(workshop):
    detector = workshop.detector
    sounds = [np.sin(np.arange(8000 + 100 * n, dtype=np.float32)) for n in range(3)]
    scored, _ = score(detector, gather(sounds, detector.recipe_, 16_000))
    assert sorted(each.name for each in scored) == [f"recording {n}" for n in range(3)]
    assert sorted(each.seconds for each in scored) == [0.5, 0.50625, 0.5125]


def test_a_folder_that_is_not_there_is_named(workshop, tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        gather(tmp_path / "nowhere", workshop.detector.recipe_)
