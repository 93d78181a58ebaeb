"""`dgmix download`: the DCASE Task 2 recordings, verified, resumable and with their labels.

Each archive is fetched to `<folder>/.download/<name>.part`, verified, unpacked beside it and only
then moved into `<folder>/<machine>/{train,test}`; a state file, written last, says that it is done.
Whatever is interrupted continues there with the next call. Which archives there are stands in
`dgmix.data.years`.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

from dgmix.data.download.archive import Archive, Offer
from dgmix.data.download.names import ClipNames, clip_names
from dgmix.data.download.records import archives_of, find_offers
from dgmix.data.download.state import (
    is_complete,
    part_file,
    rename_clips,
    staging_folder,
    write_state,
)
from dgmix.data.download.unzip import ArchiveError, unpack
from dgmix.data.years import PARTS, Part, Year, year_of
from dgmix.errors import DgmixError, InputError, choices
from dgmix.files import explained, make_folder
from dgmix.progress import Advance, progress, say

__all__ = ["download"]

ZENODO = "https://zenodo.org"
MIB = 1 << 20


def download(
    dataset: str = "dcase2022",
    folder: str | os.PathLike[str] | None = None,
    machines: Sequence[str] = (),
    *,
    parts: Sequence[str] = (),
    hidden_attributes: bool = False,
    names: str | os.PathLike[str] | None = None,
    base_url: str | None = None,
    jobs: int = 4,
) -> Path:
    """Return the folder that holds the wanted part of a data set in DCASE's layout and naming.

    `dataset` is one of `dgmix.data.years.datasets()`; `folder` is `data/<dataset>` by default.
    `machines` and `parts` ("dev": development set, "train" and "eval": training and test clips of
    the evaluation set) limit what is fetched; none means all. The evaluation test clips, which are
    published without labels, get the names that `dgmix.data.download.names` knows for them, or
    those of the organisers' list `names`. With `hidden_attributes` (2024, 2025) names tell the
    attributes that the challenge withheld and published later. What an earlier call completed is
    not fetched again but gets the names that this call wants; when nothing is missing, nothing is
    read from the network at all.

    `jobs` archives are fetched at once.
    `base_url` (or else the environment variable `DGMIX_ZENODO_URL`) is a mirror that serves
    Zenodo's `/api/records/<id>` and the files that these link to, or a folder (a path, or
    `file://`) with the zip files, flat or in a sub-folder for each record id. Such zip files stay
    where they are. Their checksums are known only where the folder has the record's JSON too, as
    `<id>.json`, `<id>/<id>.json` or `api/records/<id>`.

    Raises `InputError` for an unknown data set, machine or part, a list of names that is of another
    year, a folder that cannot be written or holds another year's data set, or a folder of zip files
    that lacks some; `DgmixError` when the network, a checksum, an archive or the disk fails. The
    message is one sentence that says what to do.
    """
    year = year_of(dataset)
    archives = _wanted(year, machines, parts)
    full = clip_names(year, hidden_attributes, Path(names) if names else None)
    if jobs < 1:
        raise InputError(f"jobs: at least 1 archive has to be fetched at a time, not {jobs}")
    folder = Path(folder) if folder else Path("data") / dataset
    missing = [archive for archive in archives if not is_complete(folder, archive, full)]
    if missing:
        make_folder(folder)
        base = base_url or os.environ.get("DGMIX_ZENODO_URL") or ZENODO
        _fetch_and_unpack(find_offers(missing, base), folder, full, jobs)
    for archive in archives:
        rename_clips(folder, archive, full)
        with explained(folder):
            part_file(folder, archive).unlink(missing_ok=True)
    say(f"{folder}: complete, {len(archives)} archives, {len(missing)} of them new")
    if not full.names and "eval" in {archive.part for archive in archives}:
        say(
            f"{folder}: the labels of the evaluation clips of {year.number} are not known to this "
            "version of dgmix; scores of these clips are written for submission alone, until the "
            f"organisers' list is given (--names eval_data_list_{year.number}.csv)"
        )
    return folder


def _wanted(year: Year, machines: Sequence[str], parts: Sequence[str]) -> list[Archive]:
    """Return the archives of some machines and parts of a year, checked."""
    for machine in machines:
        if machine not in year.machines:
            raise InputError(
                f"{machine}: {year.dataset} has no such machine{choices(machine, year.machines)}"
            )
    for part in parts:
        if part not in PARTS:
            raise InputError(f"{part}: no such part{choices(part, PARTS)}")
    chosen: list[Part] = [part for part in PARTS if part in parts or not parts]
    for machine in machines:
        there = year.parts_of(machine)
        if not set(there) & set(chosen):
            raise InputError(
                f"{machine}: in {year.dataset} it is in {', '.join(there)}, "
                f"not in {', '.join(chosen)}; choose another part or machine"
            )
    return archives_of(year, [m for m in year.machines if m in machines or not machines], chosen)


def _fetch_and_unpack(offers: Sequence[Offer], folder: Path, names: ClipNames, jobs: int) -> None:
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
                _finish(futures[future], future.result(), folder, names)
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def _finish(offer: Offer, fetched: Path, folder: Path, names: ClipNames) -> None:
    archive = offer.archive
    with _removed_if_bad(offer, fetched):
        files = unpack(
            fetched, folder, staging_folder(folder, archive), archive.machine, names.full
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
    """Show how much is to come, and refuse early what cannot fit.

    Unpacked recordings are never smaller than their archives, and an archive is on the disk beside
    its recordings for as long as it is being unpacked.
    """
    remote = [offer for offer in offers if not isinstance(offer.where, Path)]
    parts = [part_file(folder, offer.archive) for offer in remote]
    there = sum(part.stat().st_size for part in parts if part.exists())
    size = sum(offer.size for offer in offers)
    needed = size - there + max((offer.size for offer in remote), default=0)
    free = shutil.disk_usage(folder).free
    say(
        f"{folder}: {len(offers)} archives to unpack, {size / 1e9:.2f} GB in all, of which "
        f"{there / 1e9:.2f} GB are here; {free / 1e9:.1f} GB of the disk are free"
    )
    if needed > free:
        raise DgmixError(
            f"{folder}: at least {needed / 1e9:.2f} GB are needed and {free / 1e9:.1f} GB "
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
