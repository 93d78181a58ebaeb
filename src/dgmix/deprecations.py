"""Former names, which work for one release more: from Python with a `DeprecationWarning`.

All of them are listed here, beside what they are called now. An entry goes with the next release.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from operator import attrgetter
from typing import Any, ParamSpec, TypeVar

ARGUMENTS = {
    "Detector.judgements": {"domain": "condition"},
    "Detector.p_values": {"domains": "conditions"},
    "Detector.predict": {"domains": "conditions"},
    "write_listening_report": {"domain": "condition"},
}
ATTRIBUTES = {
    "Detector": {
        "bands_": "fitted_.band_statistics[0]",
        "calibration": "fitted_.calibration",
        "memory_": "fitted_.memory",
        "network_": "fitted_.network",
        "rate": "fitted_.rate",
        "recipe_": "fitted_.recipe",
        "sections": "fitted_.sections",
        "smallest_rate": "1 / (fitted_.count('known') + 1)",
    },
    "Judgement": {"known": "learned"},
}
OPTIONS = {"--domain": "--condition"}
P = ParamSpec("P")
T = TypeVar("T")


def with_former_arguments(function: Callable[P, T]) -> Callable[P, T]:
    """Return a function that takes its arguments by their former names, too."""
    former = ARGUMENTS[function.__qualname__]

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        for name in former.keys() & kwargs.keys():
            _warn(f"{function.__qualname__}: the argument {name}", former[name])
            kwargs[former[name]] = kwargs.pop(name)
        return function(*args, **kwargs)

    return call


class FormerNames:
    """Gives a class its attributes by their former names, too."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        kinds = (kind.__name__ for kind in type(self).__mro__)
        former = next((ATTRIBUTES[kind] for kind in kinds if kind in ATTRIBUTES), {})
        if name not in former:
            return object.__getattribute__(self, name)  # a property's own error, if it is one
        computed = COMPUTED.get(name)
        value = computed(self) if computed else attrgetter(former[name])(self)
        _warn(f"{type(self).__name__}.{name}", former[name])
        return value


def _smallest_rate(detector: Any) -> Callable[..., float]:
    fitted = detector.fitted_

    def smallest_rate(sections: Any = None, domains: Any = None) -> float:
        counts = [fitted.count("known", sections or (), of) for of in domains or [None]]
        return 1 / float(min(counts) + 1)

    return smallest_rate


COMPUTED: dict[str, Callable[[Any], Any]] = {
    "bands_": lambda detector: detector.fitted_.statistics_of(""),
    "smallest_rate": _smallest_rate,
}


def former_option(name: str) -> str:
    """Return the sentence on an option that was given by its former name."""
    return f"{name} is now called {OPTIONS[name]}; the former name goes with the next release"


def _warn(former: str, present: str) -> None:
    text = f"{former} is now called {present}; the former name goes with the next release"
    warnings.warn(text, DeprecationWarning, stacklevel=3)
