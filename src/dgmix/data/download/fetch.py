"""Fetching over HTTP: streamed, resumed after a cut, and verified."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import requests

from dgmix.data.download.archive import Offer
from dgmix.data.download.unzip import ArchiveError
from dgmix.errors import DgmixError
from dgmix.files import explained

ATTEMPTS = 5
"""How often a request may fail, one time after the other, without bringing anything new."""
BACKOFF_SECONDS = 1.0
"""The pause after the first failure; it doubles with each further one."""
LONGEST_PAUSE_SECONDS = 120.0
TIMEOUT_SECONDS = (10.0, 60.0)
"""To connect, and between two bytes."""
CHUNK_BYTES = 1 << 16
"""Also what a cut may lose of the bytes that had arrived."""

Reached = Callable[[str, int], None]
T = TypeVar("T")


class PassingError(Exception):
    """A request failed in a way that may pass; `seconds` is how long the server asks to wait."""

    def __init__(self, reason: str, seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.seconds = seconds


def read_text(address: str) -> str:
    """Return the text at an address; raise `DgmixError` when the server does not hand it out."""

    def attempt() -> str:
        with _get(address) as response:
            return b"".join(_chunks(response)).decode(errors="replace")

    return _persist(attempt, address, threading.Event(), lambda: 0)


def fetch(offer: Offer, part: Path, reached: Reached, stop: threading.Event) -> Path:
    """Return the verified archive: `part`, filled from the network, or the file that is offered.

    What `part` already holds is kept and continued. `reached(name, bytes)` is called as bytes
    arrive. When `stop` is set, fetching ends at the next opportunity.

    Raises `DgmixError` when the network fails for good or the disk is full (`part` then stays,
    for the next call), `ArchiveError` when size or MD5 are wrong (`part` is then removed).
    """
    name = offer.archive.name
    if isinstance(offer.where, Path):
        _verify(offer.where, offer)
        reached(name, offer.size)
        return offer.where
    address = offer.where

    def attempt() -> None:
        _continue(address, part, offer.size, lambda here: reached(name, here), stop)

    _persist(attempt, address, stop, lambda: _size(part))
    try:
        _verify(part, offer)
    except ArchiveError:
        part.unlink()
        raise
    return part


def _persist(
    attempt: Callable[[], T], address: str, stop: threading.Event, reached: Callable[[], int]
) -> T:
    """Repeat `attempt` while it fails in a passing way; failures count anew after progress."""
    failures, best = 0, reached()
    while True:
        try:
            return attempt()
        except PassingError as error:
            failures = 1 if reached() > best else failures + 1
            best = max(best, reached())
            if failures >= ATTEMPTS or stop.is_set():
                raise DgmixError(
                    f"{address}: {error}, {failures} times in a row; check the network and run "
                    "the command again to continue, or give a mirror or a folder of zip files"
                ) from error
            pause = max(BACKOFF_SECONDS * 2 ** (failures - 1), error.seconds)
            stop.wait(min(pause, LONGEST_PAUSE_SECONDS))


def _continue(
    address: str,
    part: Path,
    size: int,
    reached: Callable[[int], None],
    stop: threading.Event,
) -> None:
    """Append to `part` what it lacks of `size` bytes, from the start if that is all one gets."""
    here = _size(part)
    if here > size:
        part.unlink()
        here = 0
    reached(here)
    if here == size:
        return
    with _get(address, here) as response:
        if response.status_code == requests.codes.ok:
            here = 0
        _check_range(response, here, size, part)
        with explained(part), part.open("ab" if here else "wb") as file:
            for chunk in _chunks(response):
                here += len(chunk)
                if here > size:
                    raise DgmixError(
                        f"{address}: more than the {size} bytes that its record says; "
                        "give another mirror"
                    )
                file.write(chunk)
                reached(here)
                if stop.is_set():
                    raise DgmixError(f"{address}: stopped")
    if here < size:
        raise PassingError(f"the connection was cut after {here} of {size} bytes")


def _get(address: str, start: int = 0) -> requests.Response:
    """Return the answer to a request for what begins at byte `start`; its body is not read yet.

    Raises `PassingError` for what may pass, `DgmixError` when the server says no.
    """
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        response = requests.get(address, headers=headers, stream=True, timeout=TIMEOUT_SECONDS)
    except (requests.ConnectionError, requests.Timeout) as error:
        raise PassingError("the server cannot be reached") from error
    except requests.RequestException as error:
        raise DgmixError(f"{address}: not an address that can be read ({error})") from error
    status = response.status_code
    if status in (200, 206, 416):
        return response
    response.close()
    if status in (408, 425, 429) or status >= 500:
        raise PassingError(f"the server answers {status}", _seconds(response))
    raise DgmixError(
        f"{address}: the server answers {status} {response.reason}; check the address, "
        "or give a mirror or a folder of zip files"
    )


def _check_range(response: requests.Response, here: int, size: int, part: Path) -> None:
    """Make sure that what comes continues at `here` and ends at `size`."""
    if here:
        given = response.headers.get("Content-Range", "")
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", given)
        if not match or int(match[1]) != here or match[2] not in (str(size), "*"):
            part.unlink(missing_ok=True)
            raise PassingError("the server cannot continue where the download stopped")
        return
    if response.status_code != requests.codes.ok:
        raise PassingError(f"the server answers {response.status_code}")
    length = response.headers.get("Content-Length", str(size))
    if length != str(size):
        raise DgmixError(
            f"{response.url}: {length} bytes, while its record says {size}; check the address, "
            "or give another mirror"
        )


def _chunks(response: requests.Response) -> Iterator[bytes]:
    try:
        yield from response.iter_content(CHUNK_BYTES)
    except requests.RequestException as error:
        raise PassingError("the connection was cut") from error


def _verify(path: Path, offer: Offer) -> None:
    if not offer.md5:
        return
    with explained(path), path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if digest != offer.md5:
        raise ArchiveError(
            f"{offer.where}: its MD5 is {digest}, while its record says {offer.md5}; fetch it "
            "again, and if that does not help, take it from elsewhere"
        )


def _seconds(response: requests.Response) -> float:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else 0.0


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
