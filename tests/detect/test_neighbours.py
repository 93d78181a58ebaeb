import numpy as np
import pytest

from dgmix.detect.neighbours import comparable, nearest_healthy
from dgmix.detect.views import represent

POOLS = ("mean-embedding", "mean-distance", "max-distance")


@pytest.mark.parametrize("pool", POOLS)
def test_nearest_is_the_nearest(make_fitted, make_bank, healthy, tiny, pool):
    fitted = make_fitted(pool=pool)
    clips = make_bank(tiny, [0.4, 1.7, 2.4], seed=3)
    recipe, network = fitted.recipe, fitted.network
    neighbours = nearest_healthy(recipe, network, clips, healthy)

    query_vectors, known = (represent(recipe, network, bank)["dgmix"] for bank in (clips, healthy))
    queries, of, references, healthy_of = (
        query_vectors.values,
        query_vectors.clips,
        known.values,
        known.clips,
    )
    for clip, nearest in enumerate(neighbours):
        distances = [
            np.mean(
                [
                    min(np.linalg.norm(q - r) for r in references[healthy_of == other])
                    for q in queries[of == clip].astype(np.float64)
                ]
            )
            for other in range(len(healthy))
        ]
        assert nearest == np.argmin(distances)


def test_the_nearest_of_a_healthy_clip_is_itself_unless_that_is_forbidden(
    make_fitted, healthy, tiny
):
    fitted = make_fitted()
    neighbours = nearest_healthy(tiny, fitted.network, healthy, healthy)
    assert neighbours.tolist() == list(range(len(healthy)))
    others = ~np.eye(len(healthy), dtype=bool)
    neighbours = nearest_healthy(tiny, fitted.network, healthy, healthy, others)
    assert all(nearest not in (-1, clip) for clip, nearest in enumerate(neighbours))


def test_where_nothing_is_allowed_there_is_none(make_fitted, healthy, tiny):
    nothing = np.zeros((len(healthy), len(healthy)), bool)
    nothing[0, 3] = True
    neighbours = nearest_healthy(tiny, make_fitted().network, healthy, healthy, nothing)
    assert neighbours.tolist() == [3] + [-1] * (len(healthy) - 1)


def test_a_known_section_is_compared_with_itself(tiny):
    allowed = comparable(tiny, ["00", "07"], ["00", "01", "00"])
    assert allowed.tolist() == [[True, False, True], [True, True, True]]
    settings = tiny.detect.model_copy(update={"per_section": False})
    together = tiny.model_copy(update={"detect": settings})
    assert comparable(together, ["00", "07"], ["00", "01", "00"]).all()
