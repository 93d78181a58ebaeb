"""The command line. Each command only reads its options and calls one function."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from dgmix.cli_detector import Cache, Changes, Device, Ray, commands
from dgmix.errors import DgmixError
from dgmix.files import check_output

CONTINUES = ("run", "demo", "download")
INTERRUPTED = 130  # the exit status that typer gives an interrupted command
MISUSE: Any = typer.BadParameter.__mro__[1]  # click's UsageError, which typer does not export

app = typer.Typer(
    help="Hear from healthy recordings alone that a machine is about to break.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(commands)

Machines = Annotated[
    list[str] | None, typer.Option("--machine", help="Only this machine type; may be repeated.")
]
Jobs = Annotated[
    int | None, typer.Option("--jobs", "-j", min=1, help="Processes; all cores by default.")
]


def main() -> None:
    """Run the command line; failures end in one sentence on standard error."""
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"] or ["--help"]
    try:
        status = app(arguments, prog_name="dgmix", standalone_mode=False)
    except DgmixError as error:
        _fail(error, str(error), error.exit_status, debug)
    except MISUSE as error:
        what = error.format_message().rstrip(".")
        _fail(error, f"{what}; see {error.ctx.command_path} --help", 2, debug)
    except Exception as error:
        reason = " ".join(f"unexpected {type(error).__name__}: {error}".split())
        _fail(error, f"{reason}; --debug shows where", 1, debug)
    if status == INTERRUPTED:
        more = "; the same command continues where it was" if arguments[0] in CONTINUES else ""
        print(f"dgmix: stopped{more}", file=sys.stderr)
    sys.exit(status)


def _fail(error: Exception, sentence: str, status: int, debug: bool) -> NoReturn:
    if debug:
        traceback.print_exception(error)
    print(f"dgmix: {sentence}", file=sys.stderr)
    sys.exit(status)


def _show_version(wanted: bool) -> None:
    if wanted:
        from dgmix import __version__

        print(f"dgmix {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of failures.")] = False,
) -> None:
    """Hear from healthy recordings alone that a machine is about to break."""


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to fill.")] = Path("demo"),
    jobs: Jobs = None,
) -> None:
    """Simulate machines, train, score, tabulate and report, in a few minutes."""
    from dgmix.pipeline import demo as run_demo

    _show_run(run_demo(output, jobs=jobs))


@app.command()
def download(
    dataset: Annotated[str, typer.Argument(help="dcase2022")] = "dcase2022",
    folder: Annotated[
        Path | None, typer.Option("--data", "-d", help="Where to; data/<dataset> by default.")
    ] = None,
    machine: Machines = None,
    base_url: Annotated[
        str | None,
        typer.Option(
            envvar="DGMIX_ZENODO_URL", help="Mirror of Zenodo, or a folder with the archives."
        ),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Archives at once.")] = 4,
) -> None:
    """Download a data set, verified and resumable, and name its test clips."""
    from dgmix.data.download import download as fetch

    folder = folder or Path("data") / dataset
    print(fetch(dataset, folder, machine or (), base_url=base_url, jobs=jobs))


@app.command()
def simulate(
    folder: Annotated[Path, typer.Option("--data", "-d", help="Where to write the set.")],
    machine: Machines = None,
    sections: Annotated[int, typer.Option(min=1, max=100, help="Sections per machine.")] = 6,
    clips: Annotated[int, typer.Option(min=2, help="Training clips per section.")] = 1000,
    test_clips: Annotated[
        int | None, typer.Option(min=1, help="Test clips per domain and label, in a section.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1.0, help="Length of a clip.")] = 10.0,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another set.")] = 0,
    jobs: Jobs = None,
) -> None:
    """Write a simulated set of machines in the form of DCASE 2022 Task 2."""
    import os

    from dgmix.data.simulate import MACHINES
    from dgmix.data.simulate import simulate as write_set

    write_set(
        folder,
        machines=machine or MACHINES,
        sections=sections,
        clips=clips,
        test_clips=test_clips,
        seconds=seconds,
        seed=seed,
        jobs=jobs or os.cpu_count() or 1,
    )
    print(folder)


@app.command()
def inspect(
    path: Annotated[Path, typer.Argument(help="A folder of recordings, or a CSV of them.")],
) -> None:
    """Tell what a data set holds: machines, sections, domains, durations, broken files."""
    from dgmix.data.inspect import inspect_text

    print(inspect_text(path))


@app.command()
def run(
    recipe: Annotated[
        str,
        typer.Argument(
            help="published, published-small, default, learned, whole-clips, attributes, demo, "
            "aisfx, beats, eat, "
            "or a file."
        ),
    ],
    data: Annotated[Path, typer.Option("--data", "-d", help="Data set: a folder or a CSV.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run.")],
    machine: Machines = None,
    seed: Annotated[
        list[int] | None, typer.Option(min=0, help="Seed; may be repeated. 0 by default.")
    ] = None,
    changes: Changes = None,
    jobs: Jobs = None,
    cache: Cache = None,
    device: Device = None,
    ray: Ray = None,
) -> None:
    """Train, embed, score, evaluate and report; a second call continues the first."""
    import os

    from dgmix.model.distributed import launched
    from dgmix.pipeline import run as run_recipe

    finished = run_recipe(
        recipe,
        data,
        output,
        machines=machine or (),
        seeds=seed or (0,),
        changes=changes or (),
        jobs=jobs,
        cache=cache,
        device=device,
        ray=ray,
    )
    launch = launched(os.environ)
    if launch is None or launch.rank == 0:
        _show_run(finished)


@app.command()
def evaluate(
    scores: Annotated[Path, typer.Argument(help="A score file, or a folder of them.")],
    convention: Annotated[str, typer.Option(help="official or same-domain")] = "official",
    ground_truth: Annotated[
        Path | None, typer.Option(help="Organisers' ground truth, for anonymous clip names.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; fractions.")] = False,
) -> None:
    """Compute the DCASE metrics of score files, of dgmix or any other system."""
    from dgmix.evaluate import evaluate_scores

    result = evaluate_scores(scores, convention, ground_truth)
    print(result.to_json() if as_json else result.to_text())


@app.command()
def report(
    of: Annotated[Path, typer.Argument(metavar="RUN|DETECTOR", help="A run, or a .dgmix file.")],
    recordings: Annotated[
        list[str] | None,
        typer.Argument(help="With a detector: files, folders or patterns to score; - is a WAV."),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="With a detector: the file to write.")
    ] = Path("report.html"),
    healthy: Annotated[
        Path | None, typer.Option(help="With a detector: healthy recordings to compare with.")
    ] = None,
    false_alarm_rate: Annotated[
        float | None, typer.Option(help="Of the verdicts; the detector's by default.")
    ] = None,
    domain: Annotated[
        str | None, typer.Option(help="Operating condition of the recordings, where known.")
    ] = None,
    top: Annotated[int, typer.Option(min=0, help="How many to hear and see.")] = 10,
) -> None:
    """Write the HTML report of a run again, or one of scored recordings to listen to."""
    if not recordings:
        from dgmix.evaluate.report import write_report

        print(write_report(of))
        return
    from dgmix.detect.detector import Detector
    from dgmix.detect.recordings import named_sounds
    from dgmix.evaluate.report.listening import write_listening_report

    check_output(output, ".html")
    written = write_listening_report(
        Detector.load(of),
        named_sounds(recordings),
        output,
        healthy=healthy,
        false_alarm_rate=false_alarm_rate,
        domain=domain,
        top=top,
        title=of.name,
    )
    print(written)


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
) -> None:
    """Write a detector as an ONNX file, from waveform to verdict."""
    from dgmix.detect.detector import Detector
    from dgmix.detect.export import export_onnx

    written = export_onnx(
        Detector.load(detector),
        onnx,
        name=detector.stem,
        section=section,
        false_alarm_rate=false_alarm_rate,
        embedding=embedding,
    )
    print(written)


def _show_run(folder: Path) -> None:
    from dgmix.pipeline import summary

    print(summary(folder))
    print(f"\nTables: {folder / 'results.md'}\nReport: {folder / 'report.html'}")
