import csv
import re
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from sklearn.decomposition import PCA

from dgmix.errors import InputError
from dgmix.evaluate.report import embeddings, figures, svg
from dgmix.evaluate.report.embeddings import maps, principal_components, read_embeddings

shapes = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)
vectors = arrays(np.float64, shapes, elements=st.floats(-100, 100).map(lambda v: round(v, 3)))


@pytest.fixture
def run(make_run):
    return make_run(machines=["fan"], seeds=[0, 1], separation={"dgmix": 1.0})


def cloud(seed=0, spread=(5.0, 2.0, 0.5, 0.1), clips=400):
    return np.random.default_rng(seed).normal(size=(clips, len(spread))) * spread


def test_axes_are_those_of_the_directions():
    clips = cloud() @ np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0]
    points, held = principal_components(clips)
    directions = clips - np.median(clips, axis=0)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    _, axes = np.linalg.eigh(directions.T @ directions)
    expected = (clips - np.median(clips, axis=0)) @ axes[:, [-1, -2]]
    assert np.abs(points) == pytest.approx(np.abs(expected))
    assert held == pytest.approx(PCA(2).fit(clips).explained_variance_ratio_.sum(), abs=0.02)


def test_far_clips_do_not_turn_the_axes():
    clips = cloud()
    _, held = principal_components(clips)
    far = np.vstack([clips, [[0, 0, 0, 900.0]] * 3])
    points, _ = principal_components(far)
    assert np.abs(points[:400]).max(0) == pytest.approx(np.abs(clips[:, :2]).max(0), rel=0.1)
    assert held > 0.95


@given(vectors)
def test_distances_never_grow(clips):
    points, held = principal_components(clips)
    assert points.shape == (len(clips), 2)
    assert -1e-9 <= held <= 1 + 1e-9
    apart = np.linalg.norm(clips[:, None] - clips[None], axis=2)
    shown = np.linalg.norm(points[:, None] - points[None], axis=2)
    assert (shown <= apart + 1e-6).all()


def test_a_map_of_every_section_with_every_clip(run):
    (map_of_run,) = maps(run)
    assert (map_of_run.machine, map_of_run.name) == ("fan", "fan, seed 0")
    assert [panel.name for panel in map_of_run.panels] == ["Section 00", "Section 01"]
    names = ["source normal", "target normal", "source anomaly", "target anomaly"]
    assert [entry.name for entry in map_of_run.legend] == names
    for panel in map_of_run.panels:
        figure = fromstring(panel.figure)
        paths = [node for node in figure.iter() if node.tag == "path"]
        assert [path.get("d").count("M") for path in paths] == [10] * 4
        assert "10 source normal" in figure.get("aria-label")


def test_the_map_is_of_the_clips_of_the_section(run):
    folder = run / "fan" / "seed0"
    with (folder / "scores.csv").open() as text:
        own = [row["section"] == "01" for row in csv.DictReader(text)]
    points, held = principal_components(np.load(folder / embeddings.NAME)[own].astype(float))
    panel = maps(run)[0].panels[1]
    assert panel.note.startswith(f"{100 * held:.0f} % of the variance")
    groups = np.split(points, 4)
    figure, outside = figures.scatter(
        {
            ("source", "normal"): groups[0],
            ("target", "normal"): groups[2],
            ("source", "anomaly"): groups[1],
            ("target", "anomaly"): groups[3],
        },
        fromstring(panel.figure).get("aria-label"),
    )
    assert panel.figure == svg.render(figure)
    assert (f"{outside} farther out" in panel.note) == (outside > 0)


def test_groups_differ_in_shape_not_only_in_colour():
    marks = {figures.MAP_MARKS[domain, kind] for domain, kind in figures.MAP_MARKS}
    assert len(marks) == len(figures.MAP_MARKS) == 4


def test_clips_far_out_are_counted_and_drawn_at_the_edge():
    points = np.vstack([np.random.default_rng(0).normal(size=(100, 2)), [[500.0, 0.0]]])
    figure, outside = figures.scatter({("source", "normal"): points}, "label")
    assert outside >= 1
    places = re.findall(r"M(\d+) (\d+)", svg.render(figure))
    across = [int(x) for x, _ in places]
    assert max(across) == across[-1] == 252
    assert sum(x > 200 for x in across) < 30


def test_no_embeddings_no_map(run):
    for path in run.rglob(embeddings.NAME):
        path.unlink()
    assert maps(run) == []


@pytest.mark.parametrize("damage", ["rows", "axes", "number", "text", "pickle"])
def test_what_does_not_fit_is_named(run, damage):
    path = run / "fan" / "seed0" / embeddings.NAME
    clips = np.load(path)
    if damage == "text":
        path.write_text("no array")
    elif damage == "pickle":
        np.save(path, np.array([{"a": 1}] * len(clips), object), allow_pickle=True)
    else:
        wrong = {"rows": clips[1:], "axes": clips[None], "number": clips * np.nan}
        np.save(path, wrong[damage])
    with pytest.raises(InputError, match=r"embeddings\.npy"):
        read_embeddings(path)
