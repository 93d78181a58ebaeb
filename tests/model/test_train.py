"""Training as a whole: it learns, it can be stopped anywhere, it says how it goes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dgmix.audio.bank import MelBank
from dgmix.config import AdamWSettings, Recipe
from dgmix.errors import DgmixError, InputError
from dgmix.model import train as training
from dgmix.model.crops import TrainingCrops
from dgmix.model.diagnostics import collapse_warning, effective_rank
from dgmix.model.network import Network
from dgmix.model.optim import learning_rate
from dgmix.model.steps import STAGES, Stage, total_steps
from dgmix.model.train import Run, StageTraining, train, untrained

Bank = Callable[..., MelBank]


@pytest.fixture(scope="module")
def crops(make_bank: Bank, tiny: Recipe) -> TrainingCrops:
    return TrainingCrops.of(make_bank(tiny, [1.5] * 17), ["00", "01"] * 8 + ["00"])


def log_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def weights(network: Network) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, two[name]) for name, value in one.items())


def alone(recipe: Recipe, stage: Stage) -> Recipe:
    """Return the recipe without its other stage."""
    other = {"pretrain": "finetune", "finetune": "pretrain"}[stage]
    left_out = getattr(recipe, other).model_copy(update={"epochs": 0})
    return recipe.model_copy(update={other: left_out})


@pytest.mark.parametrize("stage", STAGES)
def test_every_weight_moves_and_the_rate_follows_its_curve(
    crops: TrainingCrops, tiny: Recipe, tmp_path: Path, stage: Stage
) -> None:
    recipe = alone(tiny, stage)
    before = dict(untrained(recipe, crops, 0).encoder.named_parameters())
    after = dict(train(recipe, crops, 0, Run(tmp_path)).encoder.named_parameters())
    assert all(not torch.equal(before[name], after[name]) for name in before)
    settings = getattr(recipe, stage)
    per_epoch = crops.steps_per_epoch(settings)
    for line in log_of(tmp_path):
        assert line["lr"] == learning_rate(line["steps"] - 1, 2 * per_epoch, settings)
        assert line["lr"] > 0


def test_the_log_has_every_term_and_diagnostic(
    crops: TrainingCrops, tiny: Recipe, tmp_path: Path
) -> None:
    train(tiny, crops, 0, Run(tmp_path))
    lines = log_of(tmp_path)
    assert [(line["stage"], line["epoch"]) for line in lines] == [
        ("pretrain", 1),
        ("pretrain", 2),
        ("finetune", 1),
        ("finetune", 2),
    ]
    common = {"steps", "lr", "loss", "geometric", "embedding_std", "effective_rank", "seconds"}
    assert {"variance", "covariance", "projector_std"} | common <= lines[0].keys()
    assert {"classification", "geometric_over_variance"} | common <= lines[-1].keys()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("stage", "term"), [("pretrain", "geometric"), ("finetune", "classification")]
)
def test_a_batch_can_be_learned_by_heart(
    crops: TrainingCrops,
    tiny: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: Stage,
    term: str,
    precision: str,
) -> None:
    """Better than any of nine first draws of the weights: less than one in ten by chance."""
    batch = next(crops.epoch(untrained(tiny, crops, 0), tiny.pretrain, np.random.default_rng(0)))
    monkeypatch.setattr(TrainingCrops, "epoch", lambda *_: iter([batch]))
    recipe = alone(tiny, stage).model_copy(update={"precision": precision, "recalibrate": False})
    fast = AdamWSettings(lr=0.01, lr_batch_size=8)
    logs = []
    for seed, epochs in enumerate([30] + 8 * [1]):
        settings = getattr(recipe, stage).model_copy(update={"epochs": epochs, "optimizer": fast})
        train(recipe.model_copy(update={stage: settings}), crops, seed, Run(tmp_path / str(seed)))
        logs.append(log_of(tmp_path / str(seed)))
    trained, first_draws = logs[0][-1], [log[0] for log in logs]
    for name in ("loss", term):
        assert trained[name] < min(line[name] for line in first_draws)


def test_one_section_is_not_fine_tuned(
    make_bank: Bank, tiny: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crops = TrainingCrops.of(make_bank(tiny, [1.0] * 4), ["00"] * 4)
    train(tiny, crops, 0, Run(tmp_path, label="pump"))
    assert {line["stage"] for line in log_of(tmp_path)} == {"pretrain"}
    assert "pump: no fine-tuning, which tells classes apart" in capsys.readouterr().err


def test_one_seed_is_equal_to_the_bit_and_another_is_not(
    crops: TrainingCrops, tiny: Recipe, tmp_path: Path
) -> None:
    trained = [
        weights(train(tiny, crops, seed, Run(tmp_path / name)))
        for name, seed in {"a": 0, "b": 0, "c": 1}.items()
    ]
    assert same(trained[0], trained[1])
    assert not same(trained[0], trained[2])


def interrupt(
    recipe: Recipe,
    crops: TrainingCrops,
    run: Run,
    stop_after: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Train until so many epochs, of both stages together, are done."""
    epochs = 0
    plain = StageTraining._train_epoch

    def until_interrupted(self: StageTraining, advance: Any) -> None:
        nonlocal epochs
        if epochs == stop_after:
            raise KeyboardInterrupt
        epochs += 1
        plain(self, advance)

    with monkeypatch.context() as patch:
        patch.setattr(StageTraining, "_train_epoch", until_interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, crops, 0, run)


@pytest.mark.parametrize("stop_after", [1, 2, 3])
def test_an_interrupted_training_ends_as_if_it_was_not(
    crops: TrainingCrops,
    tiny: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stop_after: int,
) -> None:
    whole = weights(train(tiny, crops, 0, Run(tmp_path / "whole")))
    run = Run(tmp_path / "stopped", checkpoint_seconds=0)
    interrupt(tiny, crops, run, stop_after, monkeypatch)
    assert same(whole, weights(train(tiny, crops, 0, run)))
    without_time = [
        [{k: v for k, v in line.items() if k != "seconds"} for line in log_of(tmp_path / name)]
        for name in ("whole", "stopped")
    ]
    assert without_time[0] == without_time[1]


def test_a_checkpoint_that_is_none_is_refused(
    crops: TrainingCrops, tiny: Recipe, tmp_path: Path
) -> None:
    (tmp_path / "last.ckpt").write_bytes(b"not a checkpoint")
    with pytest.raises(InputError, match=r"last\.ckpt: not a usable checkpoint"):
        train(tiny, crops, 0, Run(tmp_path))


def test_a_checkpoint_runs_no_code(crops: TrainingCrops, tiny: Recipe, tmp_path: Path) -> None:
    marker = tmp_path / "ran"

    class Payload:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (marker,))

    torch.save({"network": Payload()}, tmp_path / "last.ckpt")
    with pytest.raises(InputError, match="not a usable checkpoint"):
        train(tiny, crops, 0, Run(tmp_path))
    assert not marker.exists()


def test_recalibration_gives_the_statistics_of_clean_crops(
    crops: TrainingCrops, tiny: Recipe, tmp_path: Path
) -> None:
    without = tiny.model_copy(update={"recalibrate": False})
    lagging = train(without, crops, 0, Run(tmp_path / "without"))
    network = train(tiny, crops, 0, Run(tmp_path / "with"))
    first = network.encoder.features[0][1]
    assert not torch.equal(first.running_var, lagging.encoder.features[0][1].running_var)
    assert first.momentum == 0.1
    assert not network.training


def test_steps_stay_within_their_bounds(tiny: Recipe) -> None:
    def steps(per_epoch: int, **changes: int) -> int:
        return total_steps(tiny.pretrain.model_copy(update=changes), per_epoch)

    assert steps(7, epochs=3) == 21
    assert steps(7, epochs=3, min_steps=50) == 50
    assert steps(7, epochs=3, max_steps=10) == 10


def test_collapse_is_said_in_words(
    crops: TrainingCrops,
    tiny: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    collapsed = {"effective_rank": 1.2, "embedding_std": 0.0, "geometric_over_variance": 9.0}
    monkeypatch.setattr(training, "collapse_numbers", lambda _: collapsed)
    train(tiny, crops, 0, Run(tmp_path, label="fan/seed0"))
    assert "warning: fan/seed0: the embeddings lie almost on a line" in capsys.readouterr().err
    assert collapse_warning({"projector_std": 0.01, "effective_rank": 30.0}) is not None
    assert collapse_warning({"projector_std": 0.9, "effective_rank": 30.0}) is None


def test_a_training_goes_on_in_the_precision_it_began_with(
    crops: TrainingCrops, tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = alone(tiny, "pretrain")
    half = exact.model_copy(update={"precision": "bfloat16"})
    whole = weights(train(half, crops, 0, Run(tmp_path / "whole")))
    assert not same(whole, weights(train(exact, crops, 0, Run(tmp_path / "exact"))))
    run = Run(tmp_path / "stopped", checkpoint_seconds=0)
    interrupt(half, crops, run, 1, monkeypatch)
    assert same(whole, weights(train(exact, crops, 0, run)))


def test_the_next_stage_has_the_precision_of_the_first(
    crops: TrainingCrops, tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = tiny.model_copy(update={"precision": "bfloat16"})
    whole = weights(train(half, crops, 0, Run(tmp_path / "whole")))
    run = Run(tmp_path / "stopped")
    stage = total_steps(tiny.pretrain, crops.steps_per_epoch(tiny.pretrain))
    first = -(-stage // crops.steps_per_epoch(tiny.pretrain))
    interrupt(half, crops, run, first, monkeypatch)
    assert same(whole, weights(train(tiny, crops, 0, run)))


def test_divergence_is_one_sentence(crops: TrainingCrops, tiny: Recipe, tmp_path: Path) -> None:
    wild = tiny.pretrain.optimizer.model_copy(update={"lr": 1e30})
    stage = tiny.pretrain.model_copy(update={"optimizer": wild})
    with pytest.raises(
        DgmixError, match=r"^pretrain has diverged .*; lower pretrain\.optimizer\.lr$"
    ):
        train(tiny.model_copy(update={"pretrain": stage}), crops, 0, Run(tmp_path))


def test_effective_rank_counts_the_axes_that_are_used() -> None:
    torch.manual_seed(0)
    assert effective_rank(torch.randn(500, 1) * torch.randn(1, 8)) == pytest.approx(1, abs=1e-3)
    assert effective_rank(torch.randn(5000, 8)) == pytest.approx(8, abs=0.1)
