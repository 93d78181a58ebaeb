import math

from hypothesis import given
from hypothesis import strategies as st

from dgmix.evaluate.report.curves import terms, thinned, trainings
from dgmix.evaluate.report.training import TrainingLog

values = st.floats(-1e3, 1e3) | st.just(math.nan)
curves = st.lists(values, max_size=300).map(lambda ys: [(float(x), y) for x, y in enumerate(ys)])


def log(epochs, machine="fan", repeat=None, seed=0, stage="pretrain"):
    return TrainingLog(machine, repeat, seed, 1, {stage: epochs})


def epochs(count, **series):
    return [
        {"epoch": float(i + 1), "seconds": 30.0} | {name: f(i) for name, f in series.items()}
        for i in range(count)
    ]


def test_terms_are_losses_then_rate_then_diagnostics():
    row = {"epoch": 1.0, "steps": 9.0, "lr": 1.0, "projector_std": 1.0, "loss": 1.0, "mine": 1.0}
    row |= {"effective_rank": 1.0, "embedding_std": 1.0, "seconds": 1.0}
    expected = ["loss", "mine", "lr", "embedding_std", "effective_rank", "projector_std"]
    assert terms([row]) == expected


@given(curves, st.integers(20, 60))
def test_thinned_keeps_the_range_the_order_and_the_limit(points, most):
    kept = thinned(points, most)
    assert len(kept) <= most
    assert [x for x, _ in kept] == sorted(x for x, _ in kept)
    assert {x for x, _ in kept} <= {x for x, _ in points}
    finite = [y for _, y in points if math.isfinite(y)]
    if len(points) == len(finite) and points:
        assert min(y for _, y in kept) == min(finite)
        assert max(y for _, y in kept) == max(finite)
    assert any(math.isnan(y) for _, y in kept) == any(math.isnan(y) for _, y in points)


def test_a_panel_for_each_term_and_a_line_for_each_training():
    logs = [log(epochs(5, loss=lambda i: 5.0 - i, lr=float), seed=s) for s in (0, 1, 2)]
    (training,) = trainings(logs)
    (stage,) = training.stages
    assert [panel.name for panel in stage.panels] == ["Loss", "Learning rate"]
    assert all(panel.figure.count("<polyline") == 3 for panel in stage.panels)
    assert [entry.name for entry in training.legend] == ["seed 0", "seed 1", "seed 2"]


def test_values_far_apart_get_a_logarithmic_scale():
    logs = [
        log(epochs(5, wide=lambda i: 10.0**i, near=lambda i: 1.0 + i, zero=lambda i: 100.0 * i))
    ]
    wide, near, zero = trainings(logs)[0].stages[0].panels
    assert "logarithmic" in wide.note
    assert "logarithmic" not in near.note + zero.note


def test_a_diverged_training_is_told():
    logs = [log(epochs(6, loss=lambda i: 1.0 if i < 3 else math.nan))]
    (panel,) = trainings(logs)[0].stages[0].panels
    assert "seed 0: not finite from epoch 4" in panel.note


def test_the_last_epoch_is_in_the_table():
    (table,) = (s.last for s in trainings([log(epochs(4, loss=lambda i: 4.0 - i))])[0].stages)
    assert table.blocks[0].rows[0].cells == ["seed 0", "4", "2.0", "1"]


def test_many_trainings_share_one_entry_in_the_legend():
    logs = [log(epochs(3, loss=float), repeat=r, seed=s) for r in range(5) for s in (0, 1)]
    (training,) = trainings(logs)
    assert [entry.name[:12] for entry in training.legend] == ["10 trainings"]
    assert "repeat 4, seed 1" in training.stages[0].panels[0].figure
