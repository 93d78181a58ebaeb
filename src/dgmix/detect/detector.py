"""One detector from healthy recordings, as scikit-learn and PyOD have estimators."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from dgmix.config import Recipe
from dgmix.deprecations import FormerNames, with_former_arguments
from dgmix.detect import bundle, learn
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.forms import Terms
from dgmix.detect.judgement import Judgement, Promise
from dgmix.detect.localize import Localization
from dgmix.detect.planting.methods import SensitivityMethods
from dgmix.detect.plugging import plugged
from dgmix.detect.recordings import Sounds
from dgmix.detect.results import Results
from dgmix.detect.sources import Source, healthy_sounds, sounds
from dgmix.detect.summary import overview, summary, training
from dgmix.detect.vector_methods import VectorMethods
from dgmix.detect.views import check_sound, logmel
from dgmix.errors import InputError, check_length
from dgmix.plugins import Plugins
from dgmix.tables import html_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Names = Sequence[str] | None


class Detector(FormerNames, VectorMethods, SensitivityMethods, BaseEstimator):  # type: ignore[misc]
    """Tells from sound how anomalous a recording is, having learned from healthy ones only.

    Names and signs are PyOD's: a higher score is more anomalous, `predict` gives 1 for an anomaly
    and 0 for a healthy recording. It is an estimator as scikit-learn has them (docs/scikit-learn.md
    tells where it differs).

    `recipe` is one that ships with dgmix, a YAML file or a `Recipe`; `seed` decides everything
    random. `false_alarm_rate` is what verdicts are made at where the recordings support it, and
    else the smallest rate that they do. `cache` is the folder for the features of files, the
    user's cache folder by default; `device` is where the network is trained, and stays.
    `sample_rate` is that of arrays wherever none is given with them, in Hz.

    `encoder`, a module or a function, gives a view beside those of the recipe, untrained; `scorer`
    takes the place of the recipe's; `views` are functions of levels (frame, mel) by name, beside
    the recipe's; `plugins` are `dgmix.plugins.Plugins`, files of Python code, or objects by kind
    and name, which the recipe may name (docs/plugins.md).

    Recordings are given as a folder, a CSV, a list of files, or arrays (sample,) with their
    `sample_rate`. What `fit` learns is in `fitted_`, a `dgmix.detect.fitted.FittedDetector`, and
    `decision_scores_` (recording,): the score of each healthy one against the others.
    """

    fitted_: FittedDetector

    def __init__(
        self,
        recipe: str | Path | Recipe = "default",
        *,
        seed: int = 0,
        false_alarm_rate: float = 0.05,
        cache: str | Path | None = None,
        device: str = "cpu",
        sample_rate: int | None = None,
        encoder: object = None,
        scorer: object = None,
        views: Mapping[str, Any] | None = None,
        plugins: object = None,
    ) -> None:
        self.recipe = recipe
        self.encoder = encoder
        self.scorer = scorer
        self.views = views
        self.plugins = plugins
        self.seed = seed
        self.false_alarm_rate = false_alarm_rate
        self.cache = cache
        self.device = device
        self.sample_rate = sample_rate

    def fit(
        self,
        X: Source,
        y: object = None,  # noqa: ARG002 - scikit-learn passes it
        *,
        sample_rate: int | None = None,
        sections: Names = None,
        domains: Names = None,
        recordings: Names = None,
        conditions: Names = None,
        recordings_from: str | None = None,
        conditions_from: str | None = None,
    ) -> Detector:
        """Learn from healthy recordings and return the detector itself.

        `sections`, `domains`, `recordings` and `conditions`, one for each recording, replace what
        a folder or CSV says of them: `recordings` name what was recorded together, `conditions`
        the operating condition. `recordings_from` and `conditions_from` are regular expressions
        that find these in the names of files (the first group, or all that matches). `y` is
        ignored. Raises `InputError` for recordings that cannot be used.
        """
        recipe = self._recipe()
        healthy = healthy_sounds(X, self._rate(sample_rate))
        healthy = healthy.named_by("recordings", recordings_from)
        healthy = healthy.named_by("conditions", conditions_from)
        healthy = healthy.relabelled(
            sections=sections, domains=domains, recordings=recordings, conditions=conditions
        )
        self.fitted_ = learn.fit(
            healthy,
            recipe,
            seed=self.seed,
            false_alarm_rate=self.false_alarm_rate,
            cache=self.cache,
            device=self.device,
        )
        return self

    def _recipe(self) -> Recipe:
        names = ("encoder", "scorer", "views", "plugins")
        return plugged(self.recipe, **{name: getattr(self, name) for name in names})

    @classmethod
    def of(cls, fitted: FittedDetector) -> Detector:
        """Return the detector that has learned `fitted`."""
        detector = cls(fitted.recipe, seed=fitted.seed, false_alarm_rate=fitted.false_alarm_rate)
        detector.fitted_ = fitted
        return detector

    def score_samples(
        self, X: Source, *, sample_rate: int | None = None, sections: Names = None
    ) -> NDArray[np.float64]:
        """Return the anomaly score (recording,) of each recording; higher is more anomalous.

        A recording of a section that the detector knows is compared with that section only.
        Raises `InputError` for the first recording that cannot be read.
        """
        judged = self._judged(X, sample_rate, sections)
        return np.array([each.score for each in judged])

    decision_function = score_samples  # PyOD's name for it

    @with_former_arguments
    def p_values(
        self,
        X: Source,
        *,
        promise: Promise = "known",
        sample_rate: int | None = None,
        sections: Names = None,
        conditions: Names = None,
    ) -> NDArray[np.float64]:
        """Return the conformal p-value (recording,) of each recording: small is anomalous.

        Of healthy recordings made like the training ones, at most a part α has p ≤ α; under the
        promise "new", of those of a condition drawn like the training conditions. `conditions`
        (recording,) are the operating conditions where they are known.
        """
        judged = self._judged(X, sample_rate, sections, conditions)
        return np.array([each.p_value(promise) for each in judged])

    @with_former_arguments
    def predict(
        self,
        X: Source,
        *,
        false_alarm_rate: float | None = None,
        promise: Promise | None = None,
        sample_rate: int | None = None,
        sections: Names = None,
        conditions: Names = None,
    ) -> NDArray[np.int64]:
        """Return 1 for each recording (recording,) that is anomalous at a false-alarm rate, else 0.

        Without a `promise`, it is "both" where the healthy conditions support it, else "known".
        Only p-values decide: `judgements` tells which recordings are unusable.
        Raises `InputError` for a rate that is smaller than the healthy recordings support.
        """
        given = self._sounds(X, sample_rate, sections)
        terms = self._terms(given, false_alarm_rate, promise)
        judged = self._judged(given, None, None, conditions)
        return np.array([each.anomalous(terms.rate, terms.promise) for each in judged], np.int64)

    def judge(
        self,
        X: Source,
        *,
        false_alarm_rate: float | None = None,
        promise: Promise | None = None,
        sample_rate: int | None = None,
        sections: Names = None,
        conditions: Names = None,
    ) -> Results:
        """Return score, p-values and verdict of each recording, as `dgmix score` shows them.

        They are shown as a table, and become data frames and figures. A recording that cannot be
        read is among them, with the reason. Arguments and errors are those of `predict`.
        """
        given = self._sounds(X, sample_rate, sections)
        check_length("conditions", conditions, len(given))
        terms = self._terms(given, false_alarm_rate, promise)
        return Results(list(self._fitted().judge_recordings(given, conditions)), terms)

    def plot(self, X: Source, *, sample_rate: int | None = None) -> Figure:
        """Return a matplotlib figure of one recording: its spectrogram, and where in time and
        frequency it is unlike the healthy ones.

        Raises `InputError` for several recordings, one that cannot be read, and where matplotlib,
        the extra `plot`, is not installed.
        """
        from dgmix.detect.plots import plot_recording

        fitted = self._fitted()
        given = self._sounds(X, sample_rate, None)
        if len(given) != 1:
            raise InputError(f"plot: {len(given)} recordings; give one at a time")
        [(part, bank)] = given.readable_banks(fitted.recipe)
        judged = fitted.judge(bank, part.names, part.sections)
        (place,) = fitted.places(bank, judged)
        shown = bank.split(len(fitted.signals))[fitted.place_of(judged[0].signal)]
        title = repr(Results(judged, self._terms(given))).splitlines()[-1]
        return plot_recording(logmel(shown[0]), place, fitted.recipe.features, title)

    @with_former_arguments
    def judgements(
        self, X: Source, *, sample_rate: int | None = None, condition: str | None = None
    ) -> Iterator[Judgement]:
        """Yield what the detector finds of each recording, in order, a few at a time.

        However many recordings there are, few are in memory. One that cannot be read does not stop
        the others. `condition` is the operating condition of all of them, where it is known.
        """
        given = self._sounds(X, sample_rate, None)
        yield from self._fitted().judge_recordings(given, [condition] * len(given))

    @property
    def decision_scores_(self) -> NDArray[np.float64]:
        """The score (recording,) of each healthy one against the others; inf if unused."""
        return self._fitted().decision_scores

    @property
    def threshold_(self) -> float:
        """The score above which a clip of any section is an anomaly, at the rate of verdicts."""
        fitted = self._fitted()
        rate = fitted.rate()
        return max(fitted.calibration(each).threshold(rate) for each in fitted.sections)

    @property
    def labels_(self) -> NDArray[np.int64]:
        """Which healthy recordings (recording,) score above `threshold_`, 1, or not, 0."""
        return (self.decision_scores_ > self.threshold_).astype(np.int64)

    def localize(self, X: Source, *, sample_rate: int | None = None) -> list[Localization]:
        """Return, for each recording, where in time and frequency it is unlike the healthy ones.

        Of several channels, the one that decides its score is looked at. Raises `InputError` for
        the first recording that cannot be read.
        """
        fitted = self._fitted()
        recordings = self._sounds(X, sample_rate, None)
        return [
            place
            for part, bank in recordings.readable_banks(fitted.recipe)
            for place in fitted.places(bank, fitted.judge(bank, part.names, part.sections))
        ]

    def update(
        self,
        X: Source,
        *,
        accept: bool = False,
        sample_rate: int | None = None,
        sections: Names = None,
        domains: Names = None,
        recordings: Names = None,
        conditions: Names = None,
    ) -> Detector:
        """Remember more healthy recordings, of a new operating condition say, without training.

        They are judged first: those that look like faults are left out unless you `accept` them.
        The others join the memory and the calibration; the network stays. Recordings that the
        detector knows already are left out. Returns the detector itself, as it was if something
        fails; `fitted_.updates` lists what joined.
        """
        fitted = self._fitted()
        more = healthy_sounds(X, self._rate(sample_rate)).relabelled(
            sections=sections, domains=domains, recordings=recordings, conditions=conditions
        )
        self.fitted_ = learn.update(fitted, more, accept=accept)
        return self

    def undo_update(self) -> Detector:
        """Forget what the last update added, and return the detector itself.

        Raises `InputError` if there was none.
        """
        self.fitted_ = learn.undo_update(self._fitted())
        return self

    def export_onnx(self, folder: str | os.PathLike[str], **options: Any) -> Path:
        """Write the detector as an ONNX file, from waveform to verdict, and return its path.

        `options` are those of `dgmix.detect.export.export_onnx`.
        """
        from dgmix.detect.export import export_onnx

        return export_onnx(self._fitted(), Path(folder), **options)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the detector to a `.dgmix` file, whole or not at all."""
        bundle.save_detector(self._fitted(), Path(path))

    @staticmethod
    def load(
        path: str | os.PathLike[str],
        *,
        encoder: object = None,
        scorer: object = None,
        views: Mapping[str, Any] | None = None,
        plugins: object = None,
    ) -> Detector:
        """Return the detector of a `.dgmix` file; nothing in the file can run.

        An encoder, a scorer or views that were given when it learned are given again: a file names
        them and holds the weights of a module, but no code. Raises `InputError` if the file is
        missing, damaged, no detector, or of a newer format, or needs what is not given.
        """
        given = Plugins.of(plugins) | Plugins.of({"views": views or {}})
        fitted = bundle.load_detector(Path(path), given, encoder=encoder, scorer=scorer)
        return Detector.of(fitted)

    def summary(self) -> dict[str, Any]:
        """Return what the detector learned from and can promise, as plain values."""
        return summary(self._fitted())

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        if not hasattr(self, "fitted_"):
            return str(super().__repr__(N_CHAR_MAX))
        return f"Detector that learned from {training(self.summary())}"

    def _repr_html_(self) -> str:
        return self._repr_mimebundle_()["text/html"]

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        """Return what a notebook shows: what was learned, or the settings before there is any."""
        fitted = hasattr(self, "fitted_")
        rows = overview(self.summary()) if fitted else self.get_params()
        html = html_table(["Detector", ""], [(k, str(v)) for k, v in rows.items()])
        return {"text/plain": repr(self), "text/html": html}

    def _terms(
        self, given: Sounds, rate: float | None = None, promise: Promise | None = None
    ) -> Terms:
        """Return what verdicts on recordings are made under, where a rate or promise is chosen."""
        fitted = self._fitted()
        promise = promise or fitted.promise(rate, given.sections)
        return Terms(fitted.rate(rate, given.sections, promise), promise)

    def _judged(
        self,
        X: Source,
        sample_rate: int | None,
        sections: Names,
        conditions: Names = None,
    ) -> list[Judgement]:
        """Return the judgement of each recording; raise the error of the first unreadable one."""
        given = self._sounds(X, sample_rate, sections)
        check_length("conditions", conditions, len(given))
        judged = []
        for judgement in self._fitted().judge_recordings(given, conditions):
            if judgement.error:
                raise judgement.error
            judged.append(judgement)
        return judged

    def _sounds(self, X: Source, sample_rate: int | None, sections: Names) -> Sounds:
        fitted = self._fitted()
        check_sound(fitted.recipe)
        given = sounds(X, self._rate(sample_rate), known=fitted.sections)
        return given.relabelled(sections=sections)

    def _rate(self, sample_rate: int | None) -> int | None:
        return self.sample_rate if sample_rate is None else sample_rate

    def _fitted(self) -> FittedDetector:
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self, "fitted_", msg="this Detector has not learned yet; call fit first")
        return self.fitted_
