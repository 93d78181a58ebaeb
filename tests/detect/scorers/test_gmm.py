"""The mixture's score against scikit-learn's likelihood and against its formula."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn import mixture

from dgmix.config import DetectSettings
from dgmix.detect.scorers.gmm import RIDGE, GaussianMixture

Floats = NDArray[np.floating]


def scorer(references: Floats, components: int = 2) -> GaussianMixture:
    return GaussianMixture(DetectSettings(components=components)).fit(references)


def two_blobs(count: int = 200, dim: int = 3) -> Floats:
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(size=(count, dim)), 20 + 3 * rng.normal(size=(count, dim))])


@pytest.mark.parametrize("components", [1, 2, 4])
def test_differs_from_the_log_likelihood_by_a_constant(components: int) -> None:
    references, queries = two_blobs(), np.random.default_rng(1).uniform(-10, 40, size=(60, 3))
    values = references[np.lexsort(references.T)]
    centre, scale = values.mean(0), values.std(0)
    model = mixture.GaussianMixture(
        components, covariance_type="diag", reg_covar=RIDGE, random_state=0
    ).fit((values - centre) / scale)
    likelihood = model.score_samples((queries - centre) / scale)
    constant = scorer(references, components).score(queries) ** 2 / 2 + likelihood
    np.testing.assert_allclose(constant, constant[0], rtol=1e-9)
    heights = [
        multivariate_normal(mean, np.diag(variances)).logpdf(mean)
        for mean, variances in zip(model.means_, model.covariances_, strict=True)
    ]
    assert constant[0] == pytest.approx(logsumexp(np.log(model.weights_) + heights))


def test_one_component_is_the_distance_in_standard_deviations() -> None:
    references = two_blobs()
    queries = references[:10] + 5
    deviations = (queries - references.mean(0)) / (references.std(0) * (1 + RIDGE) ** 0.5)
    expected = np.linalg.norm(deviations, axis=1)
    np.testing.assert_allclose(scorer(references, 1).score(queries), expected, rtol=1e-9)


def test_between_two_conditions_is_far_from_both() -> None:
    references = two_blobs()
    middle, first, second = scorer(references).score(np.array([[10.0] * 3, [0] * 3, [20] * 3]))
    assert middle > 2 * max(first, second)
    assert scorer(references, 1).score(np.array([[10.0] * 3])) < 0.1


def test_the_unit_of_a_dimension_does_not_matter() -> None:
    references, units = two_blobs(), np.array([0.3, 1, 5])
    queries = references[::7] + 2
    scores = scorer(references * units).score(queries * units)
    np.testing.assert_allclose(scores, scorer(references).score(queries), rtol=1e-6)


def test_is_the_same_every_time() -> None:
    references, queries = two_blobs(), two_blobs()[::9] + 1
    first, second = (scorer(references, 5).score(queries) for _ in range(2))
    np.testing.assert_array_equal(first, second)
