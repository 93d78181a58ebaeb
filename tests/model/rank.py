"""One of several processes that share the batches of `test_distributed.py`: `rank.py RANK FOLDER`.

Reads what to do from `FOLDER/task.pt`, meets the others by a file, leaves `FOLDER/<rank>.pt`.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from dgmix.audio.bank import MelBank
from dgmix.config import Recipe
from dgmix.errors import DgmixError
from dgmix.model.batch import Batch
from dgmix.model.crops import TrainingCrops
from dgmix.model.distributed import ALONE, Ranks, joined
from dgmix.model.joint import joint_encoder, joint_norms
from dgmix.model.network import build_network
from dgmix.model.objectives import build_objective
from dgmix.model.recompute import recomputing
from dgmix.model.train import Run, train

OBJECTIVES = ("dgmix", "sections", "adacos")


def gradients(recipe: Recipe, name: str, ranks: Ranks = ALONE) -> dict[str, Any]:
    """Return loss, terms, gradients and buffers in float64 of a fixed batch of nine pairs."""
    network = build_network(recipe, 0).double()
    torch.manual_seed(1)
    stage = "pretrain" if name == "dgmix" else "finetune"
    settings = getattr(recipe, stage)
    if stage == "finetune":
        settings = settings.model_copy(update={"objective": name})
    objective = build_objective(stage, settings, network.embedding_size, 3).double()
    inputs = torch.randn(18, 1, 32, network.crop_frames).double() + 3
    batch = Batch(inputs, torch.randint(0, 3, (18,)), torch.rand(9).double())
    several = ranks.size > 1  # which recompute what one process keeps
    with joint_norms(network.encoder, ranks), recomputing(network.encoder, several):
        outcome = objective(joint_encoder(network.encoder, ranks), batch)
        outcome.loss.backward()
    modules = torch.nn.ModuleDict({"encoder": network.encoder, "objective": objective})
    ranks.average_gradients(modules.parameters())
    gradients_by_name = {f"gradient of {k}": p.grad for k, p in modules.named_parameters()}
    return {
        "loss": outcome.loss.detach(),
        **outcome.terms,
        **gradients_by_name,
        **dict(modules.named_buffers()),
    }


def trained(task: dict[str, Any], folder: Path, ranks: Ranks = ALONE) -> dict[str, torch.Tensor]:
    """Return the weights of a whole training in float64, whose files are in `folder`."""
    torch.set_default_dtype(torch.float64)
    bank = MelBank([mel.numpy() for mel in task["mels"]], n_mels=32)
    crops = TrainingCrops.of(bank, task["sections"])
    run = Run(folder, checkpoint_seconds=0, ranks=ranks)
    try:
        return train(Recipe(**task["recipe"]), crops, 0, run).state_dict()
    finally:
        torch.set_default_dtype(torch.float32)


def sentence(call: Any, *arguments: Any) -> str:
    """Return what a call says when it fails."""
    try:
        call(*arguments)
    except DgmixError as error:
        return str(error)
    return ""


def fail() -> None:
    raise ValueError("the work has failed")


def main(rank: int, folder: Path) -> None:
    task = torch.load(folder / "task.pt")
    recipe = Recipe(**task["recipe"])
    distributed.init_process_group(
        "gloo", f"file://{folder / 'meeting'}", rank=rank, world_size=task["size"]
    )
    done: list[int] = []
    with joined("cpu") as ranks:
        results = {
            "gradients": {name: gradients(recipe, name, ranks) for name in OBJECTIVES},
            "weights": trained(task, folder / f"run{rank}", ranks),
            "differs": sentence(ranks.agree, "rank", rank),
            "too few": sentence(joint_encoder(torch.nn.Identity(), ranks), torch.zeros(1, 2)),
        }
        ranks.first_does(lambda: done.append(rank))
        with contextlib.suppress(ValueError):
            results["failed"] = sentence(ranks.first_does, fail)
    torch.save({**results, "done": done}, folder / f"{rank}.pt")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
