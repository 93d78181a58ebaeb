"""Processes that train one network together: who they are, and what they say to each other.

They are started by torchrun, by Slurm, or by a program that has initialised torch.distributed;
dgmix starts none itself (docs/decisions/0014-data-parallel.md).
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from dgmix.errors import DgmixError
from dgmix.progress import quiet

if TYPE_CHECKING:
    from torch import Tensor

STARTING = timedelta(minutes=5)
PATIENCE = timedelta(seconds=45)
BEAT_SECONDS = 5.0
WORKING, DONE, FAILED = range(3)
TORCHRUN = {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}


@dataclass(frozen=True)
class Launch:
    """This process among those that were started together; `address` is where they meet."""

    rank: int
    size: int
    local_rank: int
    address: str


def launched(environment: Mapping[str, str]) -> Launch | None:
    """Return what torchrun's or Slurm's variables say, None where this process is alone.

    Slurm counts where srun has started several tasks; a batch script itself is one process.
    """
    if environment.keys() >= TORCHRUN:
        rank, size, local = (
            int(environment.get(name, 0)) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")
        )
        launch = Launch(rank, size, local, "env://")
    elif "SLURM_PROCID" in environment:
        rank, size, local = (
            int(environment.get(name, 0))
            for name in ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID")
        )
        launch = Launch(rank, size, local, _slurm_address(environment))
    else:
        return None
    return launch if launch.size > 1 else None


def _slurm_address(environment: Mapping[str, str]) -> str:
    """Return the first host of a job step, with a port that follows from the job's number."""
    hosts = environment.get("SLURM_STEP_NODELIST", "localhost")
    host = environment.get("MASTER_ADDR") or first_host(hosts)
    port = environment.get("MASTER_PORT") or 10_000 + int(environment["SLURM_JOB_ID"]) % 20_000
    return f"tcp://{host}:{port}"


def first_host(hosts: str) -> str:
    """Return the first host of a Slurm list: "gpu003" of "gpu[003-005,9],login"."""
    return re.sub(r"\[(\w+)[^]]*\]", r"\1", hosts, count=1).split(",")[0]


@dataclass(frozen=True)
class Ranks:
    """This process (`rank`, from 0) among `size` that train together.

    `data` is the group that tensors on the training device are summed over, `control` one for
    short messages between CPUs. When another process is gone, methods raise `DgmixError` within
    `PATIENCE`.
    """

    rank: int = 0
    size: int = 1
    data: Any = None
    control: Any = None

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files."""
        return self.rank == 0

    def rows(self, total: int) -> slice:
        """Return this process's part of `total` rows; parts differ by one row at most."""
        return slice(total * self.rank // self.size, total * (self.rank + 1) // self.size)

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum over processes of contiguous `values`, which it overwrites."""
        if self.size > 1:
            from torch import distributed as dist

            with communicating():
                dist.all_reduce(values, group=self.data)
        return values

    def average_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Replace each gradient by its mean over processes."""
        if self.size == 1:
            return
        import torch

        gradients = [p.grad for p in parameters if p.grad is not None]
        joint = self.sum(torch.cat([g.reshape(-1) for g in gradients])) / self.size
        means = torch.split(joint, [g.numel() for g in gradients])
        for gradient, mean in zip(gradients, means, strict=True):
            gradient.copy_(mean.view(gradient.shape))

    def agree(self, *facts: object) -> None:
        """Wait for all processes; raise `DgmixError` unless `facts` are the same in all of them."""
        if self.size == 1:
            return
        import torch
        from torch import distributed as dist

        digest = hashlib.blake2b(repr(facts).encode(), digest_size=7).digest()
        number = int.from_bytes(digest, "big")
        extremes = torch.tensor([number, -number])
        with communicating():
            dist.all_reduce(extremes, dist.ReduceOp.MAX, group=self.control)
        if extremes.sum() != 0:
            raise DgmixError(
                "the processes do not find the same clips or checkpoint; start all with the same "
                "command, on folders that they share"
            )

    def first_does(self, work: Callable[[], None]) -> None:
        """Let the first process do `work`, however long it takes, while the others wait.

        The others raise `DgmixError` when the first fails or is gone.
        """
        if self.first:
            with self._others_waiting():
                work()
        else:
            self._wait_for_first()

    @contextmanager
    def _others_waiting(self) -> Iterator[None]:
        """Tell the others every few seconds that this process works, then how it ended."""
        if self.size == 1:
            yield
            return
        ended = threading.Event()
        outcome = FAILED

        def beat() -> None:
            try:
                while not ended.wait(BEAT_SECONDS):
                    self._tell(WORKING)
                self._tell(outcome)
            except DgmixError:  # the next common step of training raises it again
                pass

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
            outcome = DONE
        finally:
            ended.set()
            thread.join()

    def _wait_for_first(self) -> None:
        state = WORKING
        while state == WORKING:
            state = self._tell(WORKING)
        if state == FAILED:
            raise DgmixError("the first process has stopped; its own message says why")

    def _tell(self, state: int) -> int:
        """Return the first process's `state` in every process."""
        import torch
        from torch import distributed as dist

        message = torch.tensor(state)
        with communicating():
            dist.broadcast(message, 0, group=self.control)
        return int(message)


ALONE = Ranks()


@contextmanager
def communicating() -> Iterator[None]:
    """Raise one sentence where torch.distributed reports a lost process."""
    try:
        yield
    except RuntimeError as error:
        raise DgmixError(
            "another process of this training has stopped or does not answer; start all of them "
            "again, training continues from its last checkpoint"
        ) from error


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """Yield the processes that this one was started with; `ALONE` where there are none.

    Uses the process group of the caller or initialises one, and then ends it. Tensors on
    `device` go through NCCL on a GPU, through Gloo elsewhere; each process on a machine takes a
    GPU of its own. All but the first are quiet.
    """
    if not launched(os.environ) and "torch" not in sys.modules:  # no group, and none to begin
        yield ALONE
        return
    from torch import distributed as dist

    launch = None
    if dist.is_available() and not dist.is_initialized():
        launch = launched(os.environ)
        if launch:
            _initialise(launch, device)
    if not dist.is_available() or not dist.is_initialized() or dist.get_world_size() == 1:
        yield ALONE
        return
    with communicating():
        backends = ["nccl" if device.startswith("cuda") else "gloo", "gloo"]
        groups = [dist.new_group(backend=each, timeout=PATIENCE) for each in backends]
    ranks = Ranks(dist.get_rank(), dist.get_world_size(), *groups)
    with nullcontext() if ranks.first else quiet():
        yield ranks
    ranks.agree("done")
    for group in groups if launch is None else [None]:
        dist.destroy_process_group(group)


def _initialise(launch: Launch, device: str) -> None:
    import torch
    from torch import distributed as dist

    if device == "cuda":
        torch.cuda.set_device(launch.local_rank % torch.cuda.device_count())
    try:
        dist.init_process_group(
            "gloo", launch.address, timeout=STARTING, rank=launch.rank, world_size=launch.size
        )
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DgmixError(
            f"the {launch.size} processes of this training did not find each other ({reason}); "
            "check MASTER_ADDR and MASTER_PORT, and that all of them were started"
        ) from error
