"""The HTML report of a run: one file that needs no network, no other file and hardly any script.

`listening/` makes the one of scored recordings, on the same page with the same parts.

Figures are SVG in the page, so that a report of thousands of clips stays below two megabytes and
opens at once. The module that makes a section has the name of what it is about (`result`,
`machines`, `embeddings`, `curves`, `about`); `templates/` holds one file for each section.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dgmix.errors import InputError

NAME = "report.html"


def write_report(run: Path, output: Path | None = None) -> Path:
    """Write the report of all that a run has scored so far, and return its path.

    `run` may also be a file or a folder of scores of any system, in any form that
    `dgmix.evaluate.scores.read_scores` reads. The report is `output`, by default `report.html` in
    the folder, or a page beside the file with its name. The same files give the same bytes.
    `recipe.yaml`, `environment.json`, `clips.csv` and `log.jsonl` may be missing; the report then
    says so or leaves their part out.

    Raises `InputError` where `run` holds no scores, or a file of it is damaged.
    """
    from dgmix.evaluate.report.page import render
    from dgmix.files import write_text

    run = Path(run)
    target = output or (run / NAME if run.is_dir() else run.with_suffix(".html"))
    write_text(target, render(contents(run)))
    return target


def contents(run: Path) -> dict[str, Any]:
    """Return what the page of a run, or of scores, shows, by the names that its templates use."""
    from dgmix.evaluate.formats import in_order
    from dgmix.evaluate.intervals import resample
    from dgmix.evaluate.notes import notes
    from dgmix.evaluate.report import about, curves, embeddings, figures, machines, result
    from dgmix.evaluate.report.training import read_logs
    from dgmix.evaluate.rules import convention_of
    from dgmix.evaluate.scores import read_scores, systems_of

    if run.suffix.lower() == ".dgmix":
        raise InputError(f"{run}: a detector; name the recordings that it is to score after it")
    if not run.exists():
        raise InputError(f"{run}: there is no such folder; give the folder of a run, or of scores")
    scores = read_scores(run)
    logs = read_logs(run)
    settings, environment = about.read_settings(run), about.read_environment(run)
    evaluate = about.evaluation(settings)
    convention = convention_of(scores)
    official = resample(scores, convention, evaluate.bootstrap, evaluate.confidence)
    same_domain = resample(scores, "same-domain", bootstrap=0)
    systems = systems_of(scores)
    looks = figures.looks(systems)
    return {
        "title": run.absolute().name,
        "facts": about.facts(scores, settings, environment),
        "verdict": result.verdict(official, systems),
        "summary": result.summary(official, systems),
        "overall": result.overall_figure(official, looks),
        "by_machine": result.machine_figure(official, looks),
        "notes": notes(official, scores),
        "tables": [
            result.official_table(official, systems),
            *([result.same_domain_table(same_domain, systems)] if convention == "official" else []),
        ],
        "both_domains": convention == "official",
        "machines": in_order({*scores["machine"], *(log.machine for log in logs)}),
        "systems": machines.legend(looks),
        "distributions": machines.score_distributions(scores, official),
        "unlabeled": "unknown" in scores["label"],
        "rocs": machines.roc_curves(official, looks),
        "section_rocs": machines.section_roc_curves(official, looks),
        "maps": embeddings.maps(run),
        "training": curves.trainings(logs),
        "data": about.data_table(scores, about.training_clips(run)),
        "settings": about.settings_table(settings, environment),
        "environment": about.environment_table(environment),
    }
