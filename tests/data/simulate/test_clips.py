import re
from dataclasses import fields
from itertools import islice

import numpy as np
import pytest
from scipy.stats import ks_2samp

from dgmix.data.simulate import MACHINES, clips
from dgmix.data.simulate.clips import PlannedClip, draw_wear, plan, samples_of
from dgmix.data.simulate.forms import form_of
from dgmix.data.simulate.machines import DATA_SHEET
from dgmix.data.simulate.signals import RATE
from dgmix.data.simulate.variants import sister

NAME = re.compile(
    r"(\w+)/(train|test)/section_\d\d_(source|target)_(train|test)_(normal|anomaly)_\d{4}_[\w.-]+\.wav"
)


@pytest.mark.parametrize("machine", MACHINES)
def test_plan_counts_and_names(machine):
    planned = list(plan(machine, range(2), (7, 3), 4))
    assert len(planned) == 2 * (7 + 3 + 4 * 4)
    assert len({clip.path for clip in planned}) == len(planned)
    for clip in planned:
        match = NAME.fullmatch(str(clip.path))
        assert match
        assert (match[2], match[3], match[5]) == form_of("dcase2022").groups[clip.group]
        assert match[1] == machine
        assert match[4] == match[2]


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("section", range(3))
def test_clips_are_reproducible_and_differ(machine, section):
    samples = 2 * RATE
    one = PlannedClip(machine, section, 3, 1)
    again = samples_of(one, 0, samples)
    np.testing.assert_array_equal(samples_of(one, 0, samples), again)
    assert again.dtype == np.float32
    assert again.shape == (samples,)
    assert 0.003 < again.std() < 0.2
    assert np.abs(again).max() < 1.0
    others = [
        samples_of(one, 1, samples),
        samples_of(PlannedClip(machine, section, 2, 1), 0, samples),
        samples_of(PlannedClip(machine, section, 3, 2), 0, samples),
        samples_of(PlannedClip(machine, section + 3, 3, 1), 0, samples),
    ]
    for other in others:
        assert abs(np.corrcoef(again, other)[0, 1]) < 0.5


@pytest.mark.parametrize("machine", MACHINES)
def test_gain_and_offset_do_not_tell_the_label(machine):
    def facts(group: int) -> np.ndarray:
        sounds = [samples_of(PlannedClip(machine, 0, group, k), 0, RATE) for k in range(40)]
        return np.array([(20 * np.log10(s.std()), s.mean(), np.abs(s).max()) for s in sounds])

    normal, anomalous = facts(2), facts(3)
    assert ks_2samp(normal[:, 0], anomalous[:, 0]).pvalue > 0.001
    assert ks_2samp(normal[:, 1], anomalous[:, 1]).pvalue > 0.001
    assert max(normal[:, 2].max(), anomalous[:, 2].max()) < 1.0


def test_one_fault_stands_out_only_in_faulty_machines():
    faults = ("a", "b", "c")
    for seed in range(50):
        wear = draw_wear(faults, 1.0, True, np.random.default_rng(seed))
        assert sum(level > clips.HEALTHY[1] for level in wear.values()) == 1
        assert max(wear.values()) >= clips.FAULTY[0]
        new = draw_wear(faults, 1.0, False, np.random.default_rng(seed))
        assert max(new.values()) <= clips.HEALTHY[1]


@pytest.mark.parametrize("machine", MACHINES)
def test_sisters_are_alike_but_not_the_same(machine):
    unit = DATA_SHEET[machine].draw(np.random.default_rng(0))
    other = sister(unit, np.random.default_rng(1))
    assert type(other) is type(unit)
    assert other != unit
    numbers = [(a, b) for a, b in zip(_floats(unit), _floats(other), strict=True) if a > 0]
    assert all(0.4 < b / a < 2.5 for a, b in numbers)


def _floats(value) -> list[float]:
    """Every number of a unit but those of (frequency, level) and (order, amplitude) pairs."""
    if isinstance(value, int | float):
        return [float(value)]
    if isinstance(value, tuple):
        return [x for item in value if not isinstance(item, tuple) for x in _floats(item)]
    return [x for field in fields(value) for x in _floats(getattr(value, field.name))]


def test_plans_are_lazy():
    assert len(list(islice(plan("fan", range(100), (9999, 10), 50), 3))) == 3
