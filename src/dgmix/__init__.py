"""dgmix: hear from healthy recordings alone that a machine is about to break.

The public API; everything is imported on first use, so that `import dgmix` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dgmix.version import __version__ as __version__

if TYPE_CHECKING:
    from dgmix.config import Recipe, load_recipe
    from dgmix.data import load_manifest
    from dgmix.data.clip import Clip, Manifest
    from dgmix.data.download import download
    from dgmix.data.inspect import inspect
    from dgmix.data.simulate import simulate
    from dgmix.detect.detector import Detector
    from dgmix.detect.judgement import Judgement
    from dgmix.detect.localize import Localization
    from dgmix.detect.planting.choosing import choose
    from dgmix.detect.results import Results
    from dgmix.errors import DgmixError, InputError
    from dgmix.estimate import estimate_run
    from dgmix.evaluate import Evaluation, evaluate_scores
    from dgmix.evaluate.comparison import compare_scores
    from dgmix.evaluate.report import write_report
    from dgmix.evaluate.report.healthy import write_fit_report
    from dgmix.evaluate.report.listening import write_listening_report
    from dgmix.pipeline import run
    from dgmix.several import run_several

_HOME = {
    "Clip": "data.clip",
    "Detector": "detect.detector",
    "DgmixError": "errors",
    "Evaluation": "evaluate",
    "InputError": "errors",
    "Judgement": "detect.judgement",
    "Localization": "detect.localize",
    "Manifest": "data.clip",
    "Recipe": "config",
    "Results": "detect.results",
    "choose": "detect.planting.choosing",
    "compare_scores": "evaluate.comparison",
    "download": "data.download",
    "estimate_run": "estimate",
    "evaluate_scores": "evaluate",
    "inspect": "data.inspect",
    "load_manifest": "data",
    "load_recipe": "config",
    "run": "pipeline",
    "run_several": "several",
    "simulate": "data.simulate",
    "write_fit_report": "evaluate.report.healthy",
    "write_listening_report": "evaluate.report.listening",
    "write_report": "evaluate.report",
}
__all__ = [
    "Clip",
    "Detector",
    "DgmixError",
    "Evaluation",
    "InputError",
    "Judgement",
    "Localization",
    "Manifest",
    "Recipe",
    "Results",
    "choose",
    "compare_scores",
    "download",
    "estimate_run",
    "evaluate_scores",
    "inspect",
    "load_manifest",
    "load_recipe",
    "run",
    "run_several",
    "simulate",
    "write_fit_report",
    "write_listening_report",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'dgmix' has no attribute '{name}'")
    return getattr(import_module(f"dgmix.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
