"""Results in Python: the verdicts of `dgmix score`, as a table, a frame and a figure."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import matplotlib.colors
import numpy as np
import pytest

from dgmix import Detector, InputError, Results
from dgmix.audio.io import write_wav
from dgmix.detect.forms import COLUMNS, Terms, csv_file
from dgmix.detect.judgement import ANOMALY, Judgement
from dgmix.detect.plots import COLOURS

RATE = 16_000


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A recording like the healthy ones, a loud one, and a file that is no recording."""
    folder = tmp_path_factory.mktemp("results")
    noise = np.random.default_rng(0).normal(0, 0.01, RATE)
    paths = [folder / name for name in ("a.wav", "b.wav", "c.wav")]
    write_wav(paths[0], noise, RATE)
    write_wav(paths[1], 50 * noise, RATE)
    paths[2].write_text("no sound")
    return paths


@pytest.fixture(scope="module")
def detector(make_detector: Callable[..., Detector]) -> Detector:
    return make_detector(views=["logmel-mean"])


@pytest.fixture(scope="module")
def results(detector: Detector, files: list[Path]) -> Results:
    return detector.judge(files, false_alarm_rate=0.3)


def test_a_judgement_of_each_recording_with_the_verdict_of_predict(
    detector: Detector, results: Results, files: list[Path]
) -> None:
    assert len(results) == 3
    assert results[-1].error is not None
    predicted = detector.predict(files[:2], false_alarm_rate=0.3)
    assert [each == ANOMALY for each in results.verdicts[:2]] == predicted.astype(bool).tolist()
    assert results.verdicts[2] == "unreadable"
    assert results[:1].verdicts == results.verdicts[:1]


def test_frames_have_the_columns_of_the_csv(results: Results, tmp_path: Path) -> None:
    with csv_file(tmp_path / "scores.csv")(results.terms) as write:
        for judgement in results:
            write(judgement)
    with (tmp_path / "scores.csv").open(newline="") as file:
        written = list(csv.DictReader(file))
    frame = results.to_polars()
    assert tuple(frame.columns[: len(COLUMNS)]) == COLUMNS
    for row, line in zip(frame.to_dicts(), written, strict=True):
        assert {name: "" if row[name] is None else str(row[name]) for name in COLUMNS} == line
    assert results.to_pandas()["path"].tolist() == frame["path"].to_list()
    assert "c.wav" in frame["error"][2]


def test_they_are_shown_as_a_table(results: Results) -> None:
    first, *lines = repr(results).splitlines()
    assert first.startswith("3 recordings: ")
    assert [line.split()[-1] for line in lines] == results.verdicts
    html = results._repr_html_()
    assert html.count("<tr>") == 4
    assert first in html


def test_many_are_counted() -> None:
    many = Results([Judgement(f"{n}.wav", 1.0, 0.5) for n in range(30)], Terms(0.05))
    assert repr(many).splitlines()[-1] == "10 more"


def test_a_figure_has_a_point_for_each_that_could_be_read(results: Results) -> None:
    (axes,) = results.plot().axes
    points = {tuple(point) for line in axes.lines for point in line.get_xydata().tolist()}
    assert points == {(0.0, results[0].score), (1.0, results[1].score)}
    for line in axes.lines:
        assert matplotlib.colors.same_color(line.get_color(), COLOURS[line.get_label()])


def test_a_figure_of_one_recording(detector: Detector, files: list[Path], tmp_path: Path) -> None:
    figure = detector.plot(files[1])
    figure.savefig(tmp_path / "figure.png")
    upper, lower = figure.axes[:2]
    (place,) = detector.localize(files[1])
    drawn = lower.collections[0].get_array()
    np.testing.assert_allclose(drawn, place.surprise.T)
    assert upper.collections[0].get_array().shape == drawn.shape
    assert "b.wav" in upper.get_title()
    with pytest.raises(InputError, match="2 recordings; give one at a time"):
        detector.plot(files[:2])


def test_without_matplotlib_it_is_named(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(InputError, match=r"pip install 'dgmix\[plot\]'"):
        results.plot()


def test_a_detector_shows_what_it_learned_from(detector: Detector) -> None:
    assert repr(detector).startswith("Detector that learned from 8 recordings")
    html = detector._repr_mimebundle_()["text/html"]
    assert html == detector._repr_html_()
    assert "8 recordings" in html
    assert "<td>recipe</td><td>learned</td>" in Detector("learned")._repr_html_()
    assert repr(Detector("learned")) == "Detector(recipe='learned')"
    assert repr(detector.fitted_) == "FittedDetector(8 healthy recordings in logmel-mean)"
