"""The command line. Each command only reads its options and calls one function."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from dgmix.cli_dcase import Jobs, Machines
from dgmix.cli_dcase import commands as dcase_commands
from dgmix.cli_detector import commands
from dgmix.cli_help import Tasks
from dgmix.cli_options import (
    RECIPE_HELP,
    AsJson,
    Cache,
    Changes,
    Condition,
    Device,
    Domain,
    PluginFiles,
    PromiseName,
    Ray,
    condition_named,
    show,
    show_written,
)
from dgmix.cli_system import commands as system_commands
from dgmix.errors import DgmixError
from dgmix.files import check_output
from dgmix.progress import QUIET, USUAL, VERBOSE, detail, speaking
from dgmix.streams import prepare_streams
from dgmix.watch.command import app as watch

LEVELS = {"-q": QUIET, "--quiet": QUIET, "-v": VERBOSE, "--verbose": VERBOSE}
GLOBAL = ("--debug", *LEVELS)
"""Options that may stand before or after a command's name."""
CONTINUES = ("run", "demo", "download")
INTERRUPTED = 130  # the exit status that typer gives an interrupted command
MISUSE: Any = typer.BadParameter.__mro__[1]  # click's UsageError, which typer does not export

app = typer.Typer(
    help="Hear from healthy recordings alone that a machine is about to break.",
    cls=Tasks,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(dcase_commands)
app.add_typer(commands)
app.add_typer(watch, name="watch")
app.add_typer(system_commands)


def main() -> None:
    """Run the command line; failures end in one sentence on standard error."""
    prepare_streams()
    began = time.perf_counter()
    debug = "--debug" in sys.argv
    arguments = [each for each in sys.argv[1:] if each not in GLOBAL] or ["--help"]
    try:
        with speaking(_level(sys.argv[1:])):
            status = app(arguments, prog_name="dgmix", standalone_mode=False)
            detail(f"{arguments[0]}: {time.perf_counter() - began:.2f} s")
        sys.stdout.flush()
    except DgmixError as error:
        _fail(error, str(error), error.exit_status, debug)
    except MISUSE as error:
        what = error.format_message().rstrip(".") or "a command is missing"
        end = " See" if what.endswith("?") else "; see"
        _fail(error, f"{what}{end} {error.ctx.command_path} --help", 2, debug)
    except OSError as error:
        _end_output()
        reason = (error.strerror or str(error)).lower()
        _fail(error, f"{error.filename or 'standard output'}: {reason}", 1, debug)
    except Exception as error:
        reason = " ".join(f"unexpected {type(error).__name__}: {error}".split())
        _fail(error, f"{reason}; --debug shows where", 1, debug)
    if status == INTERRUPTED:
        more = "; the same command continues where it was" if arguments[0] in CONTINUES else ""
        print(f"dgmix: stopped{more}", file=sys.stderr)
    sys.exit(status)


def _level(arguments: Sequence[str]) -> int:
    """Return how much is shown: the last of -q and -v, wherever they stand."""
    levels = [LEVELS[each] for each in arguments if each in LEVELS]
    return levels[-1] if levels else USUAL


def _fail(error: Exception, sentence: str, status: int, debug: bool) -> NoReturn:
    if debug:
        traceback.print_exception(error)
    print(f"dgmix: {sentence}", file=sys.stderr)
    sys.exit(status)


def _end_output() -> None:
    """Let Python not try once more, at its end, to write what could not be written."""
    with suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def _show_version(wanted: bool) -> None:
    if wanted:
        from dgmix.version import __version__

        print(f"dgmix {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Show neither progress nor notes.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show details too.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of failures.")] = False,
) -> None:
    """Hear from healthy recordings alone that a machine is about to break."""


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to fill.")] = Path("demo"),
    quick: Annotated[
        bool, typer.Option("--quick", help="Two machines, shorter clips: less than a minute.")
    ] = False,
    jobs: Jobs = None,
    as_json: AsJson = False,
) -> None:
    """Simulate machines, train, score, tabulate and report, in a few minutes."""
    from dgmix.pipeline import demo as run_demo

    _show_run(run_demo(output, quick=quick, jobs=jobs), as_json)


@app.command()
def inspect(
    path: Annotated[
        Path, typer.Argument(help="A folder of recordings, a CSV of them, or a file of vectors.")
    ],
    as_json: AsJson = False,
) -> None:
    """Tell what a data set holds: machines, sections, domains, durations, broken files."""
    from dgmix.data import vectors
    from dgmix.data.inspect import inspect, plain, render

    if vectors.holds_vectors(path):
        values = vectors.described(vectors.read_vectors(path))
        show(vectors.page(values), values, as_json)
        return
    inspection = inspect(path)
    show(render(inspection), plain(inspection), as_json)


@app.command()
def run(
    recipe: Annotated[
        str,
        typer.Argument(help=RECIPE_HELP),
    ],
    data: Annotated[
        list[Path],
        typer.Option(
            "--data",
            "-d",
            help="Data set: a folder or a CSV; of several, a run each and one table.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run.")],
    machine: Machines = None,
    seed: Annotated[
        list[int] | None, typer.Option(min=0, help="Seed; may be repeated. 0 by default.")
    ] = None,
    changes: Changes = None,
    plugins: PluginFiles = None,
    jobs: Jobs = None,
    cache: Cache = None,
    device: Device = None,
    ray: Ray = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Tell what it would take, measured on a few clips."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train, embed, score, evaluate and report; a second call continues the first."""
    from dgmix.model.distributed import launched

    options: dict[str, Any] = {
        "machines": machine or (),
        "seeds": seed or (0,),
        "changes": changes or (),
        "plugins": plugins or (),
        "jobs": jobs,
        "cache": cache,
        "device": device,
    }
    if dry_run:
        _show_estimates(recipe, data, output, options, ray, as_json)
        return
    options["ray"] = ray
    if len(data) > 1:
        from dgmix.several import run_several

        finished, show_finished = run_several(recipe, data, output, **options), _show_several
    else:
        from dgmix.pipeline import run as run_recipe

        finished, show_finished = run_recipe(recipe, data[0], output, **options), _show_run
    launch = launched(os.environ)
    if launch is None or launch.rank == 0:
        show_finished(finished, as_json)


@app.command()
def report(
    of: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|SCORES|DETECTOR",
            help="A run, a file or folder of scores, or a .dgmix file.",
        ),
    ],
    recordings: Annotated[
        list[str] | None,
        typer.Argument(help="With a detector: files, folders or patterns to score; - is a WAV."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The file to write; report.html, in the run's folder for a run."
        ),
    ] = None,
    healthy: Annotated[
        Path | None, typer.Option(help="With a detector: healthy recordings to compare with.")
    ] = None,
    false_alarm_rate: Annotated[
        float | None, typer.Option(help="Of the verdicts; the detector's by default.")
    ] = None,
    promise: PromiseName = None,
    condition: Condition = None,
    top: Annotated[int, typer.Option(min=0, help="How many to hear and see.")] = 10,
    plugins: PluginFiles = None,
    domain: Domain = None,
    as_json: AsJson = False,
) -> None:
    """Write the HTML report of a run or of scores, or one of scored recordings to listen to."""
    if not recordings:
        from dgmix.evaluate.report import write_report

        if output:
            check_output(output, ".html", read=[of])
        show_written(write_report(of, output), as_json)
        return
    output = output or Path("report.html")
    from dgmix.detect.detector import Detector
    from dgmix.detect.sources import named_sounds
    from dgmix.evaluate.report.listening import write_listening_report

    check_output(output, ".html")
    loaded = Detector.load(of, plugins=plugins or ())
    written = write_listening_report(
        loaded,
        named_sounds(recordings, loaded.fitted_.sections),
        output,
        healthy=healthy,
        false_alarm_rate=false_alarm_rate,
        promise=promise,
        condition=condition_named(condition, domain),
        top=top,
        title=of.name,
    )
    show_written(written, as_json)


@app.command()
def export(
    detector: Annotated[Path, typer.Argument(help="A .dgmix file.")],
    onnx: Annotated[Path, typer.Option("--onnx", metavar="DIR", help="Folder for the ONNX file.")],
    section: Annotated[
        str, typer.Option(help="Compare with this section; with all clips by default.")
    ] = "",
    false_alarm_rate: Annotated[
        float | None, typer.Option(help="Of the verdict; the detector's by default.")
    ] = None,
    embedding: Annotated[
        bool, typer.Option("--embedding", help="Waveform to embedding, without a verdict.")
    ] = False,
    plugins: PluginFiles = None,
    as_json: AsJson = False,
) -> None:
    """Write a detector as an ONNX file, from waveform to verdict."""
    from dgmix.detect.bundle import load_detector
    from dgmix.detect.export import export_onnx

    written = export_onnx(
        load_detector(detector, plugins or ()),
        onnx,
        name=detector.stem,
        section=section,
        false_alarm_rate=false_alarm_rate,
        embedding=embedding,
    )
    show_written(written, as_json)


def _show_several(folder: Path, as_json: bool) -> None:
    from dgmix.several import TABLE, official_scores

    table = (folder / TABLE).read_text("utf-8")
    runs = {each.parent.name: official_scores(each.parent) for each in folder.glob("*/results.md")}
    values = {"folder": str(folder), "tables": str(folder / TABLE), "runs": runs}
    show(f"{table}\nTables: {folder / TABLE}, and results.md of each run", values, as_json)


def _show_run(folder: Path, as_json: bool) -> None:
    from dgmix.pipeline import summary, summary_values

    places = {"tables": str(folder / "results.md"), "report": str(folder / "report.html")}
    if as_json:
        show("", {"folder": str(folder), **places, "systems": summary_values(folder)}, as_json)
    else:
        print(f"{summary(folder)}\n\nTables: {places['tables']}\nReport: {places['report']}")


def _show_estimates(
    recipe: str,
    data: list[Path],
    output: Path,
    options: dict[str, Any],
    ray: str | None,
    as_json: bool,
) -> None:
    """Print what a run of each data set would take."""
    from dgmix.errors import InputError
    from dgmix.estimate import estimate_run
    from dgmix.several import data_names

    if ray is not None:
        raise InputError("--dry-run measures this machine, not the nodes of --ray: leave one out")
    folders = data_names(data)
    estimates = {
        name: estimate_run(recipe, each, output / name if len(folders) > 1 else output, **options)
        for name, each in folders.items()
    }
    texts = [f"{name}\n{each.text()}" for name, each in estimates.items()]
    text = "\n".join(texts) if len(texts) > 1 else texts[0].partition("\n")[2]
    show(text, {name: each.values() for name, each in estimates.items()}, as_json)
