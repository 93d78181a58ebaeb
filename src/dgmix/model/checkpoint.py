"""Resume checkpoints and the training log, which go together.

A checkpoint is a dictionary of plain values and tensors; it is read with `weights_only=True`, so
that nothing in it can run.
"""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import torch

from dgmix.errors import InputError
from dgmix.files import atomic_path, write_text


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` whole or not at all."""
    with atomic_path(path) as temporary:
        torch.save(state, temporary)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """Return the state at `path` on the CPU, or None where there is none.

    Raises `InputError` if the file is not a checkpoint of plain tensors and values.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, OSError) as error:
        raise InputError(
            f"{path}: not a usable checkpoint; remove it to train from the start"
        ) from error
    return state


class TrainingLog:
    """`log.jsonl`: one JSON object a line, one line an epoch."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def rewind(self, lines: int) -> None:
        """Keep only the first `lines` lines: those that the checkpoint in use already has."""
        kept = self.path.read_text("utf-8").splitlines()[:lines] if self.path.exists() else []
        write_text(self.path, "".join(f"{line}\n" for line in kept))

    def write(self, record: dict[str, Any]) -> None:
        """Append one line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
