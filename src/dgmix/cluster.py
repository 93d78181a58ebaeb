"""The nodes of a Ray cluster as workers: an executor (docs/decisions/0015-ray.md)."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Generic, ParamSpec, TypeVar

from dgmix.environment import package_versions
from dgmix.errors import DgmixError, InputError
from dgmix.workers import use_one_thread

RETRIES = 3
CONNECTING_SECONDS = 10.0
ADDRESSES = "auto, HOST:PORT, ray://HOST:PORT or local"

P = ParamSpec("P")
T = TypeVar("T")
Paths = Iterable[str | os.PathLike[str]]


@contextmanager
def connected(address: str, device: str | None = None) -> Iterator[Cluster]:
    """Yield the Ray cluster at `address`; tasks that the block leaves behind are cancelled.

    `address` is "auto" for the cluster that this machine belongs to, "host:port" or
    "ray://host:port" for another, "local" for one of this machine alone that lasts as long as the
    block. A connection that the caller has opened is used, and stays. `device` is what tasks
    compute on, "cpu" or "cuda": by default a GPU where the cluster has one.

    Raises `InputError` where there is no such cluster, or none that has such a device.
    """
    ray = _ray()
    started_here = not ray.is_initialized()
    if started_here:
        _connect(ray, address)
    try:
        cluster = Cluster(ray, device)
        try:
            yield cluster
        finally:
            cluster.shutdown(cancel_futures=True)
    finally:
        if started_here:
            ray.shutdown()
            _show_logs(True)


class Cluster(Executor):
    """Does each call that is submitted as one task of Ray, on one core or one GPU, in one thread.

    A task whose node or worker is lost is done again elsewhere, at most `RETRIES` times; what it
    raises itself is handed over as it is. Relative paths mean what they did here on connecting.
    """

    def __init__(self, ray: Any, device: str | None = None) -> None:
        resources = ray.cluster_resources()
        self.cores = int(resources.get("CPU", 0))
        if not self.cores:
            raise InputError("the Ray cluster has no CPU core; add a node to it")
        self.device = _device(device, int(resources.get("GPU", 0)))
        self._ray = ray
        self._here = Here.of(())
        self._task = ray.remote(_do).options(
            num_cpus=1, num_gpus=int(self.device == "cuda"), max_retries=RETRIES
        )
        self._unfinished: dict[Future[Any], Any] = {}

    def require(self, paths: Paths = ()) -> None:
        """Check that every node runs the same versions as this one and sees the same files.

        Nodes that join later are checked by their tasks. Raises `InputError`.
        """
        self._here = Here.of(paths)
        checks = [
            (node["NodeManagerAddress"], self._check_on(node["NodeID"]))
            for node in self._ray.nodes()
            if node["Alive"] and node["Resources"].get("CPU")
        ]
        failures = [self._failure(name, check) for name, check in checks]
        for failure in filter(None, failures):
            raise failure

    def share(self, value: T) -> Shared[T]:
        """Return what tasks can be given instead of `value`: each worker fetches it once."""
        return Shared(self._ray.put(value))

    def submit(self, work: Callable[P, T], /, *args: P.args, **options: P.kwargs) -> Future[T]:
        """Return the future result of `work`, which can be neither cancelled nor seen to begin."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        task = self._task.remote(self._here, partial(work, *args, **options))
        self._unfinished[future] = task
        future.add_done_callback(self._unfinished.pop)
        task.future().add_done_callback(partial(self._hand_over, future))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
        """Cancel what is unfinished, also where it has begun, if `cancel_futures`."""
        for task in list(self._unfinished.values()) if cancel_futures else ():
            self._ray.cancel(task, force=True)

    def _check_on(self, node: str) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        there = NodeAffinitySchedulingStrategy(node, soft=False)
        check = self._ray.remote(_do).options(num_cpus=0, max_retries=0, scheduling_strategy=there)
        return check.remote(self._here, _nothing)

    def _failure(self, name: str, check: Any) -> DgmixError | None:
        """Return why a node cannot be worked with; not for one that is lost before work began."""
        try:
            self._ray.get(check)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, DgmixError):
                return error.cause
            reason = " ".join(str(error.cause).split())
            return InputError(
                f"Ray node {name} cannot run dgmix ({reason}); install on all nodes what is "
                "installed here"
            )
        except self._ray.exceptions.RayError:
            pass
        return None

    def _hand_over(self, future: Future[T], done: Future[T]) -> None:
        error = done.exception()
        if error is None:
            future.set_result(done.result())
        elif isinstance(error, self._ray.exceptions.RayTaskError):
            error.cause.__cause__ = error  # tells where on the node
            future.set_exception(error.cause)
        else:
            reason = " ".join(str(error).split()).partition(". ")[0]
            lost = DgmixError(f"given up after {RETRIES} retries: {reason}")
            lost.__cause__ = error
            future.set_exception(lost)


@dataclass(frozen=True)
class Shared(Generic[T]):
    """A value in Ray's object store."""

    reference: Any

    @property
    def value(self) -> T:
        """The value itself, kept by a process until it asks for another."""
        value: T = _fetched(self.reference)
        return value


@lru_cache(maxsize=1)
def _fetched(reference: Any) -> Any:
    import ray

    return ray.get(reference)


@dataclass(frozen=True)
class Files:
    """Files as this machine sees them: their size and time of change, None where there is none."""

    seen: dict[str, tuple[int, int] | None]

    @classmethod
    def of(cls, paths: Paths) -> Files:
        """Look at `paths`."""
        return cls({os.fspath(path): _size_and_time(path) for path in paths})

    def check(self) -> None:
        """Raise `InputError` if some are not the same here as where they were looked at."""
        for path, state in self.seen.items():
            there = _size_and_time(path)
            if there != state:
                what = "another file there" if there else "no such file"
                raise InputError(
                    f"{path}: node {platform.node()} of the Ray cluster sees {what}; recordings, "
                    "run folder and cache have to be in folders that all nodes share"
                )


@dataclass(frozen=True)
class Here:
    """What a node must have in common with this one."""

    folder: str
    versions: dict[str, str | None]
    files: Files

    @classmethod
    def of(cls, paths: Paths) -> Here:
        """Describe this process, and `paths` as it sees them."""
        return cls(os.getcwd(), package_versions(), Files.of(paths))  # noqa: PTH109

    def check(self) -> None:
        """Raise `InputError` if this process has other versions or sees other files."""
        for name, version in package_versions().items():
            if _public(version) != _public(self.versions[name]):
                raise InputError(
                    f"node {platform.node()} of the Ray cluster has {name} {version}, this "
                    f"machine {self.versions[name]}; install the same on all nodes"
                )
        self.files.check()


def _do(here: Here, work: Callable[[], T]) -> T:
    """Do a task in a worker."""
    with suppress(OSError):  # where this is needed, files are missed
        os.chdir(here.folder)
    use_one_thread()
    here.check()
    return work()


def _nothing() -> None:
    """Do nothing."""


def _size_and_time(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    try:
        state = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return state.st_size, state.st_mtime_ns


def _public(version: str | None) -> str | None:
    """Return a version without the build that it is of: torch has several for each."""
    return version and version.partition("+")[0]


def _device(wanted: str | None, gpus: int) -> str:
    if wanted not in (None, "cpu", "cuda"):
        raise InputError(f"--device {wanted}: with --ray it is cpu, or cuda for one GPU a task")
    if wanted == "cuda" and not gpus:
        raise InputError("--device cuda: no node of the Ray cluster has a GPU; try cpu")
    return wanted or ("cuda" if gpus else "cpu")


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise InputError("--ray needs Ray: pip install 'dgmix[cluster]'") from error
    return ray


def _connect(ray: Any, address: str) -> None:
    """Connect to a cluster, without Ray's own messages: they would go to standard output."""
    import logging

    started = {"include_dashboard": False} if address == "local" else {}
    _show_logs(False)
    try:
        _reach(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **started)
    except (OSError, RuntimeError, ValueError) as error:
        _show_logs(True)
        reason = " ".join(str(error).split()).partition(". ")[0]
        raise InputError(
            f"--ray {address}: no cluster to work with ({reason}); start one with `ray start "
            f"--head`, or give {ADDRESSES}"
        ) from error


def _reach(address: str) -> None:
    """Raise `OSError` soon where nothing answers: Ray would wait for minutes."""
    if not address:
        raise ValueError("no address")
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), CONNECTING_SECONDS).close()


def _show_logs(shown: bool) -> None:
    """Let Ray print the raylets' messages or not: there is no option for these."""
    from ray._private import worker

    worker._worker_logs_enabled = shown
