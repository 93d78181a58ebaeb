"""The commands around DCASE data sets: get or simulate one, evaluate and compare scores on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dgmix.cli_options import AsJson, show_written
from dgmix.files import check_output

commands = typer.Typer()

Machines = Annotated[
    list[str] | None, typer.Option("--machine", help="Only this machine type; may be repeated.")
]
Jobs = Annotated[
    int | None, typer.Option("--jobs", "-j", min=1, help="Processes; all cores by default.")
]
Convention = Annotated[str, typer.Option(help="official or same-domain")]
GroundTruth = Annotated[
    Path | None, typer.Option(help="Organisers' ground truth, for anonymous clip names.")
]
OfYear = Annotated[
    int | None,
    typer.Option("--year", help="Of DCASE, 2020 to 2026; the names tell it by default."),
]
System = Annotated[str | None, typer.Option(help="Which one of a run's systems; dgmix by default.")]


@commands.command()
def download(
    dataset: Annotated[str, typer.Argument(help="dcase2020 to dcase2026")] = "dcase2022",
    folder: Annotated[
        Path | None, typer.Option("--data", "-d", help="Where to; data/<dataset> by default.")
    ] = None,
    machine: Machines = None,
    part: Annotated[
        list[str] | None,
        typer.Option(
            help="dev: development set; train, eval: training and test clips of the evaluation "
            "set; may be repeated, all by default."
        ),
    ] = None,
    hidden_attributes: Annotated[
        bool,
        typer.Option(
            "--hidden-attributes", help="Name clips of 2024 and 2025 with withheld attributes."
        ),
    ] = False,
    names: Annotated[
        Path | None, typer.Option(help="Organisers' list of evaluation clips; ours by default.")
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option(
            envvar="DGMIX_ZENODO_URL", help="Mirror of Zenodo, or a folder with the archives."
        ),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Archives at once.")] = 4,
    as_json: AsJson = False,
) -> None:
    """Download a data set, verified and resumable, and name its test clips."""
    from dgmix.data.download import download as fetch

    done = fetch(
        dataset,
        folder,
        machine or (),
        parts=part or (),
        hidden_attributes=hidden_attributes,
        names=names,
        base_url=base_url,
        jobs=jobs,
    )
    show_written(done, as_json)


@commands.command()
def simulate(
    folder: Annotated[Path, typer.Option("--data", "-d", help="Where to write the set.")],
    like: Annotated[
        str, typer.Option(help="Data set whose layout it has, dcase2020 to dcase2026.")
    ] = "dcase2022",
    machine: Machines = None,
    sections: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="Of a machine, like dcase2022 only; 6 by default."),
    ] = None,
    clips: Annotated[
        int | None,
        typer.Option(min=2, help="Training clips per section; 50 by default, 1000 in real sets."),
    ] = None,
    test_clips: Annotated[
        int | None, typer.Option(min=1, help="Test clips per domain and label, in a section.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1.0, help="Length of a clip.")] = 10.0,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another set.")] = 0,
    jobs: Jobs = None,
    as_json: AsJson = False,
) -> None:
    """Write a simulated set of machines in the form of a year of DCASE Task 2."""
    import os

    from dgmix.data.simulate import CLIPS
    from dgmix.data.simulate import simulate as write_set

    write_set(
        folder,
        like=like,
        machines=machine or None,
        sections=sections,
        clips=clips or CLIPS,
        test_clips=test_clips,
        seconds=seconds,
        seed=seed,
        jobs=jobs or os.cpu_count() or 1,
    )
    show_written(folder, as_json)


@commands.command()
def evaluate(
    scores: Annotated[
        list[Path], typer.Argument(help="A score file, or a folder of them; of several: compare.")
    ],
    convention: Convention = "official",
    ground_truth: GroundTruth = None,
    year: OfYear = None,
    system: System = None,
    as_json: AsJson = False,
) -> None:
    """Compute the DCASE metrics of score files, of dgmix or any other system."""
    if len(scores) > 1:
        compare(scores, convention, ground_truth, year, system, as_json=as_json)
        return
    from dgmix.evaluate import evaluate_scores

    result = evaluate_scores(scores[0], convention, ground_truth, system=system, year=year)
    print(result.to_json() if as_json else result.to_text())


@commands.command()
def compare(
    scores: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN|SCORES...",
            help="Runs, or files or folders of scores; of one run alone all its systems.",
        ),
    ],
    convention: Convention = "official",
    ground_truth: GroundTruth = None,
    year: OfYear = None,
    system: System = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write a report too: an HTML file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare systems that scored the same clips: paired differences to the first, by machine."""
    from dgmix.evaluate.comparison import compare_scores

    if output:
        check_output(output, ".html", read=scores)
    result = compare_scores(scores, convention, ground_truth, system=system, year=year)
    print(result.to_json() if as_json else result.to_text())
    if output:
        from dgmix.evaluate.report.comparison import write_comparison

        write_comparison(result, output)
