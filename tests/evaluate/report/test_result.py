import polars as pl
import pytest

from dgmix.evaluate.intervals import resample
from dgmix.evaluate.report import figures, result
from dgmix.evaluate.scores import read_run, systems_of


def verdict(scores, bootstrap=200):
    return " ".join(result.verdict(resample(scores, bootstrap=bootstrap), systems_of(scores)))


@pytest.fixture(scope="module")
def scores_of(make_run):
    def make(clips=30, **separation):
        names = {name.replace("_", "-"): gap for name, gap in separation.items()}
        return read_run(make_run(clips=clips, separation=names))

    return make


def test_a_clear_lead_is_told(scores_of):
    text = verdict(scores_of(dgmix=3.0, logmel_max=0.3, untrained=0.1))
    assert text.startswith("The best of 3 systems is dgmix with Ω = ")
    assert "dgmix is ahead of log-mel max, the best of the others, by " in text
    assert "too little" not in text


def test_a_clear_defeat_is_told(scores_of):
    text = verdict(scores_of(dgmix=0.3, logmel_max=3.0))
    assert text.startswith("The best of 2 systems is log-mel max with Ω = ")
    assert "dgmix does not beat log-mel max here: its Ω is lower by " in text
    assert "too little" not in text


def test_a_close_race_is_told_as_such(scores_of):
    text = verdict(scores_of(clips=5, dgmix=1.0, logmel_max=1.0))
    assert "too little to" in text


def test_guessing_is_called_guessing(scores_of):
    assert "not clearly better than guessing" in verdict(scores_of(clips=8, dgmix=0.0))
    assert "not clearly better" not in verdict(scores_of(dgmix=3.0))


def test_one_system_is_not_compared(scores_of):
    text = verdict(scores_of(dgmix=1.0))
    assert text.startswith("dgmix reaches Ω = ")
    assert "ahead" not in text
    assert "beat" not in text


def test_systems_with_other_clips_are_not_compared(scores_of):
    scores = scores_of(dgmix=1.0, logmel_max=0.5)
    partial = scores.filter((pl.col("system") == "dgmix") | (pl.col("section") == "00"))
    assert "dgmix and log-mel max did not score the same clips" in verdict(partial)


def test_without_labels_nothing_is_judged(make_scores):
    assert "nothing can be judged" in verdict(make_scores(labels=("unknown",)))


def test_one_label_alone_judges_nothing(make_scores):
    assert "nothing can be judged" in verdict(make_scores(labels=("normal",)))


def test_the_lead_has_the_numbers_of_the_difference(scores_of):
    scores = scores_of(dgmix=1.0, logmel_max=0.5)
    judged = resample(scores, bootstrap=200)
    lead = judged.difference("dgmix", "logmel-max")
    numbers = [f"{abs(100 * number):.1f}" for number in lead[:3]]
    text = result.verdict(judged, ["dgmix", "logmel-max"])[-1]
    assert all(number in text for number in numbers)


def test_repeats_give_a_standard_error(make_run):
    run = make_run(
        machines=["fan"], repeats=[0, 1, 2, 3], separation={"dgmix": 1, "untrained": 0.2}
    )
    scores = read_run(run)
    judged = resample(scores)
    assert "standard error" in verdict(scores)
    table = result.official_table(judged, systems_of(scores)).table
    assert table.columns[-1].name == "standard error"
    assert table.blocks[0].rows[0].cells[-1].startswith("±")


def test_figures_have_a_dot_for_each_system_and_machine(scores_of):
    scores = scores_of(dgmix=1.0, logmel_max=0.5)
    judged, looks = resample(scores, bootstrap=50), figures.looks(systems_of(scores))
    assert result.overall_figure(judged, looks).figure.count('class="dot') == 2
    assert result.machine_figure(judged, looks).figure.count('class="dot') == 4


def test_one_machine_needs_no_figure_by_machine(make_scores):
    judged = resample(make_scores(), bootstrap=0)
    assert result.machine_figure(judged, figures.looks(["dgmix"])) is None


def test_the_six_sections_of_dcase_make_blocks(make_scores):
    judged = resample(make_scores(sections=[f"0{n}" for n in range(6)]), bootstrap=0)
    official = result.official_table(judged, ["dgmix"]).table
    same = result.same_domain_table(judged, ["dgmix"]).table
    assert [b.name[:3] for b in official.blocks] == ["Dev", "Eva", "All"]
    assert [b.name[:3] for b in same.blocks] == ["Dev", "Eva"]


def test_undefined_numbers_are_called_so(make_scores):
    judged = resample(make_scores(domains=("source",)), bootstrap=0)
    cells = result.official_table(judged, ["dgmix"]).table.blocks[0].rows[0].cells
    assert cells[3] == "undefined"
