"""Sentences on names that there are not."""

from __future__ import annotations

import pytest

from dgmix.errors import choices, did_you_mean


@pytest.mark.parametrize(
    ("name", "meant"),
    [("fna", "fan"), ("toycar", "ToyCar"), ("VALVE", "valve"), ("gear-box", "gearbox")],
)
def test_a_name_that_is_nearly_right_is_suggested(name: str, meant: str) -> None:
    machines = ["fan", "gearbox", "ToyCar", "valve"]
    assert did_you_mean(name, machines) == f" (did you mean '{meant}'?)"
    assert choices(name, machines).endswith("; choose from fan, gearbox, ToyCar, valve")


def test_a_name_unlike_all_others_suggests_none() -> None:
    assert did_you_mean("compressor", ["fan", "valve"]) == ""
    assert did_you_mean("fan", []) == ""
