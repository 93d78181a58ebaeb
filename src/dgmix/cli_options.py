"""Options that commands share, and how they print what they tell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import typer

from dgmix.deprecations import former_option
from dgmix.progress import say

RECIPE_HELP = (
    "default, published, published-small, learned, whole-clips, attributes, autoencoder, mahala, "
    "first-shot, scac, demo, aisfx, beats, eat, or a file."
)  # config has the names, and takes too long to import for a help text
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Promise: TypeAlias = Literal["known", "new", "both"]

Changes = Annotated[list[str] | None, typer.Option("--set", help="Change a setting, as key=value.")]
Cache = Annotated[Path | None, typer.Option(envvar="DGMIX_CACHE", help="Folder for the features.")]
Device = Annotated[
    str | None, typer.Option(help="cpu or cuda; the GPU by default where there is one.")
]
Ray = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Work on a Ray cluster: auto, HOST:PORT, ray://HOST:PORT, or local.",
    ),
]
Condition = Annotated[
    str | None, typer.Option(help="Operating condition of the recordings, where known.")
]
Domain = Annotated[str | None, typer.Option(hidden=True, help="The former name of --condition.")]
Rate = Annotated[
    float | None,
    typer.Option(
        help="Of the verdicts; by default 0.05, or the smallest that the recordings support."
    ),
]
PromiseName = Annotated[
    Promise | None,
    typer.Option(
        help="Whom the false-alarm rate holds for: healthy recordings of known conditions, of new "
        "ones, or both; both by default where there are enough conditions."
    ),
]
RecordingsFrom = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX",
        help="What in a file's name tells the recording that it was cut from: the first group.",
    ),
]
ConditionsFrom = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX",
        help="What in a file's name tells its operating condition: the first group.",
    ),
]
PluginFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugins",
        metavar="FILE.py",
        envvar="DGMIX_PLUGINS",
        help="Python file with encoders, scorers, views or objectives of your own; it is run.",
    ),
]
Channels = Annotated[
    str | None,
    typer.Option(
        help="Which are compared: auto, mean, first, all, or numbers from 1, such as 1,3."
    ),
]
ReferenceChannel = Annotated[
    int | None,
    typer.Option(min=0, help="A microphone far from the machine; its sound is taken out."),
]
OwnRate = Annotated[
    float, typer.Option(help="Of its verdicts, or the smallest that the recordings support.")
]
LeaveOut = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Do not learn from recordings of this name or pattern."),
]
HealthyReport = Annotated[
    Path | None, typer.Option(help="Write an HTML report of the healthy recordings.")
]
WithSensitivity = Annotated[
    bool,
    typer.Option("--sensitivity", help="Plant faults in them, too, and tell which it would find."),
]
Vectors = Annotated[
    bool,
    typer.Option(
        "--vectors", help="The CSV holds vectors of your own; .npy, .npz, .parquet always do."
    ),
]


def _checked_detector(path: Path) -> Path:
    """Return the path of a detector; refuse a folder before other arguments are missed."""
    from dgmix.detect.bundle import check_is_file

    if path.is_dir():
        check_is_file(path)
    return path


DetectorFile = Annotated[
    Path,
    typer.Argument(
        metavar="DETECTOR", help="A .dgmix file.", is_eager=True, callback=_checked_detector
    ),
]


def condition_named(condition: str | None, domain: str | None) -> str | None:
    """Return the condition that was named, by today's option or by the former one."""
    if domain is not None:
        say(former_option("--domain"))
    return domain if condition is None else condition


def show(text: str, values: Mapping[str, Any], as_json: bool) -> None:
    """Print what a command tells: text for people, or plain values as JSON for programs."""
    print(json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) if as_json else text)


def show_written(path: Path, as_json: bool) -> None:
    """Print what a command has written."""
    show(str(path), {"written": str(path)}, as_json)
