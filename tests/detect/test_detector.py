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
from dgmix.detect.threshold import conformal_p_values
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import check_estimator

from dgmix import Detector
from dgmix.audio.bank import MelBank
from dgmix.audio.io import read_audio
from dgmix.config import Recipe, parse_recipe
from dgmix.data import load_manifest
from dgmix.detect import recordings
from dgmix.detect.localize import BandStatistics
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
    return Detector(quick, cache=tmp_path_factory.mktemp("cache")).fit(folder)


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
        Detector(minute), expected_failed_checks=NOT_OURS, on_fail=None, on_skip=None
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
        lambda d: d.rate(),
        lambda d: d.threshold_,
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
    search = GridSearchCV(Detector(), grid, scoring=auc, cv=[(train, test)], refit=False)
    search.fit(sound, faulty)
    detectors = [Detector(**params).fit(sound[train]) for params in search.cv_results_["params"]]
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
    one, two = (Detector(recipe).fit(clips).network_.state_dict() for recipe in recipes)
    assert any(not torch.equal(one[name], two[name]) for name in one)


def test_another_sample_rate_is_resampled(fitted: Detector) -> None:
    fast = np.random.default_rng(0).standard_normal(4 * RATE).astype(np.float32)
    slow = soxr.resample(fast, 2 * RATE, RATE, quality="HQ")
    found = fitted.score_samples([fast], sample_rate=2 * RATE)
    assert found == pytest.approx(fitted.score_samples([slow], sample_rate=RATE))
    assert found != pytest.approx(fitted.score_samples([fast]))


def test_a_recording_is_as_anomalous_alone_as_among_others(fitted: Detector, folder: Path) -> None:
    paths = sorted(folder.iterdir())
    alone = [fitted.score_samples([path])[0] for path in paths]
    np.testing.assert_allclose(alone, fitted.score_samples(folder), atol=1e-5)


# Verdicts


def test_a_judgement_names_the_view_in_which_a_recording_stands_out(
    quick: Recipe, folder: Path, tmp_path: Path
) -> None:
    views = ["logmel-mean", "logmel-max", "logmel-rhythm"]
    detect = quick.detect.model_copy(update={"views": views, "whiten": True})
    detector = Detector(quick.model_copy(update={"detect": detect}), cache=tmp_path).fit(folder)
    asked = [read_audio(path).samples.copy() for path in sorted(folder.iterdir())[:3]]
    asked[1][4000] = 1.0
    said = list(detector.judgements(asked))
    assert said[1].view == "logmel-max"
    alone = [detector.seeing([view]).score_samples(asked[1:2])[0] for view in views]
    own = [detector.seeing([view]).view_scores_[0] for view in views]
    deviations = [
        (np.log(score) - np.log(healthy).mean()) / np.log(healthy).std()
        for score, healthy in zip(alone, own, strict=True)
    ]
    assert views[int(np.argmax(deviations))] == said[1].view
    assert said[1].score == pytest.approx(max(deviations), rel=1e-6)


def test_p_values_verdicts_and_threshold_agree(fitted: Detector) -> None:
    rng = np.random.default_rng(8)
    asked = [rng.standard_normal(RATE) * level for level in np.geomspace(1e-3, 1, 12)]
    scores, p_values = fitted.decision_function(asked), fitted.p_values(asked)
    assert np.array_equal(p_values, conformal_p_values(scores, fitted.decision_scores_))
    found = set()
    for rate in (1 / 7, 0.3, 0.5, 0.8):
        verdicts = fitted.predict(asked, false_alarm_rate=rate).tolist()
        found |= set(verdicts)
        threshold = fitted.calibration().threshold(rate)
        assert verdicts == (p_values <= rate).tolist() == (scores > threshold).tolist()
    assert found == {0, 1}
    assert fitted.predict(asked).tolist() == (scores > fitted.threshold_).tolist()
    assert fitted.labels_.tolist() == [0] * 6


def test_the_default_rate_is_the_smallest_that_is_supported(copied: Detector) -> None:
    assert copied.rate() == copied.smallest_rate() == 1 / 7
    assert copied.set_params(false_alarm_rate=0.2).rate() == 0.2


@pytest.mark.parametrize("rate", [0.05, 0.142])
def test_a_rate_that_is_asked_for_must_be_supported(
    rate: float, fitted: Detector, folder: Path
) -> None:
    sentence = rf"rate of {rate:g} needs \d+ healthy recordings, and there are 6; record \d+ more"
    for ask in (fitted.rate, lambda r: fitted.predict(folder, false_alarm_rate=r)):
        with pytest.raises(InputError, match=sentence):
            ask(rate)


@pytest.mark.parametrize("rate", [0, -1, 1, 2, float("nan")])
def test_a_rate_is_between_nought_and_one(rate: float, copied: Detector, folder: Path) -> None:
    with pytest.raises(InputError, match="choose one between 0 and 1"):
        copied.predict(folder, false_alarm_rate=rate)
    if not 0 <= rate < 1:
        copied.set_params(false_alarm_rate=rate)
        with pytest.raises(InputError, match="choose one between 0 and 1"):
            copied.predict(folder)


def test_one_recording_alone_promises_nothing(
    quick: Recipe, make_clips: Clips, folder: Path, tmp_path: Path
) -> None:
    detector = Detector(quick, cache=tmp_path).fit(make_clips([4.0], seed=5))
    assert detector.smallest_rate() == 1 / 2
    assert np.isfinite(detector.score_samples(folder)).all()
    assert detector.p_values(folder).tolist() == [1.0] * 6
    assert detector.predict(folder).tolist() == [0] * 6
    assert detector.summary()["threshold"] == {"00": None}
    detector.update(make_clips([2.0], seed=6))
    assert (detector.p_values(folder) < 1).any()


def test_copies_count_as_one_recording(
    quick: Recipe, make_clips: Clips, folder: Path, tmp_path: Path
) -> None:
    first, *others = make_clips([1.0, 0.7, 0.8], seed=2)
    copy = first.with_name("copy.wav")
    copy.write_bytes(first.read_bytes())
    detector = Detector(quick, cache=tmp_path).fit([first, copy, *others])
    assert detector.decision_scores_[0] == detector.decision_scores_[1] > 0.01
    assert detector.smallest_rate() == 1 / 4
    assert detector.p_values(folder).min() >= 1 / 4


# Sections and domains


def test_an_unknown_section_is_judged_by_all_as_it_is_compared_with_all(
    make_detector: Make, healthy: MelBank
) -> None:
    apart, together = make_detector(), make_detector(per_section=False)
    assert not np.allclose(apart.decision_scores_, together.decision_scores_)
    for section in ("", "elsewhere"):
        np.testing.assert_allclose(apart.calibration(section).scores, together.decision_scores_)
    assert apart.calibration("01").scores.tolist() == apart.decision_scores_[1::2].tolist()


def test_the_rate_is_that_of_the_sections_and_domains_asked_about(make_detector: Make) -> None:
    detector = make_detector()  # section 00: 3 source, 1 target; 01: the same; 8 in all
    assert detector.sections == ["00", "01"]
    assert detector.smallest_rate() == 1 / 2
    assert detector.smallest_rate(["00"], ["source"]) == 1 / 4
    assert detector.smallest_rate(["new"], ["source"]) == 1 / 7
    assert detector.smallest_rate(["new", "01"], ["source"]) == 1 / 4
    assert detector.rate(1 / 7, ["new"], ["source"]) == 1 / 7
    with pytest.raises(InputError, match="domain source"):
        detector.rate(1 / 7, ["00"], ["source"])
    with pytest.raises(InputError, match="domain winter: no healthy recordings"):
        detector.rate(0.5, ["00"], ["winter"])


def test_domains_may_be_an_array(fitted: Detector, folder: Path) -> None:
    domains = ["source"] * 6
    told = fitted.p_values(folder, domains=domains)
    assert np.array_equal(fitted.p_values(folder, domains=np.array(domains)), told)
    assert len(fitted.predict(folder, domains=np.array(domains))) == 6


def test_domains_are_one_for_each_recording(fitted: Detector, folder: Path) -> None:
    for ask in (fitted.p_values, fitted.predict):
        with pytest.raises(InputError, match="domains: 1 for 6 recordings; give one each"):
            ask(folder, domains=["source"])
        with pytest.raises(InputError, match="domains: the text 'source'; give a list"):
            ask(folder, domains="source")


def test_a_domain_is_judged_alone_where_it_is_told(make_detector: Make) -> None:
    detector = make_detector()
    scores = np.linspace(0, 2 * detector.decision_scores_.max(), 20)
    told = detector.judge(scores[None], ["00"] * 20, ["source"] * 20)
    source = detector.decision_scores_[[0, 2, 4]]
    assert np.array_equal(told, conformal_p_values(scores, source))
    assert (detector.judge(scores[None], ["00"] * 20) >= told).all()


# Many recordings, some broken


def test_broken_recordings_do_not_stop_the_others(fitted: Detector, folder: Path) -> None:
    good = sorted(folder.iterdir())
    asked = [good[0], Path("none.wav"), good[1], good[2], Path(__file__)]
    said = list(fitted.judgements(asked))
    assert [each.name for each in said] == [str(path) for path in asked]
    assert [each.error is None for each in said] == [True, False, True, True, False]
    assert all(np.isnan(each.score) and np.isnan(each.p_value) for each in said if each.error)
    assert str(said[1].error).startswith("none.wav: no such file")
    scores = [each.score for each in said if not each.error]
    np.testing.assert_allclose(scores, fitted.score_samples(good[:3]), atol=1e-6)
    with pytest.raises(InputError, match=r"none\.wav"):
        fitted.score_samples(asked)


def test_recordings_learned_from_are_known_again(fitted: Detector, folder: Path) -> None:
    first = sorted(folder.iterdir())[0]
    samples = read_audio(first).samples
    said = list(fitted.judgements([samples, samples * 0.5]))
    assert [each.known for each in said] == [True, False]
    assert said[0].score == pytest.approx(0, abs=1e-5)


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
    asked = sorted(folder.iterdir()) * 20
    most = 0
    for number, _ in enumerate(fitted.judgements(asked), 1):
        most = max(most, len(decoded) - number)
    assert len(decoded) == len(asked)
    assert most <= 10


# More recordings


def test_an_update_is_as_if_it_had_been_remembered_from_the_start(
    copied: Detector, folder: Path, make_clips: Clips
) -> None:
    first, more = sorted(folder.iterdir()), make_clips([0.9, 1.2], seed=11)
    before = copied.decision_scores_.copy()
    copied.update(more, domains=["target", "target"])
    network, recipe = copied.network_, copied.recipe_
    whole = recordings.healthy_sounds([*first, *more], recipe)
    bank = next(whole.banks(recipe))[1]
    domains = ["source"] * 6 + ["target"] * 2
    fresh = Detector(recipe).learn(recipe, network, bank, whole.sections, domains)
    np.testing.assert_allclose(copied.decision_scores_, fresh.decision_scores_, rtol=1e-3)
    assert copied.memory_.domains == fresh.memory_.domains
    assert np.array_equal(copied.healthy_.digests, fresh.healthy_.digests)
    np.testing.assert_allclose(copied.healthy_.seconds, fresh.healthy_.seconds)
    for name in ("mean", "std", "rise", "fall"):
        values, expected = (getattr(d.bands_, name) for d in (copied, fresh))
        np.testing.assert_allclose(values, expected, atol=1e-3)
    assert (copied.decision_scores_[:6] <= before + 1e-6).all()
    assert copied.smallest_rate() == 1 / 3
    assert copied.smallest_rate(domains=["source"]) == 1 / 7
    assert (copied.healthy_.trained, copied.bands_.count) == (6, 8)


def test_an_update_leaves_out_what_is_known(
    copied: Detector, folder: Path, make_clips: Clips
) -> None:
    new = make_clips([0.9], seed=12)[0]
    copied.update([*sorted(folder.iterdir()), new])
    assert len(copied.memory_.sections) == 7
    copied.update([new])
    assert len(copied.memory_.sections) == 7
    assert copied.p_values([new]).tolist() == [1.0]


def test_an_update_that_fails_changes_nothing(
    copied: Detector, fitted: Detector, make_clips: Clips
) -> None:
    with pytest.raises(InputError, match=r"none\.wav"):
        copied.update([*make_clips([0.9], seed=13), Path("none.wav")])
    assert len(copied.memory_.sections) == 6
    assert np.array_equal(copied.decision_scores_, fitted.decision_scores_)


# The rest


def test_localize_gives_one_for_each_recording(fitted: Detector, folder: Path) -> None:
    found = fitted.localize(folder)
    bank = next(recordings.sounds(folder, fitted.recipe_).banks(fitted.recipe_))[1]
    assert [len(each.seconds) for each in found] == bank.frames.tolist()
    assert all(each.surprise.shape == (len(each.seconds), 32) for each in found)
    np.testing.assert_array_equal(
        found[2].surprise, fitted.localize_bank(bank, 2).surprise, strict=True
    )


def test_the_summary_adds_up(fitted: Detector, folder: Path) -> None:
    told = fitted.summary()
    seconds = sum(len(read_audio(path).samples) / RATE for path in folder.iterdir())
    assert told["recordings"] == told["trained on"] == 6
    assert told["minutes"] == pytest.approx(seconds / 60, abs=0.01)
    assert told["threshold"] == {"00": fitted.threshold_}
    assert told["healthy scores"]["greatest"] == fitted.decision_scores_.max()
    assert told["views"]["dgmix"] == [6, fitted.network_.embedding_size]


def test_saving_and_loading_keeps_scores_and_choices(
    copied: Detector, folder: Path, tmp_path: Path
) -> None:
    copied.set_params(false_alarm_rate=0.2, seed=4).save(tmp_path / "pump.dgmix")
    loaded = Detector.load(tmp_path / "pump.dgmix")
    assert np.array_equal(loaded.score_samples(folder), copied.score_samples(folder))
    assert (loaded.rate(), loaded.seed) == (0.2, 4)
    assert loaded.summary() == copied.summary()
    assert isinstance(loaded.bands_, BandStatistics)
    loaded.update(folder)
    assert len(loaded.memory_.sections) == 6
