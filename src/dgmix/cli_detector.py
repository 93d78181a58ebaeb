"""The commands of one detector: fit, score, update, info."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from dgmix.errors import InputError
from dgmix.files import check_output

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
commands = typer.Typer()

DetectorFile = Annotated[Path, typer.Argument(metavar="DETECTOR", help="A .dgmix file.")]


@commands.command()
def fit(
    healthy: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Healthy recordings: a folder, or a CSV.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The .dgmix file to write.")],
    recipe: Annotated[
        str,
        typer.Option(
            help="published, published-small, default, learned, whole-clips, attributes, demo, "
            "aisfx, beats, eat, "
            "or a file."
        ),
    ] = "default",
    changes: Changes = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another detector.")] = 0,
    cache: Cache = None,
    device: Device = None,
) -> None:
    """Learn one detector from healthy recordings of a machine."""
    from dgmix.config import load_recipe
    from dgmix.detect.detector import Detector
    from dgmix.detect.recordings import healthy_sounds
    from dgmix.detect.summary import learned, promise, sections, thresholds, uncertainty, unlike
    from dgmix.pipeline import chosen_device

    settings = load_recipe(recipe, changes or ())
    check_output(output, ".dgmix")
    detector = Detector(settings, seed=seed, cache=cache, device=chosen_device(device))
    found = healthy_sounds(healthy, settings)
    detector.fit(found).save(output)
    told = detector.summary()
    print(f"{output}: {learned(told)}")
    if len(told["sections"]) > 1:
        print(f"sections: {sections(told)}")
    if strange := unlike(detector, found.names):
        print(f"unlike the rest: {strange}")
    print(f"false-alarm rate: {promise(told)}")
    print(f"uncertainty: {uncertainty(told)}")
    print(f"anomaly: a score {thresholds(told)}")
    print(f"next: dgmix score {output} FILE_OR_FOLDER")


@commands.command()
def score(
    detector: DetectorFile,
    recordings: Annotated[
        list[str],
        typer.Argument(metavar="RECORDING...", help="Files, folders, patterns; - reads one here."),
    ],
    false_alarm_rate: Annotated[
        float | None,
        typer.Option(help="Of the verdicts; 0.05 by default, or the smallest that is supported."),
    ] = None,
    domain: Annotated[
        str | None, typer.Option(help="Operating condition of the recordings, where known.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
    csv: Annotated[Path | None, typer.Option(help="Write a CSV file.")] = None,
    ray: Ray = None,
) -> None:
    """Tell how anomalous recordings are: score, p-value, verdict."""
    from dgmix.detect.detector import Detector
    from dgmix.detect.recordings import named_sounds
    from dgmix.detect.verdicts import csv_file, json_lines, score_and_tell, table

    if as_json and csv:
        raise InputError("--json and --csv: choose one of them")
    if csv:
        check_output(csv, ".csv", list(map(Path, recordings)))
    loaded = Detector.load(detector)
    found = named_sounds(recordings)
    form = json_lines() if as_json else csv_file(csv) if csv else table(recordings, found.names)
    score_and_tell(
        loaded,
        found,
        form,
        false_alarm_rate=false_alarm_rate,
        domain=domain,
        summary_on=sys.stderr if as_json else sys.stdout,
        shown=csv is None and sys.stdout.isatty(),
        ray=ray,
    )


@commands.command()
def update(
    detector: DetectorFile,
    healthy: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="More healthy recordings: a folder, or a CSV.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write here; DETECTOR by default.")
    ] = None,
    domain: Annotated[
        str | None, typer.Option(help="Their operating condition, to be judged by alone.")
    ] = None,
) -> None:
    """Remember more healthy recordings, of a new condition say, without training again."""
    from dgmix.detect.detector import Detector
    from dgmix.detect.recordings import healthy_sounds
    from dgmix.detect.summary import conditions, counted, learned, promise, uncertainty

    output = output or detector
    check_output(output, ".dgmix")
    loaded = Detector.load(detector)
    before = len(loaded.memory_.sections)
    more = healthy_sounds(healthy, loaded.recipe_)
    loaded.update(more, domains=domain and [domain] * len(more)).save(output)
    told = loaded.summary()
    added = told["recordings"] - before
    known = len(more) - added
    also = f", {known} left out because it knows them" if known else ""
    print(f"{output}: {counted(added, 'recording')} added{also}; now {learned(told)}")
    print(f"false-alarm rate: {promise(told)}")
    print(f"uncertainty: {uncertainty(told)}")
    if len(told["domains"]) > 1:
        print(f"conditions: {conditions(told)}")


@commands.command()
def info(
    detector: DetectorFile,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell what is inside a detector: training data, promises, versions, settings."""
    from dgmix.detect.bundle import describe_detector
    from dgmix.detect.summary import described

    told = describe_detector(detector)
    print(json.dumps(told, indent=2) if as_json else described(str(detector), told))
