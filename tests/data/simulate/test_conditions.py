import csv
import re
from pathlib import Path

import pytest

from dgmix.data.simulate import MACHINES
from dgmix.data.simulate.conditions import SHIFTS, Condition, grid, section_shift, shift

REAL_NAME = re.compile(r"section_\d\d_(?:source|target)_test_(?:normal|anomaly)_\d{4}_(.*)\.wav")


def tag_names(text: str) -> tuple[str, ...]:
    return tuple(text.split("_")[::2])


def test_text_and_numbers():
    condition = Condition((("car", "F1"), ("spd", "31V")))
    assert str(condition) == "car_F1_spd_31V"
    assert condition.number("spd", 0.0) == 31.0
    assert condition.number("volt", 2.5) == 2.5
    assert condition.text("id", "car") == "F1"
    assert condition.text("loc", default="A") == "A"


def test_grid_is_every_combination():
    texts = [str(condition) for condition in grid({"vel": "8 16", "loc": "A B"})]
    assert texts == ["vel_8_loc_A", "vel_8_loc_B", "vel_16_loc_A", "vel_16_loc_B"]


def test_columns_name_what_differs():
    speeds = shift("spd", {"car": "F1", "spd": "31V"}, {"car": "F1", "spd": "28V"})
    assert speeds.columns(speeds.domain("target")[0]) == ["speed", "28V"]


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("section", range(6))
def test_domains_have_no_condition_in_common(machine, section):
    kind = section_shift(machine, section)
    assert kind is SHIFTS[machine][section % 3]
    assert not set(kind.source) & set(kind.target)
    values = {
        domain: {tuple(kind.columns(c)) for c in kind.domain(domain)}
        for domain in ("source", "target")
    }
    assert not values["source"] & values["target"]


@pytest.mark.parametrize("machine", MACHINES)
def test_tags_are_those_of_the_real_set(machine, real_data: Path):
    real = set()
    for table in sorted(
        (real_data / "dcase2022_ground_truth/ground_truth_attributes" / machine).iterdir()
    ):
        with table.open() as lines:
            for row in csv.reader(lines):
                if match := REAL_NAME.search(row[-1]):
                    real.add(tag_names(match[1]))
    assert real
    ours = {
        tag_names(str(condition))
        for kind in SHIFTS[machine]
        for condition in (*kind.source, *kind.target)
    }
    # The known names come from sections 03 to 05, where a bearing's first section has `vel` alone.
    assert ours == real
