"""The model card of a detector: what who receives it should know, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from dgmix.config import recipe_origin
from dgmix.detect import summary
from dgmix.detect.summary import Summary

LIMITS = (
    "It tells how unlike the healthy recordings a new one is, not what is wrong or how bad it is.",
    "It knows the machine, the place and the microphone that it learned from. Elsewhere, fit "
    "another, or `dgmix update` this one.",
    "A normal verdict is no proof of health: a fault that changes the sound less than healthy "
    "recordings differ stays below the threshold. How many faults it finds, only recordings of "
    "faults can tell.",
    "False-alarm rates are averages over detectors fitted alike; this one's may be higher, see "
    "uncertainty.",
    "It is no safety device.",
)


def model_card(name: str, values: Summary) -> str:
    """Return the card of the detector in file `name`, of what `describe_detector` returns."""
    return "\n".join(_lines(name, values)) + "\n"


def _lines(name: str, values: Summary) -> Iterator[str]:
    origin = recipe_origin(values["recipe"], decided=True)
    yield from (f"# {name}", "")
    sound = not summary.of_vectors(values)
    what, given = ("machine sound", "RECORDING") if sound else ("vectors", "VECTORS")
    yield f"A detector of anomalous {what}, learned from healthy recordings alone by"
    yield f"dgmix {values['dgmix']}: `dgmix score {name} {given}`."
    yield from _section("Learned from", _training(values))
    yield from _section("What it promises", _promises(values))
    yield from _section("How it works", _method(values, origin.base, origin.changes))
    yield from _section("What it does not tell", [(limit, "") for limit in LIMITS])


def _section(title: str, rows: list[tuple[str, str]]) -> Iterator[str]:
    yield from ("", f"## {title}", "")
    yield from (f"- **{what}:** {text}" if text else f"- {what}" for what, text in rows)


def _training(values: Summary) -> list[tuple[str, str]]:
    return [
        ("recordings", summary.training(values)),
        ("sections", summary.sections(values)),
        ("operating conditions", summary.conditions(values)),
        *([] if summary.of_vectors(values) else [("frequencies", summary.band(values))]),
        ("updates", summary.updates(values)),
    ]


def _promises(values: Summary) -> list[tuple[str, str]]:
    return [
        ("false alarms", summary.known_conditions(values)),
        ("new operating conditions", summary.new_conditions(values)),
        ("uncertainty", summary.uncertainty(values)),
        ("anomaly", summary.thresholds(values)),
    ]


def _method(values: Summary, base: str, changes: list[str]) -> list[tuple[str, str]]:
    audio, features = values["recipe"]["audio"], values["recipe"]["features"]
    sound = ("sound", f"{audio['sample_rate']} Hz, {features['n_mels']} mel bands")
    return [
        ("recipe", f"`{base}`" + (f", with {'; '.join(changes)}" if changes else "")),
        ("compared", ", ".join(f"`{view}`" for view in values["views"])),
        ("scorer", f"`{values['recipe']['detect']['scorer']}`"),
        *([] if summary.of_vectors(values) else [sound]),
        ("network", summary.network(values)),
        ("file format", str(values["format"])),
    ]
