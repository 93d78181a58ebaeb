"""The detector as users hold it: scikit-learn's contract, verdicts, updates, streams."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pytest
import soxr
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import check_estimator

from dgmix import Detector
from dgmix.audio.io import read_audio
from dgmix.config import Recipe, parse_recipe
from dgmix.data import load_manifest
from dgmix.detect import recordings
from dgmix.detect.localize import localize
from dgmix.detect.sources import sounds
from dgmix.errors import InputError

RATE = 16_000
Make = Callable[..., Detector]
Clips = Callable[..., list[Path]]

NOT_OURS = {
    "check_n_features_in": "recordings may have any number of samples, so none is remembered",
    "check_n_features_in_after_fitting": "the same",
    "check_estimators_empty_data_messages": "it is a ValueError, but speaks of samples",
}
"""scikit-learn's checks that do not apply; docs/scikit-learn.md has the same list."""


@pytest.fixture(scope="module")
def quick(tiny: Recipe) -> Recipe:
    """The tiny recipe with a single step of training."""
    pretrain = tiny.pretrain.model_copy(update={"epochs": 1, "max_steps": 1})
    finetune = tiny.finetune.model_copy(update={"epochs": 0})
    return tiny.model_copy(update={"pretrain": pretrain, "finetune": finetune})


@pytest.fixture(scope="module")
def minute() -> Recipe:
    """A recipe for recordings of a few samples, as scikit-learn's checks have them."""
    return parse_recipe(
        {
            "features": {"n_mels": 32, "n_fft": 64, "hop_length": 32},
            "input": {"crop_seconds": 0.06},
            "encoder": {"width": 0.1},
            "pretrain": {"epochs": 1, "max_steps": 1, "batch_size": 4, "projector": [4]},
            "recalibrate": False,
            "detect": {"hop_seconds": 0.06},
        },
        "minute",
    )


@pytest.fixture(scope="module")
def folder(make_clips: Clips) -> Path:
    """A folder of six healthy recordings of different lengths."""
    return make_clips([0.7, 1.1, 0.6, 0.9, 1.4, 0.8], seed=3)[0].parent


@pytest.fixture(scope="module")
def fitted(quick: Recipe, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return Detector(quick, cache=tmp_path_factory.mktemp("cache"), sample_rate=RATE).fit(folder)


@pytest.fixture
def copied(fitted: Detector) -> Detector:
    """A detector that a test may change."""
    copy: Detector = pickle.loads(pickle.dumps(fitted))
    return copy


# scikit-learn


def test_a_fitted_detector_can_be_pickled(folder: Path, tmp_path: Path) -> None:
    detector = Detector(cache=tmp_path).fit(folder)
    copy = pickle.loads(pickle.dumps(detector))
    assert np.array_equal(copy.score_samples(folder), detector.score_samples(folder))


def test_scikit_learn_finds_nothing_that_is_not_listed(minute: Recipe) -> None:
    results = check_estimator(
        Detector(minute, sample_rate=RATE),
        expected_failed_checks=NOT_OURS,
        on_fail=None,
        on_skip=None,
    )
    wrong = [(r["check_name"], r["exception"]) for r in results if r["status"] == "failed"]
    assert wrong == []
    assert {r["check_name"] for r in results if r["status"] == "xfail"} == set(NOT_OURS)
    assert sum(r["status"] == "passed" for r in results) >= 35


def test_parameters_are_read_changed_and_cloned() -> None:
    detector = Detector("demo", seed=3).set_params(false_alarm_rate=0.1)
    assert detector.get_params() == {
        "recipe": "demo",
        "seed": 3,
        "false_alarm_rate": 0.1,
        "cache": None,
        "device": "cpu",
        "sample_rate": None,
        "encoder": None,
        "scorer": None,
        "views": None,
        "plugins": None,
    }
    assert clone(detector).get_params() == detector.get_params()
    with pytest.raises(ValueError, match="Invalid parameter 'k'"):
        detector.set_params(k=1)


def test_a_clone_of_a_fitted_detector_has_learned_nothing(fitted: Detector, folder: Path) -> None:
    with pytest.raises(NotFittedError, match="call fit first"):
        clone(fitted).score_samples(folder)


@pytest.mark.parametrize(
    "use",
    [
        lambda d: d.score_samples([np.ones(9)]),
        lambda d: d.decision_function([np.ones(9)]),
        lambda d: d.p_values([np.ones(9)]),
        lambda d: d.predict([np.ones(9)]),
        lambda d: next(d.judgements([np.ones(9)])),
        lambda d: d.localize([np.ones(9)]),
        lambda d: d.update([np.ones(9)]),
        lambda d: d.save("x.dgmix"),
        lambda d: d.summary(),
        lambda d: d.undo_update(),
        lambda d: d.export_onnx("folder"),
        lambda d: d.threshold_,
        lambda d: d.labels_,
        lambda d: d.decision_scores_,
    ],
)
def test_nothing_works_before_fit(use: Callable[[Detector], object]) -> None:
    with pytest.raises(NotFittedError):
        use(Detector())


def test_pickles_score_the_same(fitted: Detector, folder: Path, tmp_path: Path) -> None:
    joblib.dump(fitted, tmp_path / "detector.joblib")
    expected = fitted.score_samples(folder)
    for copy in (pickle.loads(pickle.dumps(fitted)), joblib.load(tmp_path / "detector.joblib")):
        assert np.array_equal(copy.score_samples(folder), expected)


def test_a_grid_search_over_recipes(quick: Recipe) -> None:
    rng = np.random.default_rng(0)
    sound = 0.1 * rng.standard_normal((16, RATE // 2))
    faulty = np.arange(16) % 4 == 0
    sound[faulty] *= 3
    train, test = np.flatnonzero(~faulty)[:8], np.r_[np.flatnonzero(faulty), 13, 14, 15]

    def auc(detector: Detector, X: np.ndarray, y: np.ndarray) -> float:
        return float(roc_auc_score(y, detector.decision_function(X)))

    other = quick.model_copy(update={"input": quick.input.model_copy(update={"log": False})})
    grid = {"recipe": [quick, other], "seed": [0, 1]}
    search = GridSearchCV(
        Detector(sample_rate=RATE), grid, scoring=auc, cv=[(train, test)], refit=False
    )
    search.fit(sound, faulty)
    detectors = [
        Detector(**params, sample_rate=RATE).fit(sound[train])
        for params in search.cv_results_["params"]
    ]
    expected = [auc(detector, sound[test], faulty[test]) for detector in detectors]
    assert search.cv_results_["mean_test_score"].tolist() == expected
    assert len(expected) == 4


# What is learned from


def test_folder_files_and_arrays_are_the_same(
    fitted: Detector, quick: Recipe, folder: Path
) -> None:
    paths = sorted(folder.iterdir())
    signals = [read_audio(path).samples for path in paths]
    expected = fitted.score_samples(folder)
    opened = [io.BytesIO(path.read_bytes()) for path in paths]
    for source in (paths, [str(path) for path in paths], np.array(paths, str), signals, opened):
        np.testing.assert_allclose(fitted.score_samples(source), expected, atol=1e-5)
    again = Detector(quick).fit(signals, sample_rate=RATE)
    np.testing.assert_allclose(again.decision_scores_, fitted.decision_scores_, rtol=1e-4)


def test_the_seed_decides(quick: Recipe, folder: Path, tmp_path: Path) -> None:
    one, same, other = (
        Detector(quick, seed=seed, cache=tmp_path).fit(folder).decision_scores_
        for seed in (1, 1, 2)
    )
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)


def test_fine_tuning_can_tell_attributes_apart(tiny: Recipe, simulated: Path) -> None:
    clips = load_manifest(simulated).select(machine="fan", section="00")
    finetune = tiny.finetune.model_copy(update={"classes": "attributes"})
    recipes = [tiny, tiny.model_copy(update={"finetune": finetune})]
    one, two = (Detector(recipe).fit(clips).fitted_.network.state_dict() for recipe in recipes)
    assert any(not torch.equal(one[name], two[name]) for name in one)


def test_another_sample_rate_is_resampled(fitted: Detector) -> None:
    fast = np.random.default_rng(0).standard_normal(4 * RATE).astype(np.float32)
    slow = soxr.resample(fast, 2 * RATE, RATE, quality="HQ")
    scores = fitted.score_samples([fast], sample_rate=2 * RATE)
    assert scores == pytest.approx(fitted.score_samples([slow], sample_rate=RATE))
    assert scores != pytest.approx(fitted.score_samples([fast]))


def test_a_recording_is_as_anomalous_alone_as_among_others(fitted: Detector, folder: Path) -> None:
    paths = sorted(folder.iterdir())
    alone = [fitted.score_samples([path])[0] for path in paths]
    np.testing.assert_allclose(alone, fitted.score_samples(folder), atol=1e-5)


# Verdicts


@pytest.mark.parametrize("rate", [0.05, 0.142])
def test_a_rate_that_is_given_for_must_be_supported(
    rate: float, fitted: Detector, folder: Path
) -> None:
    sentence = rf"rate of {rate:g} needs \d+ healthy recordings, and there are 6; record \d+ more"
    with pytest.raises(InputError, match=sentence):
        fitted.predict(folder, false_alarm_rate=rate)


@pytest.mark.parametrize("rate", [0, -1, 1, 2, float("nan")])
def test_a_rate_is_between_nought_and_one(rate: float, fitted: Detector, folder: Path) -> None:
    with pytest.raises(InputError, match="choose one between 0 and 1"):
        fitted.predict(folder, false_alarm_rate=rate)


def test_one_recording_alone_promises_nothing(
    quick: Recipe, make_clips: Clips, folder: Path, tmp_path: Path
) -> None:
    detector = Detector(quick, cache=tmp_path).fit(make_clips([4.0], seed=5))
    assert np.isfinite(detector.score_samples(folder)).all()
    assert detector.p_values(folder).tolist() == [1.0] * 6
    assert detector.predict(folder).tolist() == [0] * 6
    assert detector.threshold_ == np.inf
    detector.update(make_clips([4.0], seed=6))
    assert (detector.p_values(folder) < 1).any()


def test_p_values_verdicts_and_threshold_agree(fitted: Detector) -> None:
    rng = np.random.default_rng(8)
    signals = [rng.standard_normal(RATE) * level for level in np.geomspace(1e-3, 1, 12)]
    scores, p_values = fitted.decision_function(signals), fitted.p_values(signals)
    assert np.array_equal(scores, fitted.score_samples(signals))
    verdicts_seen = set()
    for rate in (1 / 7, 0.3, 0.5, 0.8):
        verdicts = fitted.predict(signals, false_alarm_rate=rate, promise="known").tolist()
        verdicts_seen |= set(verdicts)
        threshold = fitted.fitted_.calibration().threshold(rate)
        assert verdicts == (p_values <= rate + 1e-9).tolist() == (scores > threshold).tolist()
    assert verdicts_seen == {0, 1}
    assert fitted.predict(signals).tolist() == (scores > fitted.threshold_).tolist()
    assert fitted.labels_.tolist() == (fitted.decision_scores_ > fitted.threshold_).tolist()
    assert fitted.decision_scores_.shape == (6,)


def test_the_rate_of_the_detector_is_that_of_its_verdicts(quick: Recipe, folder: Path) -> None:
    detector = Detector(quick, false_alarm_rate=0.4, sample_rate=RATE).fit(folder)
    rng = np.random.default_rng(8)
    signals = [rng.standard_normal(RATE) * level for level in np.geomspace(1e-3, 1, 12)]
    for rate, other in ((None, 0.4), (0.2, 0.2)):
        verdicts = detector.predict(signals, false_alarm_rate=rate)
        expected = detector.predict(signals, false_alarm_rate=other, promise="known")
        assert np.array_equal(verdicts, expected)


# Recordings, conditions and promises


def halves(detector: Detector) -> list[np.ndarray]:
    """Return recordings of two conditions in turn: soft and loud."""
    rng = np.random.default_rng(3)
    return [rng.standard_normal(RATE // 2) * 10 ** (-3 + number % 2) for number in range(8)]


def test_conditions_are_named_one_by_one_or_by_a_pattern(
    quick: Recipe, folder: Path, make_clips: Clips
) -> None:
    views = quick.detect.model_copy(update={"views": ["logmel-mean"]})
    raw = quick.model_copy(update={"detect": views})
    paths = sorted(folder.iterdir())
    named = Detector(raw).fit(paths, conditions=list("aabbcc"), recordings=list("xxyyzz"))
    assert named.fitted_.memory.clips.conditions == tuple("aabbcc")
    assert named.fitted_.count("known") == 3
    detector = Detector(raw).fit(paths, conditions_from=r"clip_00(\d)", recordings_from=r"(clip)_")
    assert detector.fitted_.memory.clips.conditions == tuple("012345")
    assert detector.fitted_.count("known") == 1
    with pytest.raises(InputError, match="the pattern 'speed' for conditions does not match"):
        Detector(raw).fit(paths, conditions_from="speed")


def test_a_condition_is_judged_alone_where_it_is_named(quick: Recipe) -> None:
    views = quick.detect.model_copy(update={"views": ["logmel-mean", "logmel-max"]})
    raw = quick.model_copy(update={"detect": views})
    conditions = ["soft", "loud"] * 4
    detector = Detector(raw, sample_rate=RATE).fit(halves(Detector()), conditions=conditions)
    signals = [0.01 * np.random.default_rng(n).standard_normal(RATE // 2) for n in range(3)]
    for names in (["soft"] * 3, np.array(["loud"] * 3)):
        p_values = detector.p_values(signals, conditions=names)
        assert np.isin(np.round(p_values * 5, 6), range(1, 6)).all()
        verdicts = detector.predict(signals, conditions=names, false_alarm_rate=0.2)
        assert verdicts.tolist() == (p_values <= 0.2 + 1e-9).tolist()
    new = detector.p_values(signals, promise="new")
    assert np.isin(np.round(new * 3, 6), np.arange(1, 3.1, 0.25)).all()
    assert (detector.p_values(signals, promise="both") >= new).all()
    (judged, *_) = detector.judgements(signals, condition="soft")
    assert judged.p_known == detector.p_values(signals, conditions=["soft"] * 3)[0]


def test_conditions_are_one_for_each_recording(fitted: Detector, folder: Path) -> None:
    for use in (fitted.p_values, fitted.predict):
        with pytest.raises(InputError, match="conditions: 1 for 6 recordings; give one each"):
            use(folder, conditions=["source"])
        with pytest.raises(InputError, match="conditions: the text 'source'; give a list"):
            use(folder, conditions="source")


# Many recordings, some broken


def test_broken_recordings_do_not_stop_the_others(fitted: Detector, folder: Path) -> None:
    good = sorted(folder.iterdir())
    given = [good[0], Path("none.wav"), good[1], good[2], Path(__file__)]
    judged = list(fitted.judgements(given))
    assert [each.name for each in judged] == [str(path) for path in given]
    assert [each.error is None for each in judged] == [True, False, True, True, False]
    assert all(np.isnan(each.score) and np.isnan(each.p_known) for each in judged if each.error)
    assert str(judged[1].error).startswith("none.wav: no such file")
    scores = [each.score for each in judged if not each.error]
    np.testing.assert_allclose(scores, fitted.score_samples(good[:3]), atol=1e-6)
    with pytest.raises(InputError, match=r"none\.wav"):
        fitted.score_samples(given)


def test_recordings_learned_from_are_known_again(fitted: Detector, folder: Path) -> None:
    first = sorted(folder.iterdir())[0]
    samples = read_audio(first).samples
    judged = list(fitted.judgements([samples, samples * 0.5]))
    assert [each.learned for each in judged] == [True, False]
    assert judged[0].score == pytest.approx(0, abs=1e-5)


def test_few_recordings_are_in_memory(
    fitted: Detector, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []
    features_of = recordings.features_of

    def counting(source: Path, *settings: object) -> object:
        decoded.append(source)
        return features_of(source, *settings)  # type: ignore[arg-type]

    monkeypatch.setattr(recordings, "features_of", counting)
    monkeypatch.setattr(recordings, "TOGETHER_FRAMES", 100)
    given = sorted(folder.iterdir()) * 20
    most = 0
    for number, _ in enumerate(fitted.judgements(given), 1):
        most = max(most, len(decoded) - number)
    assert len(decoded) == len(given)
    assert most <= 10


# More recordings


def test_an_update_leaves_out_what_is_known(
    copied: Detector, folder: Path, make_clips: Clips
) -> None:
    new = make_clips([0.9], seed=12)[0]
    copied.update([*sorted(folder.iterdir()), new], accept=True)
    assert len(copied.fitted_.memory.clips) == 7
    copied.update([new])
    assert len(copied.fitted_.memory.clips) == 7
    assert next(copied.judgements([new])).learned


def test_an_update_that_fails_changes_nothing(
    copied: Detector, fitted: Detector, make_clips: Clips
) -> None:
    with pytest.raises(InputError, match=r"none\.wav"):
        copied.update([*make_clips([0.9], seed=13), Path("none.wav")])
    assert len(copied.fitted_.memory.clips) == 6
    assert np.array_equal(copied.decision_scores_, fitted.decision_scores_)


# The rest


def test_localize_gives_one_for_each_recording(fitted: Detector, folder: Path) -> None:
    places = fitted.localize(folder)
    bank = next(sounds(folder).banks(fitted.fitted_.recipe))[1]
    assert [len(each.seconds) for each in places] == bank.frames.tolist()
    assert all(each.surprise.shape == (len(each.seconds), 32) for each in places)
    np.testing.assert_array_equal(
        places[2].surprise,
        localize(bank[2], fitted.fitted_.statistics_of(""), fitted.fitted_.recipe).surprise,
        strict=True,
    )


def test_the_summary_adds_up(fitted: Detector, folder: Path) -> None:
    values = fitted.summary()
    seconds = sum(len(read_audio(path).samples) / RATE for path in folder.iterdir())
    assert values["files"] == values["recordings"] == values["trained on"] == 6
    assert values["minutes"] == pytest.approx(seconds / 60, abs=0.01)
    assert values["threshold"] == {"00": fitted.threshold_}
    assert values["healthy scores"]["greatest"] == fitted.decision_scores_.max()
    assert values["views"]["dgmix"] == [6, fitted.fitted_.network.embedding_size]


def test_saving_and_loading_keeps_scores_and_choices(
    quick: Recipe, folder: Path, tmp_path: Path
) -> None:
    detector = Detector(quick, seed=4, false_alarm_rate=0.2, cache=tmp_path).fit(folder)
    detector.save(tmp_path / "pump.dgmix")
    loaded = Detector.load(tmp_path / "pump.dgmix")
    assert np.array_equal(loaded.score_samples(folder), detector.score_samples(folder))
    assert (loaded.fitted_.rate(), loaded.seed, loaded.false_alarm_rate) == (0.2, 4, 0.2)
    assert loaded.summary() == detector.summary()
    loaded.update(folder)
    assert len(loaded.fitted_.memory.clips) == 6


def test_an_update_can_be_taken_back(copied: Detector, folder: Path, make_clips: Clips) -> None:
    before = copied.score_samples(folder)
    assert copied.update(make_clips([0.9], seed=14), accept=True, conditions=["winter"]) is copied
    assert copied.fitted_.memory.clips.conditions[-1] == "winter"
    assert copied.undo_update() is copied
    assert np.array_equal(copied.score_samples(folder), before)
    with pytest.raises(InputError, match="nothing to undo"):
        copied.undo_update()
