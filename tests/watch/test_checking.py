"""The numbers that `dgmix watch --check` shows."""

import pytest

from dgmix.watch.checking import figures


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0.001, "less than 0.01"),
        (0.0623, "0.062"),
        (1.44, "1.4"),
        (246.3, "250"),
        (999_999.0, "1000000"),
        (float("inf"), "more than a million"),
    ],
)
def test_numbers_have_two_figures_and_no_exponent(number: float, shown: str) -> None:
    assert figures(number) == shown
