"""What judges a window. All that the watch knows of detectors is in this file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np

from dgmix.errors import DgmixError, InputError
from dgmix.plugins import NONE, Plugins
from dgmix.watch.rule import Verdict
from dgmix.watch.sound import Samples

LEAST_SECONDS, MOST_SECONDS = 0.5, 60.0


@dataclass(frozen=True, slots=True)
class WindowJudgement:
    """The judgement of one window.

    `p_value` is for the healthy conditions learned from, `p_new` for new conditions where the
    detector promises something about them; `view` is that in which the window is least like the
    healthy ones; `reason` is why a window is unreadable.
    """

    score: float | None
    p_value: float | None
    p_new: float | None
    verdict: Verdict
    view: str = ""
    reason: str = ""


class Judge(Protocol):
    """Judges windows, at a false-alarm rate `rate`; learned from windows of `seconds`."""

    rate: float
    seconds: float
    name: str

    def judge(self, signal: Samples, sample_rate: int, condition: str | None) -> WindowJudgement:
        """Return the judgement of a window, float32 (sample,), in a condition where known."""
        ...

    def recordings(self, condition: str | None) -> int:
        """Return how many healthy recordings the rate rests on, in a condition where known."""
        ...


class DetectorJudge:
    """A detector from a `.dgmix` file, with the plug-ins that it needs.

    Raises `InputError` where it cannot be read, or a plug-in is missing.
    """

    def __init__(self, path: Path, rate: float | None = None, plugins: Plugins = NONE) -> None:
        from dgmix.detect.bundle import load_detector
        from dgmix.detect.one_channel import of_one_channel

        self.path = path
        self.fitted = of_one_channel(load_detector(path, plugins), "dgmix watch")
        self.name = path.name
        self.rate = self.fitted.rate(rate)
        clips = self.fitted.memory.clips
        self.conditions = frozenset(clips.conditions)
        length = float(np.median(clips.seconds))
        self.seconds = min(max(length, LEAST_SECONDS), MOST_SECONDS)

    def judge(self, signal: Samples, sample_rate: int, condition: str | None) -> WindowJudgement:
        """Return the judgement of a window, float32 (sample,).

        A condition that the detector has not learned from is as good as none.
        """
        if not len(signal):
            return unreadable("no samples")
        from dgmix.detect.sources import sounds

        named = self._named(condition)
        promise = self.fitted.promise(self.rate, condition=named)
        try:
            window = sounds([signal], sample_rate)
            (judged,) = self.fitted.judge_recordings(window, [named])
        except DgmixError as error:
            return unreadable(str(error))
        if judged.error is not None:
            return unreadable(str(judged.error))
        if judged.unusable:
            return unreadable(judged.unusable)
        return WindowJudgement(
            judged.score,
            judged.p_known,
            judged.p_new if promise == "both" else None,
            cast(Verdict, judged.verdict(self.rate, promise)),
            judged.view,
        )

    def recordings(self, condition: str | None) -> int:
        """Return how many healthy recordings the rate rests on, in a condition where known."""
        return self.fitted.count("known", condition=self._named(condition))

    def _named(self, condition: str | None) -> str | None:
        return condition if condition in self.conditions else None


def unreadable(reason: str) -> WindowJudgement:
    """Return the judgement of a window that cannot be judged, with the reason."""
    return WindowJudgement(None, None, None, "unreadable", "", reason)


Load = Callable[[Path, float | None], Judge]
Update = Callable[[Path, list[Path], list[str | None], Path], None]


def judges(plugins: Sequence[Path] = ()) -> tuple[Load, Update]:
    """Return what loads a detector and what updates one, with these files of plug-ins."""
    given = Plugins.of(list(plugins))
    return partial(DetectorJudge, plugins=given), partial(updated_detector, plugins=given)


def updated_detector(
    base: Path,
    clips: Sequence[Path],
    conditions: Sequence[str | None],
    output: Path,
    plugins: Plugins = NONE,
) -> None:
    """Write the detector that `base` becomes when clips of healthy sound join it.

    `conditions` (clip,): the operating condition of each; "" or None joins the unnamed one. Raises
    `InputError` where a clip cannot be used.
    """
    from dgmix.detect.bundle import load_detector
    from dgmix.detect.detector import Detector
    from dgmix.detect.one_channel import of_one_channel

    detector = Detector.of(of_one_channel(load_detector(base, plugins), "dgmix watch"))
    usual = detector.fitted_.memory.clips.conditions[0]
    named = [condition or usual for condition in conditions]
    detector.update([str(clip) for clip in clips], conditions=named, accept=True).save(output)


def comparison(judge: Judge, clip: Path, healthy: Sequence[Path]) -> dict[str, Any] | None:
    """Return what the listening report shows of a clip beside the nearest of the healthy ones.

    None where the judge is no detector, or there is nothing to compare with.
    """
    if not isinstance(judge, DetectorJudge):
        return None
    from dgmix.detect.forms import Terms
    from dgmix.detect.sources import healthy_sounds, sounds
    from dgmix.evaluate.report.listening import contents
    from dgmix.progress import quiet

    with quiet():
        recordings = sounds([str(clip)])
        others = healthy_sounds([str(each) for each in healthy]) if healthy else None
        try:
            shown = contents(judge.fitted, recordings, others, Terms(judge.rate), None, 1)
        except InputError:
            return None
    (card,) = shown["cards"]
    return {"sentences": list(card.sentences), "sides": list(card.sides), "scales": card.scales}
