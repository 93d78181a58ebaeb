"""Weights of an encoder from a file that someone else wrote: tensors are read, nothing runs.

The file is safetensors (a `.dgmix` file too) or a PyTorch checkpoint, and may hold more than the
encoder, at any depth: what it holds is flattened to dotted names, and the encoder is located by the
names of its tensors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dgmix.errors import InputError, first_few

Contents = dict[str, Any]


def load_weights(encoder: nn.Module, name: str, path: Path, number: int = 0) -> None:
    """Give `encoder`, called `name`, the weights in the file `path`.

    Every weight must be there, of the encoder's shape. What else stands beside them must be in
    `encoder.unused`, a pattern of names; what `encoder.expected` says of other values that the
    file has must hold. Of a file with the networks of an ensemble it is the one of this number,
    from 0. Raises `InputError` for a file that is no such thing.
    """
    contents = read_contents(path)
    wanted = encoder.state_dict()
    prefix = of_network(find_prefix(contents, wanted), number)
    if number and not any(key.startswith(prefix) for key in contents):
        raise InputError(f"{path}: {number} networks; set encoder.ensemble to no more")
    weights = {
        key.removeprefix(prefix): value
        for key, value in contents.items()
        if key.startswith(prefix) and isinstance(value, Tensor)
    }
    unused = getattr(encoder, "unused", "")
    problem = (
        _other_kind(contents, getattr(encoder, "expected", {}))
        or _other_names(weights, wanted, unused)
        or _other_values(weights, wanted)
    )
    if problem:
        raise InputError(
            f"{path}: not weights of the encoder '{name}': {problem}; give the file that "
            "docs/encoders-and-objectives.md names, or the encoder that it is of"
        )
    encoder.load_state_dict({key: weights[key] for key in wanted})


def read_contents(path: Path) -> Contents:
    """Return what a file of weights holds, by dotted name, down to tensors and plain values.

    Raises `InputError` when it cannot be read, or holds anything else, which might run as code.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except (SafetensorError, OSError):
        pass
    try:
        return dict(flattened(_read_checkpoint(path)))
    except RecursionError as error:
        raise InputError(f"{path}: what it holds contains itself; give weights alone") from error


def flattened(value: object, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what nested mappings and sequences hold, each with its dotted name."""
    if isinstance(value, Mapping):
        parts = [(str(key), each) for key, each in value.items()]
    elif isinstance(value, list | tuple):
        parts = [(str(index), each) for index, each in enumerate(value)]
    else:
        yield name, value
        return
    for key, each in parts:
        yield from flattened(each, f"{name}.{key}" if name else key)


def find_prefix(names: Mapping[str, object], wanted: Mapping[str, object]) -> str:
    """Return what stands before most of the `wanted` names in `names`."""
    first = next(iter(wanted))
    prefixes = [name.removesuffix(first) for name in names if f".{name}".endswith(f".{first}")]
    return max(prefixes, key=lambda each: sum(each + key in names for key in wanted), default="")


def of_network(prefix: str, number: int) -> str:
    """Return the prefix of the network of this number, where `prefix` is one of an ensemble's."""
    return re.sub(r"\bmembers\.\d+\.$", f"members.{number}.", prefix)


def _read_checkpoint(path: Path) -> object:
    """Return what `torch.save` wrote, tensors and plain values; numpy's numbers count as such."""
    scalar: Any = np.int64().__reduce__()[0]
    numbers: list[Any] = [np.dtype, *(type(np.dtype(kind)) for kind in "bhilqBHILQefd")]
    numbers += [(scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")]
    try:
        with torch.serialization.safe_globals(numbers):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(
            f"{path}: neither safetensors nor a PyTorch checkpoint of tensors and plain values "
            "alone; save its state_dict and give that file"
        ) from error


def _other_kind(contents: Contents, expected: Mapping[str, object]) -> str:
    """Say what the file tells of its network that is not so here, or nothing."""
    for key, value in expected.items():
        if contents.get(key, value) != value:
            return f"its {key} is {contents[key]}, not {value}"
    return ""


def _other_names(weights: Mapping[str, Tensor], wanted: Mapping[str, Tensor], unused: str) -> str:
    missing = [key for key in wanted if key not in weights]
    strange = [key for key in weights if key not in wanted and not re.fullmatch(unused, key)]
    if missing:
        return f"{first_few(missing)} of {len(wanted)} tensors missing"
    return f"{first_few(strange)} not known there" if strange else ""


def _other_values(weights: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    for key, tensor in wanted.items():
        if weights[key].shape != tensor.shape:
            has, needs = tuple(weights[key].shape), tuple(tensor.shape)
            return f"{key} has shape {has}, not {needs}"
        if not weights[key].isfinite().all():
            return f"{key} holds a value that is not a number"
    return ""
