"""Training: both stages in one visible loop, which can be stopped and continued anywhere."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from dgmix.config import Recipe, StageSettings
from dgmix.errors import DgmixError
from dgmix.heap import keeping_freed_memory
from dgmix.model.batch import Outcome
from dgmix.model.checkpoint import TrainingLog, load_checkpoint, save_checkpoint
from dgmix.model.crops import TrainingCrops
from dgmix.model.diagnostics import collapse_numbers, collapse_warning
from dgmix.model.distributed import ALONE, Ranks
from dgmix.model.joint import Encode, joint_encoder, joint_norms
from dgmix.model.network import (
    Network,
    build_network,
    member_seed,
    side_by_side,
    without_ensemble,
)
from dgmix.model.objectives import build_objective, needs_classes
from dgmix.model.optim import build_optimizer, learning_rate
from dgmix.model.precision import DTYPES, computing_in, training_dtype
from dgmix.model.recompute import recomputing
from dgmix.model.residuals import SelectiveMahalanobis
from dgmix.model.steps import RECALIBRATION_BATCHES, STAGES, Stage, total_steps
from dgmix.plugins import NONE, Plugins
from dgmix.progress import Advance, progress, say, warn

CHECKPOINT_SECONDS = 20.0
STEPS_BETWEEN_NOTES = 10  # a GPU waits where a loss is read


@dataclass
class Run:
    """Where a training keeps its state: `last.ckpt` and `log.jsonl` in `folder`.

    `ranks` are the processes that train together; the first of them writes.
    """

    folder: Path
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    label: str = "training"
    ranks: Ranks = ALONE

    def member(self, number: int) -> Run:
        """Return where the training of one network of an ensemble keeps its state.

        That of the first is this one; the others have folders in it.
        """
        name = f"network{number + 1}"
        label = f"{self.label}, network {number + 1}"
        return replace(self, folder=self.folder / name, label=label) if number else self

    @property
    def checkpoint(self) -> Path:
        """The resume checkpoint."""
        return self.folder / "last.ckpt"

    @property
    def log(self) -> TrainingLog:
        """The training log."""
        return TrainingLog(self.folder / "log.jsonl")


def train(
    recipe: Recipe, crops: TrainingCrops, seed: int, run: Run, device: str = "cpu"
) -> Network:
    """Return a trained network, in evaluation mode on `device`.

    Pre-training, fine-tuning, then batch-norm recalibration, each as far as the recipe asks for
    it. Continues from `run.checkpoint` where there is one: on one machine, with one number of
    threads, the result is the same to the bit as without the interruption. All of `run.ranks`
    call it alike and share each batch; each returns what one process would, up to rounding.
    The networks of an ensemble are trained one after the other.
    """

    def member(alone: Recipe, number: int, own: int) -> Network:
        return _train_one(alone, crops, own, number, run.member(number), device)

    return _ensemble(recipe, seed, member)


def untrained(recipe: Recipe, crops: TrainingCrops, seed: int, device: str = "cpu") -> Network:
    """Return the network that `train` starts from, made ready in the same way."""

    def member(alone: Recipe, number: int, own: int) -> Network:
        return _finish(_start(alone, crops, own, number, device), alone, crops, own)

    return _ensemble(recipe, seed, member)


def _ensemble(recipe: Recipe, seed: int, member: Callable[[Recipe, int, int], Network]) -> Network:
    """Return the network of as many as the recipe wants.

    `member` makes one by itself, from the recipe of one, its number, and the seed of its own.
    """
    alone, numbers = without_ensemble(recipe), range(recipe.encoder.ensemble)
    members = [member(alone, number, member_seed(seed, number)) for number in numbers]
    return side_by_side(recipe, members)


def _train_one(
    recipe: Recipe, crops: TrainingCrops, seed: int, number: int, run: Run, device: str
) -> Network:
    """Return one network of an ensemble, by its number, or the only one, 0."""
    saved = load_checkpoint(run.checkpoint) or {"stage": 0, "lines": 0}
    network = _start(recipe, crops, seed, number, device, saved.get("network"))
    dtype = training_dtype(recipe.precision, network.encoder, network.device)
    if "dtype" in saved or "optimizer" in saved:  # of an older dgmix, in float32
        dtype = DTYPES[saved.get("dtype", "float32")]
    run.ranks.agree(seed, saved["stage"], saved["lines"], str(dtype), crops.bank.frames.tobytes())
    if run.ranks.first:
        run.log.rewind(saved["lines"])
    with joint_norms(network.encoder, run.ranks):
        for index, stage in enumerate(STAGES):
            settings: StageSettings = getattr(recipe, stage)
            wanted = network.trainable and index >= saved["stage"]
            if wanted and _wanted(stage, settings, recipe, crops, run):
                resumed = saved if index == saved["stage"] and "optimizer" in saved else None
                stage_training = StageTraining(
                    stage, settings, network, crops, seed, run, dtype, recipe.plugins
                )
                stage_training.complete(resumed)
        return _finish(network, recipe, crops, seed, run.ranks)


def _start(
    recipe: Recipe,
    crops: TrainingCrops,
    seed: int,
    number: int,
    device: str,
    saved: Mapping[str, Tensor] | None = None,
) -> Network:
    """Return a network with the weights that it begins with and the clips' input statistics.

    Or with those that are saved.
    """
    network = build_network(recipe, seed, number)
    if saved is not None:
        network.load_state_dict(saved)
    elif recipe.input.standardize and not network.takes_waveform:
        network.transform.set_statistics(*crops.level_statistics(network))
    return network.to(device)


def _finish(
    network: Network, recipe: Recipe, crops: TrainingCrops, seed: int, ranks: Ranks = ALONE
) -> Network:
    if recipe.recalibrate and network.trainable:
        encode = joint_encoder(network.encoder, ranks)
        recalibrate(network, crops, recipe.pretrain, seed, encode)
    network.eval()
    if isinstance(network.readout, SelectiveMahalanobis):
        network.readout.learn(network.encode, crops.bank, crops.domains, network.crop_frames)
    return network


def _wanted(
    stage: Stage, settings: StageSettings, recipe: Recipe, crops: TrainingCrops, run: Run
) -> bool:
    """Return whether a stage is to be trained; say so where it is left out against the recipe.

    With one class an objective that tells classes apart has nothing to do; its geometric term alone
    would pull all embeddings into one point.
    """
    classes = crops.class_count > 1 or not needs_classes(stage, settings, recipe.plugins)
    if settings.epochs and not classes and run.ranks.first:
        say(f"{run.label}: no fine-tuning, which tells classes apart: all clips are of one")
    return settings.epochs > 0 and classes


class StageTraining:
    """One stage of one training: an objective, an optimiser and the loop over epochs."""

    def __init__(
        self,
        stage: Stage,
        settings: StageSettings,
        network: Network,
        crops: TrainingCrops,
        seed: int,
        run: Run,
        dtype: torch.dtype = torch.float32,
        plugins: Plugins = NONE,
    ) -> None:
        self.number, self.stage, self.settings = STAGES.index(stage), stage, settings
        self.network, self.crops, self.seed, self.run = network, crops, seed, run
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + 1)
            size = int(network.encoder.embedding_size)  # type: ignore[arg-type]
            objective = build_objective(stage, settings, size, crops.class_count, plugins)
        self.objective = objective.to(network.device)
        self.dtype = dtype
        self.encode = joint_encoder(network.encoder, run.ranks)
        self.optimizer = build_optimizer(settings, [network.encoder, self.objective])
        self.steps_per_epoch = crops.steps_per_epoch(settings)
        self.steps = total_steps(settings, self.steps_per_epoch)
        self.epochs = -(-self.steps // self.steps_per_epoch)
        self.epoch, self.lines = 0, 0

    def complete(self, resumed: dict[str, Any] | None) -> None:
        """Train the epochs that are missing, and leave a checkpoint."""
        if resumed:
            self._restore(resumed)
        elif self.run.ranks.first:
            self.lines = len(self.run.log.path.read_text("utf-8").splitlines())
        saved_at = time.monotonic()
        label = f"{self.run.label}: {self.stage}"
        with progress(label, self.steps) as advance, keeping_freed_memory(self._churns):
            advance(min(self.epoch * self.steps_per_epoch, self.steps))
            while self.epoch < self.epochs:
                self._train_epoch(advance)
                if time.monotonic() - saved_at >= self.run.checkpoint_seconds:
                    self._save()
                    saved_at = time.monotonic()
        self._save(done=True)

    @property
    def _churns(self) -> bool:
        """Whether steps free more than malloc keeps; float32 would keep too much."""
        on_cpu = self.network.device.type == "cpu"
        return self.settings.recompute and on_cpu and self.dtype == torch.bfloat16

    def _train_epoch(self, advance: Advance) -> None:
        began = time.monotonic()
        rng = np.random.default_rng([self.seed, self.number, self.epoch])
        first = self.epoch * self.steps_per_epoch
        sums: dict[str, Tensor | float] = defaultdict(float)
        done = 0
        self.network.train()
        for step, batch in enumerate(self.crops.epoch(self.network, self.settings, rng), first):
            if step == self.steps:
                break
            rate = learning_rate(step, self.steps, self.settings)
            outcome = self._step(rate, self.objective, batch)
            done += 1
            for name, value in {"loss": outcome.loss, **outcome.terms}.items():
                sums[name] = sums[name] + value.detach().double()
            advance(note=self._note(outcome) if done % STEPS_BETWEEN_NOTES == 1 else "")
        self.epoch += 1
        means = {name: float(total) / done for name, total in sums.items()}
        self._check(means["loss"])
        self._report(outcome, {"steps": first + done, "lr": rate, **means}, began)

    def _step(self, rate: float, objective: Callable[..., Outcome], batch: Any) -> Outcome:
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        encoder = self.network.encoder
        with recomputing(encoder, self.settings.recompute):
            with computing_in(self.dtype, [encoder, *self.objective.children()]):
                outcome = objective(self.encode, batch)
            torch.autograd.backward(outcome.loss)
        parameters = (p for group in self.optimizer.param_groups for p in group["params"])
        self.run.ranks.average_gradients(parameters)
        self.optimizer.step()
        return outcome

    def _note(self, outcome: Outcome) -> str:
        loss = outcome.loss.item()
        self._check(loss)
        return f"loss {loss:.3g}"

    def _check(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise DgmixError(
                f"{self.stage} has diverged (its loss is {loss}); lower {self.stage}.optimizer.lr"
            )

    def _report(self, outcome: Outcome, numbers: dict[str, float], began: float) -> None:
        if not self.run.ranks.first:
            return
        collapse = collapse_numbers(outcome)
        record = {"stage": self.stage, "epoch": self.epoch, **numbers, **collapse}
        self.run.log.write({**record, "seconds": round(time.monotonic() - began, 3)})
        self.lines += 1
        warning = collapse_warning(collapse)
        if warning and self.epoch == self.epochs:
            warn(f"warning: {self.run.label}: {warning}")

    def _save(self, done: bool = False) -> None:
        if not self.run.ranks.first:
            return
        state = {
            "stage": self.number + done,
            "lines": self.lines,
            "network": self.network.state_dict(),
            "dtype": str(self.dtype).removeprefix("torch."),
        }
        if not done:
            state["epoch"] = self.epoch
            state["objective"] = self.objective.state_dict()
            state["optimizer"] = self.optimizer.state_dict()
        save_checkpoint(self.run.checkpoint, state)

    def _restore(self, saved: dict[str, Any]) -> None:
        self.epoch, self.lines = saved["epoch"], saved["lines"]
        self.objective.load_state_dict(saved["objective"])
        self.optimizer.load_state_dict(saved["optimizer"])


@torch.no_grad()
def recalibrate(
    network: Network,
    crops: TrainingCrops,
    settings: StageSettings,
    seed: int,
    encode: Encode | None = None,
) -> None:
    """Replace the running batch-norm statistics by the average over fresh batches of clean crops.

    Running averages lag behind the weights in short trainings and make evaluation embeddings
    nearly constant (DESIGN §1.7). `encode` is the encoder where several processes share a batch.
    """
    norms = [m for m in network.modules() if isinstance(m, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    network.train()
    rng = np.random.default_rng([seed, len(STAGES)])
    for batch in islice(crops.epoch(network, settings, rng), RECALIBRATION_BATCHES):
        (encode or network.encoder)(batch.inputs)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
