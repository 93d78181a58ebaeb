"""`dgmix download`: the DCASE 2022 Task 2 recordings, verified, resumable and with their labels.

Each archive is fetched to `<folder>/.download/<name>.part`, verified, unpacked beside it and only
then moved into `<folder>/<machine>/{train,test}`; a state file, written last, says that it is done.
Whatever is interrupted continues there with the next call.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

from dgmix.data.download.names import full_names
from dgmix.data.download.records import MACHINES, Archive, Offer, archives_of, find_offers
from dgmix.data.download.state import is_complete, part_file, staging_folder, write_state
from dgmix.data.download.unzip import ArchiveError, unpack
from dgmix.errors import DgmixError, InputError
from dgmix.files import explained, make_folder
from dgmix.progress import Advance, progress, say

__all__ = ["DATASETS", "MACHINES", "download"]

DATASETS = ("dcase2022",)
ZENODO = "https://zenodo.org"
MIB = 1 << 20


def download(
    dataset: str = "dcase2022",
    folder: Path = Path("data/dcase2022"),
    machines: Sequence[str] = (),
    *,
    base_url: str | None = None,
    jobs: int = 4,
) -> Path:
    """Return `folder`, holding the wanted machines of a data set in DCASE's layout and naming.

    The evaluation test clips, which are published without labels, get the names that
    `dgmix.data.download.names` knows for them. What an earlier call completed is not fetched
    again; when nothing is missing, nothing is read from the network at all.

    `machines` are some of `MACHINES`; none means all. `jobs` archives are fetched at once.
    `base_url` (or else the environment variable `DGMIX_ZENODO_URL`) is a mirror that serves
    Zenodo's `/api/records/<id>` and the files that these link to, or a folder (a path, or
    `file://`) with the zip files, flat or in a sub-folder for each record id. Such zip files stay
    where they are. Their checksums are known only where the folder has the record's JSON too, as
    `<id>.json`, `<id>/<id>.json` or `api/records/<id>`.

    Raises `InputError` for an unknown data set or machine, a folder that cannot be written, or a
    folder of zip files that lacks some; `DgmixError` when the network, a checksum, an archive or
    the disk fails. The message is one sentence that says what to do.
    """
    archives = _wanted(dataset, machines)
    if jobs < 1:
        raise InputError(f"jobs: at least 1 archive has to be fetched at a time, not {jobs}")
    folder = Path(folder)
    missing = [archive for archive in archives if not is_complete(folder, archive)]
    if missing:
        make_folder(folder)
        base = base_url or os.environ.get("DGMIX_ZENODO_URL") or ZENODO
        _fetch_and_unpack(find_offers(missing, base), folder, jobs)
    with explained(folder):
        for archive in archives:
            part_file(folder, archive).unlink(missing_ok=True)
    say(f"{folder}: complete, {len(archives)} archives, {len(missing)} of them new")
    return folder


def _wanted(dataset: str, machines: Sequence[str]) -> list[Archive]:
    if dataset not in DATASETS:
        raise InputError(f"{dataset}: unknown data set; there is {', '.join(DATASETS)}")
    unknown = [machine for machine in machines if machine not in MACHINES]
    if unknown:
        raise InputError(f"{unknown[0]}: unknown machine; there are {', '.join(MACHINES)}")
    return archives_of([machine for machine in MACHINES if machine in machines or not machines])


def _fetch_and_unpack(offers: Sequence[Offer], folder: Path, jobs: int) -> None:
    """Fetch in threads and unpack in this one; the first failure stops all of them."""
    from dgmix.data.download.fetch import fetch

    _ensure_space(offers, folder)
    make_folder(folder / ".download")
    stop = threading.Event()
    total = _mib(sum(offer.size for offer in offers))
    with progress("download (MiB)", total) as advance, ThreadPoolExecutor(jobs) as pool:
        meter = Meter(advance)
        futures = {
            pool.submit(fetch, offer, part_file(folder, offer.archive), meter.reached, stop): offer
            for offer in offers
        }
        try:
            for future in as_completed(futures):
                meter.note(f"unpacking {futures[future].archive.name}")
                _finish(futures[future], future.result(), folder)
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def _finish(offer: Offer, fetched: Path, folder: Path) -> None:
    archive = offer.archive
    with _removed_if_bad(offer, fetched):
        files = unpack(
            fetched, folder, staging_folder(folder, archive), archive.machine, full_names()
        )
    write_state(folder, archive, offer.md5, files)
    part_file(folder, archive).unlink(missing_ok=True)


@contextmanager
def _removed_if_bad(offer: Offer, fetched: Path) -> Iterator[None]:
    """Remove a downloaded archive that is no good, so that the next call fetches it anew."""
    try:
        yield
    except ArchiveError:
        if not isinstance(offer.where, Path):
            fetched.unlink(missing_ok=True)
        raise


def _ensure_space(offers: Sequence[Offer], folder: Path) -> None:
    """Refuse early what cannot fit: unpacked recordings are never smaller than their archives."""
    parts = [part_file(folder, offer.archive) for offer in offers]
    there = sum(part.stat().st_size for part in parts if part.exists())
    needed = sum(offer.size for offer in offers) - there
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DgmixError(
            f"{folder}: at least {needed / 1e9:.1f} GB are still to come and {free / 1e9:.1f} GB "
            "are free; free some space or choose another folder"
        )


def _mib(size: int) -> int:
    """Return a size in MiB, rounded up."""
    return -(-size // MIB)


class Meter:
    """Adds up how much of each archive is here, from several threads, in whole MiB."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self._lock = threading.Lock()
        self._bytes: dict[str, int] = {}
        self._shown = 0

    def reached(self, name: str, bytes_here: int) -> None:
        """Say that `bytes_here` bytes of the archive `name` are here now."""
        with self._lock:
            self._bytes[name] = bytes_here
            done = _mib(sum(self._bytes.values()))
            if done != self._shown:
                self._advance(done - self._shown)
                self._shown = done

    def note(self, text: str) -> None:
        """Show a few words on what is happening."""
        with self._lock:
            self._advance(0, text)
