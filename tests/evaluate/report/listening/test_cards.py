import base64
import io
import re
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest
import soundfile

from dgmix.detect.forms import Terms
from dgmix.detect.sources import healthy_sounds, sounds
from dgmix.evaluate.report.listening.cards import cards
from dgmix.evaluate.report.listening.scored import score


def played(address):
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(address.partition(",")[2])))
    return samples, rate


TERMS = Terms(0.2)


@pytest.fixture(scope="module")
def setting(workshop):
    detector = workshop.detector
    recordings = sounds(workshop.queries)
    scored, _ = score(detector.fitted_, recordings)
    return detector, recordings, scored, healthy_sounds(workshop.healthy)


@pytest.fixture(scope="module")
def made(setting):
    detector, recordings, scored, healthy = setting
    return list(cards(detector.fitted_, recordings, scored, healthy, TERMS))


@pytest.fixture(scope="module")
def beep(made):
    (card,) = (card for card in made if card.recording.name == "beep.wav")
    return card


def test_a_card_each_in_their_order(setting, made):
    assert [card.recording for card in made] == setting[2]
    assert [card.rank for card in made] == [1, 2, 3, 4]
    assert all(len(card.sides) == 2 for card in made)


def test_the_words_say_where_and_how_much(beep):
    (least, first, *_) = beep.sentences
    assert least == "Least like the healthy ones by its learned features."
    assert re.search(r"around (2\.9|3|3\.1) kHz", first)
    assert "dB louder than healthy recordings" in first
    assert re.search(r"(7\.9|8\.0) to 1[12]\.\d s", first)


def test_a_long_recording_is_cut_to_what_is_unusual(beep):
    own = beep.sides[0]
    begin, end = (
        float(n) for n in re.match(r"([\d.]+) to ([\d.]+) s of 14.0 s", own.note).groups()
    )
    assert end - begin == pytest.approx(10, abs=0.1)
    assert own.overview is not None
    samples, rate = played(own.sound)
    assert len(samples) / rate == pytest.approx(10, abs=0.1)
    spectrum = np.abs(np.fft.rfft(samples))
    assert spectrum.argmax() * rate / len(samples) == pytest.approx(3000, abs=2)


def test_a_short_recording_is_whole(made):
    (card,) = (card for card in made if card.recording.name == "calm_0.wav")
    assert card.sides[0].note == "all 1.5 s"
    samples, rate = played(card.sides[0].sound)
    assert len(samples) / rate == pytest.approx(1.5, abs=0.01)
    assert card.sides[0].overview is None


def test_beside_it_is_the_nearest_healthy_one(setting, made):
    detector, _, _, healthy = setting
    names = {card.sides[1].name for card in made}
    assert names <= set(healthy.names)
    for card in made:
        (number,) = (i for i, n in enumerate(healthy.names) if n == card.sides[1].name)
        distances = np.linalg.norm(
            detector.fitted_.memory.views["dgmix"].values.astype(np.float64)
            - detector.fitted_.memory.views["dgmix"].values[number].astype(np.float64),
            axis=1,
        )
        assert distances.min() == 0
        assert card.recording.judgement.score >= 0


def test_both_sides_are_played_with_one_gain(setting, made):
    _, recordings, _, healthy = setting
    for card in made:
        gains = []
        for side, origin in zip(card.sides, (recordings, healthy), strict=True):
            name = side.name
            raw, _ = soundfile.read(origin.items[origin.names.index(name)].path)
            if side.note.startswith("all"):
                gains.append(np.std(played(side.sound)[0]) / np.std(raw))
        assert max(gains) == pytest.approx(min(gains), rel=0.02) if gains else True


def test_pictures_are_well_formed_and_described(made):
    for card in made:
        for side in card.sides:
            figure = fromstring(side.picture)
            assert side.name in figure.get("aria-label")
            assert figure.find("image").get("href").startswith("data:image/png;base64,")
        assert "framed" in fromstring(card.sides[0].picture).get("aria-label")


def test_without_healthy_recordings_a_card_has_one_side(setting):
    detector, recordings, scored, _ = setting
    (card,) = cards(detector.fitted_, recordings, scored[:1], None, TERMS)
    assert len(card.sides) == 1


def test_a_healthy_recording_is_not_its_own_neighbour(setting, workshop):
    detector, _, _, healthy = setting
    recordings = sounds(workshop.healthy)
    scored, _ = score(detector.fitted_, recordings)
    assert max(each.judgement.score for each in scored) == pytest.approx(0, abs=1e-6)
    for card in cards(detector.fitted_, recordings, scored[:3], healthy, TERMS):
        assert card.sides[1].name != card.recording.name


def test_open_files_are_heard_from_their_beginning(setting, workshop):
    detector = setting[0]
    with (workshop.queries / "calm_0.wav").open("rb") as file:
        recordings = sounds([file])
        scored, _ = score(detector.fitted_, recordings)
        (card,) = cards(detector.fitted_, recordings, scored, None, TERMS)
    samples, rate = played(card.sides[0].sound)
    assert len(samples) / rate == pytest.approx(1.5, abs=0.01)


def test_no_card_is_no_work(setting):
    detector, recordings, _, healthy = setting
    assert list(cards(detector.fitted_, recordings, [], healthy, TERMS)) == []
