"""Former names work, warn, and give what the present ones give."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dgmix
from dgmix.deprecations import ARGUMENTS, ATTRIBUTES, OPTIONS
from dgmix.detect.judgement import Judgement

RATE = 16_000
CONDITIONS = ["slow"] * 3 + ["fast"] * 3


@pytest.fixture(scope="module")
def sounds() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [0.1 * rng.standard_normal(RATE // 4) for _ in range(6)]


@pytest.fixture(scope="module")
def detector(sounds: list[np.ndarray]) -> dgmix.Detector:
    recipe = dgmix.load_recipe("default", ["detect.views=[logmel-mean, logmel-max]"])
    return dgmix.Detector(recipe, sample_rate=RATE).fit(sounds, conditions=CONDITIONS)


CALLS: dict[str, tuple[Callable[..., Any], Any]] = {
    "Detector.judgements": (lambda d, x, **named: list(d.judgements(x, **named)), "slow"),
    "Detector.p_values": (lambda d, x, **named: d.p_values(x, **named).tolist(), CONDITIONS),
    "Detector.predict": (lambda d, x, **named: d.predict(x, **named).tolist(), CONDITIONS),
}


def test_every_argument_that_was_renamed_is_called_here() -> None:
    assert {*CALLS, "write_listening_report"} == ARGUMENTS.keys()


@pytest.mark.parametrize("name", CALLS)
def test_a_former_argument_does_what_the_present_one_does(
    name: str, detector: dgmix.Detector, sounds: list[np.ndarray]
) -> None:
    call, value = CALLS[name]
    [(former, present)] = ARGUMENTS[name].items()
    with pytest.warns(DeprecationWarning, match=f"the argument {former} is now called {present}"):
        result = call(detector, sounds, **{former: value})
    assert result == call(detector, sounds, **{present: value})
    assert former not in inspect.signature(attrgetter(name)(dgmix)).parameters


def test_the_report_takes_a_domain(
    detector: dgmix.Detector, make_clips: Callable[..., list[Path]], tmp_path: Path
) -> None:
    recordings = make_clips([0.3])[0].parent
    with pytest.warns(DeprecationWarning, match="domain is now called condition"):
        dgmix.write_listening_report(  # type: ignore[call-arg]
            detector, recordings, tmp_path / "former.html", top=0, domain="slow"
        )
    dgmix.write_listening_report(
        detector, recordings, tmp_path / "present.html", top=0, condition="slow"
    )
    assert (tmp_path / "former.html").read_text() == (tmp_path / "present.html").read_text()


@pytest.mark.parametrize("former", ATTRIBUTES["Detector"])
def test_a_former_attribute_of_a_detector_is_there(former: str, detector: dgmix.Detector) -> None:
    with pytest.warns(DeprecationWarning, match=rf"Detector\.{former} is now called"):
        value = getattr(detector, former)
    if former == "smallest_rate":
        assert (value(), value(domains=["fast"])) == (1 / 7, 1 / 4)
    elif former == "bands_":
        assert value is detector.fitted_.statistics_of("")
    else:
        present = attrgetter(ATTRIBUTES["Detector"][former])(detector)
        assert value is present or value == present
    assert former not in dir(detector)
    assert not hasattr(dgmix.Detector(), former)  # nothing is learned


def test_a_former_attribute_of_a_judgement_is_there() -> None:
    with pytest.warns(DeprecationWarning, match=r"Judgement\.known is now called learned"):
        assert Judgement("a.wav", learned=True).known is True  # type: ignore[attr-defined]


def test_what_never_was_is_an_attribute_error(detector: dgmix.Detector) -> None:
    with pytest.raises(AttributeError, match="'Detector' object has no attribute 'colour'"):
        detector.colour  # noqa: B018
    with pytest.raises(AttributeError, match="'Judgement' object has no attribute 'colour'"):
        Judgement("a.wav").colour  # noqa: B018


@pytest.mark.parametrize("former", OPTIONS)
def test_former_options_are_hidden_and_there(former: str) -> None:
    import typer.main

    from dgmix.cli import app

    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    hidden = {
        name: option.hidden
        for name, command in commands.items()
        for option in command.params
        if former in option.opts
    }
    assert hidden == dict.fromkeys(("score", "update", "report"), True)
