import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from dgmix.evaluate.report.roc import MOST_POINTS, average, roc

scores = st.lists(st.integers(0, 12).map(float), min_size=1, max_size=25).map(np.array)


def labelled(normal, anomaly):
    return np.repeat([0, 1], [len(normal), len(anomaly)]), np.concatenate([normal, anomaly])


@given(scores, scores)
def test_curve_is_that_of_scikit_learn(normal, anomaly):
    labels, values = labelled(normal, anomaly)
    false_alarms, detections, _ = roc_curve(labels, values, drop_intermediate=False)
    curve = roc(normal, anomaly)
    np.testing.assert_allclose(curve.false_alarms, false_alarms, atol=1e-12)
    np.testing.assert_allclose(curve.detections, detections, atol=1e-12)


@given(st.lists(st.tuples(scores, scores), min_size=1, max_size=5))
def test_area_under_the_average_is_the_average_area(pairs):
    average_curve = average([roc(*pair) for pair in pairs])
    aucs = [roc_auc_score(*labelled(*pair)) for pair in pairs]
    assert average_curve.area == pytest.approx(np.mean(aucs), abs=1e-9)


@given(st.lists(st.tuples(scores, scores), min_size=1, max_size=5))
def test_average_rises_from_corner_to_corner(pairs):
    curve = average([roc(*pair) for pair in pairs])
    assert (curve.false_alarms[0], curve.detections[0]) == (0, 0)
    assert (curve.false_alarms[-1], curve.detections[-1]) == pytest.approx((1, 1))
    assert (np.diff(curve.false_alarms) >= 0).all()
    assert (np.diff(curve.detections) >= -1e-12).all()


def test_average_of_one_curve_is_that_curve():
    curve = roc(np.array([0.0, 1.0, 2.0]), np.array([1.5, 3.0]))
    again = average([curve])
    grid = np.linspace(0, 1, 31) + 1e-6
    expected = np.interp(grid, curve.false_alarms, curve.detections)
    np.testing.assert_allclose(np.interp(grid, again.false_alarms, again.detections), expected)


def test_long_curves_are_thinned_without_moving():
    rng = np.random.default_rng(0)
    curve = roc(rng.normal(size=3000), rng.normal(1, 1, 2000))
    thin = average([curve])
    assert len(thin.false_alarms) == 2 * MOST_POINTS
    assert thin.area == pytest.approx(curve.area, abs=0.01)
