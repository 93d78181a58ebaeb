"""The commands of one detector: fit, score, update, info."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dgmix.cli_options import (
    RECIPE_HELP,
    AsJson,
    Cache,
    Changes,
    Channels,
    Condition,
    ConditionsFrom,
    DetectorFile,
    Device,
    Domain,
    HealthyReport,
    LeaveOut,
    OwnRate,
    PluginFiles,
    PromiseName,
    Rate,
    Ray,
    RecordingsFrom,
    ReferenceChannel,
    Vectors,
    WithSensitivity,
    condition_named,
    show,
    show_written,
)
from dgmix.cli_vectors import fit_files, is_vectors, named_by, read_files, takes_vectors
from dgmix.errors import InputError
from dgmix.files import check_output
from dgmix.progress import say
from dgmix.streams import is_stream

if TYPE_CHECKING:
    from dgmix.config import Recipe
    from dgmix.detect.fitted import FittedDetector
    from dgmix.detect.recordings import Sounds

commands = typer.Typer()


@commands.command()
def fit(
    healthy: Annotated[
        list[str],
        typer.Argument(
            metavar="FOLDER|FILE...",
            help="Healthy recordings: a folder, a CSV, or files and patterns; or vectors of them.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The .dgmix file to write.")],
    recipe: Annotated[
        str,
        typer.Option(help=RECIPE_HELP),
    ] = "default",
    changes: Changes = None,
    channels: Channels = None,
    reference_channel: ReferenceChannel = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another detector.")] = 0,
    false_alarm_rate: OwnRate = 0.05,
    recordings_from: RecordingsFrom = None,
    conditions_from: ConditionsFrom = None,
    leave_out: LeaveOut = None,
    report: HealthyReport = None,
    plugins: PluginFiles = None,
    sensitivity: WithSensitivity = False,
    cache: Cache = None,
    device: Device = None,
    vectors: Vectors = False,
    as_json: AsJson = False,
) -> None:
    """Learn one detector from healthy recordings of a machine, or from vectors of them."""
    from dgmix.config import load_recipe
    from dgmix.detect import learn
    from dgmix.detect.bundle import save_detector
    from dgmix.detect.conformal import check_is_rate
    from dgmix.detect.reporting import broken_recordings, fit_report, odd_recordings
    from dgmix.detect.sources import named_healthy
    from dgmix.detect.summary import summary
    from dgmix.model.device import chosen_device

    options = {"channels": channels, "reference_channel": reference_channel}
    chosen = [f"audio.{key}={value}" for key, value in options.items() if value is not None]
    settings = load_recipe(recipe, [*(changes or ()), *chosen], plugins or ())
    check_output(output, ".dgmix")
    check_is_rate(false_alarm_rate)
    fitting: dict[str, Any] = {"seed": seed, "false_alarm_rate": false_alarm_rate}
    if is_vectors(healthy, vectors):
        of_sound = {
            "--channels": channels,
            "--reference-channel": reference_channel,
            "--recordings-from": recordings_from,
            "--conditions-from": conditions_from,
            "--leave-out": leave_out,
            "--report": report,
            "--sensitivity": sensitivity,
        }
        fit_files(healthy, output, settings, of_sound, as_json, fitting)
        return
    if report:
        check_output(report, ".html")
    settings.encoder.weights_file()  # a missing file is reported before anything is decoded
    given = named_healthy(healthy).without(leave_out or ())
    settings, given = _prepared(settings, given, recordings_from, conditions_from, cache)
    device = chosen_device(device, networks=settings.detect.learns)
    fitted = learn.fit(given, settings, cache=cache, device=device, **fitting)
    if sensitivity:
        from dgmix.detect.planting.measuring import with_sensitivity

        fitted = with_sensitivity(fitted, given, seed=seed, cache=cache)
    save_detector(fitted, output)
    if report:
        _write_fit_report(fitted, given, report, cache)
    values = {
        "detector": str(output),
        **summary(fitted),
        "unlike the others": odd_recordings(fitted, given.names),
        "unlike in quality": broken_recordings(fitted, given.names),
    }
    show(fit_report(fitted, str(output), given.names, report), values, as_json)


def _prepared(
    settings: Recipe,
    healthy: Sounds,
    recordings_from: str | None,
    conditions_from: str | None,
    cache: Path | None,
) -> tuple[Recipe, Sounds]:
    """Return the recipe without `auto`, and the recordings that can be learned from; say what was
    left out."""
    from dgmix.detect.resolve import resolve

    named = healthy.named_by("recordings", recordings_from)
    named = named.named_by("conditions", conditions_from)
    settings = resolve(settings, named)
    usable = named.usable(settings, cache, os.cpu_count() or 1)
    for line in [*usable.notes, *(f"left out: {each}" for each in usable.left_out)]:
        say(line)
    return settings, usable


def _write_fit_report(
    fitted: FittedDetector, healthy: Sounds, report: Path, cache: Path | None
) -> None:
    from dgmix.detect.detector import Detector
    from dgmix.evaluate.report.healthy import write_fit_report

    detector = Detector.of(fitted)
    detector.cache = cache
    write_fit_report(detector, healthy, report)


@commands.command()
def choose(
    healthy: Annotated[
        list[str],
        typer.Argument(
            metavar="FOLDER|FILE...",
            help="Healthy recordings: a folder, a CSV, or files and patterns.",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the chosen recipe, a YAML file.")
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="What is kept where nothing is better by more than chance.")
    ] = "default",
    also: Annotated[
        list[str] | None, typer.Option(help="Another recipe to try; may be repeated.")
    ] = None,
    changes: Changes = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A third of the recordings and faults.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Other faults at other places.")] = 0,
    recordings_from: RecordingsFrom = None,
    conditions_from: ConditionsFrom = None,
    cache: Cache = None,
    as_json: AsJson = False,
) -> None:
    """Choose the views for a machine by faults planted in its healthy recordings."""
    from dgmix.config import dump_recipe, load_recipe
    from dgmix.detect.planting.choosing import choose as choose_recipe
    from dgmix.detect.planting.reporting import choice_report
    from dgmix.detect.sources import named_healthy
    from dgmix.files import write_text

    if output:
        check_output(output, ".yaml")
    if is_vectors(healthy):
        raise InputError(f"{healthy[0]}: vectors, which are compared as they are; give recordings")
    settings = load_recipe(recipe, changes or ())
    given = named_healthy(healthy)
    _, given = _prepared(settings, given, recordings_from, conditions_from, cache)
    choice = choose_recipe(
        given, recipe, also or (), changes=changes or (), seed=seed, quick=quick, cache=cache
    )
    if output:
        name = choice.chosen.candidate.name
        write_text(output, f"# dgmix choose: {name}\n{dump_recipe(choice.recipe)}")
    show(choice_report(choice, output), choice.as_values(), as_json)


@commands.command()
def score(
    detector: DetectorFile,
    recordings: Annotated[
        list[str],
        typer.Argument(
            metavar="RECORDING...",
            help="Files, folders or patterns; - is standard input; or files of vectors.",
        ),
    ],
    false_alarm_rate: Rate = None,
    promise: PromiseName = None,
    condition: Condition = None,
    section: Annotated[
        str | None, typer.Option(help="Compare with this section, whatever the names say.")
    ] = None,
    sort: Annotated[
        Literal["name", "score"], typer.Option(help="score: the highest first, at the end.")
    ] = "name",
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
    csv: Annotated[
        Path | None, typer.Option(help="Write a CSV file; - is standard output.")
    ] = None,
    ray: Ray = None,
    plugins: PluginFiles = None,
    domain: Domain = None,
) -> None:
    """Tell how anomalous recordings are: score, p-value, verdict."""
    from dgmix.detect.bundle import load_detector
    from dgmix.detect.forms import csv_file, json_lines, table
    from dgmix.detect.scoring import score_recordings

    if as_json and csv:
        raise InputError("--json and --csv: choose one of them")
    if csv:
        check_output(csv, ".csv", list(map(Path, recordings)))
    fitted = load_detector(detector, plugins or ())
    given = named_by(fitted, recordings, section)
    written = table(recordings, given.names or (), fitted.sections)
    form = json_lines() if as_json else csv_file(csv) if csv else written
    score_recordings(
        fitted,
        given,
        form,
        false_alarm_rate=false_alarm_rate,
        promise=promise,
        condition=condition_named(condition, domain),
        by_score=sort == "score",
        summary_on=sys.stderr if as_json or (csv and is_stream(csv)) else sys.stdout,
        quiet=csv is None and sys.stdout.isatty() and sort == "name",
        ray=ray,
    )


@commands.command()
def update(
    detector: DetectorFile,
    healthy: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FOLDER|FILE...",
            help="More healthy recordings: a folder, a CSV, or files and patterns; or vectors.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write here; DETECTOR by default.")
    ] = None,
    condition: Annotated[
        str | None, typer.Option(help="Their operating condition, to be judged by alone.")
    ] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Add what looks like a fault, too: it is healthy.")
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take the last update back.")] = False,
    plugins: PluginFiles = None,
    domain: Domain = None,
    as_json: AsJson = False,
) -> None:
    """Remember more healthy recordings, of a new condition say, without training again."""
    from dgmix.detect import learn
    from dgmix.detect.bundle import load_detector, save_detector
    from dgmix.detect.given_vectors import update_vectors
    from dgmix.detect.reporting import undo_report, update_report
    from dgmix.detect.sources import named_healthy
    from dgmix.detect.summary import summary

    if (not healthy) != undo:
        raise InputError("update: give a folder of healthy recordings, or --undo")
    output = output or detector
    check_output(output, ".dgmix")
    before = load_detector(detector, plugins or ())
    if not healthy:
        fitted = learn.undo_update(before)
        save_detector(fitted, output)
        values = {"detector": str(output), **summary(fitted)}
        show(undo_report(before, fitted, str(output)), values, as_json)
        return
    named = condition_named(condition, domain)
    if takes_vectors(before, healthy):
        table = read_files(healthy, before)
        table = table if named is None else table.with_column("conditions", named)
        fitted, count = update_vectors(before, table, accept=accept), len(table)
    else:
        more = named_healthy(healthy)
        more = more if named is None else more.relabelled(conditions=[named] * len(more))
        fitted, count = learn.update(before, more, accept=accept), len(more)
    save_detector(fitted, output)
    values = {"detector": str(output), "given": count, **summary(fitted)}
    show(update_report(before, fitted, str(output), count), values, as_json)


@commands.command()
def info(
    detector: DetectorFile,
    card: Annotated[
        bool, typer.Option("--card", help="Print its model card, as Markdown.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the model card to this file.")
    ] = None,
    plugins: PluginFiles = None,
    as_json: AsJson = False,
) -> None:
    """Tell what is inside a detector: training data, promises, versions, settings."""
    from dgmix.detect.bundle import describe_detector
    from dgmix.detect.summary import described

    values = describe_detector(detector, plugins or ())
    if card or output:
        from dgmix.detect.card import model_card
        from dgmix.files import write_text

        text = model_card(detector.name, values)
        if output:
            check_output(output, ".md", read=[detector])
            write_text(output, text)
            show_written(output, as_json)
        else:
            show(text.rstrip(), {"card": text}, as_json)
    else:
        show(described(str(detector), values), values, as_json)
