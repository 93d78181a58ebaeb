"""What scorers, encoders, raw views and objectives must do, to be called in tests of your own.

    from dgmix.testing import check_scorer

    def test_my_scorer():
        check_scorer(MyScorer())

Each raises `AssertionError` with a sentence on the first thing that does not hold. dgmix's own are
tested by the same checks.
"""

from dgmix.testing.scorers import check_scorer
from dgmix.testing.views import check_view

__all__ = ["check_encoder", "check_objective", "check_scorer", "check_view"]


def __getattr__(name: str) -> object:  # torch is imported where it is needed
    if name == "check_encoder":
        from dgmix.testing.encoders import check_encoder

        return check_encoder
    if name == "check_objective":
        from dgmix.testing.objectives import check_objective

        return check_objective
    raise AttributeError(f"module 'dgmix.testing' has no attribute '{name}'")
