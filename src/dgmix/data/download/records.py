"""Which archives make up a data set, and where each one is offered."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit
from urllib.request import url2pathname

from dgmix.data.download.archive import Archive, Offer
from dgmix.data.download.fetch import read_text
from dgmix.data.years import Part, Year
from dgmix.errors import DgmixError, InputError
from dgmix.files import explained
from dgmix.progress import say


def archives_of(year: Year, machines: Sequence[str], parts: Sequence[Part]) -> list[Archive]:
    """Return the archives of some machines and parts, those of a machine next to each other."""
    return [
        Archive(source.archive(machine), machine, source.record, part)
        for machine in machines
        for part, source in year.sources.items()
        if part in parts and part in year.parts_of(machine)
    ]


def find_offers(archives: Sequence[Archive], base: str) -> list[Offer]:
    """Return where each archive is offered below `base`, an `http(s)` address or a folder.

    Raises `InputError` when `base` is neither, or when the folder lacks some of the archives, and
    `DgmixError` when a server cannot be reached or does not offer them.
    """
    scheme = urlsplit(base).scheme
    if scheme in ("http", "https"):
        return _from_server(archives, base.rstrip("/") + "/")
    if scheme == "file":
        base = url2pathname(urlsplit(base).path)
    folder = Path(base).expanduser()
    if not folder.is_dir():
        raise InputError(f"{base}: neither an http(s) address nor a folder of zip files")
    return _from_folder(archives, folder)


def _from_server(archives: Sequence[Archive], base: str) -> list[Offer]:
    entries: dict[int, dict[str, _Entry]] = {}
    for record in sorted({archive.record for archive in archives}):
        address = f"{base}api/records/{record}"
        entries[record] = _parse_record(read_text(address), address)
    return [_offer_at(archive, entries[archive.record], base) for archive in archives]


def _offer_at(archive: Archive, entries: dict[str, _Entry], base: str) -> Offer:
    name = listed_name(archive.name, entries)
    if name is None:
        raise DgmixError(
            f"{base}api/records/{archive.record}: the record does not list {archive.name}; "
            "give another mirror, or a folder of zip files"
        )
    if name != archive.name:
        say(f"{archive.name}: published anew as {name}, which is taken")
    entry = entries[name]
    link = entry.link or f"records/{archive.record}/files/{name}"
    return Offer(archive, urljoin(base, link), entry.size, entry.md5)


def _from_folder(archives: Sequence[Archive], folder: Path) -> list[Offer]:
    places = {archive: place for archive in archives if (place := _zip_in(folder, archive))}
    absent = [archive.name for archive in archives if archive not in places]
    if absent:
        raise InputError(
            f"{folder}: {', '.join(absent)} missing; put them there, or leave out the machines "
            "that they belong to"
        )
    records = {archive.record for archive in archives}
    entries = {record: _record_in(folder, record) for record in records}
    offers = [
        _offer_of(archive, place, entries[archive.record].get(place.name))
        for archive, place in places.items()
    ]
    unknown = sum(not offer.md5 for offer in offers)
    if unknown:
        say(
            f"{folder}: no checksums for {unknown} of {len(offers)} zip files; "
            "only the CRC of what they hold is checked"
        )
    return offers


def _zip_in(folder: Path, archive: Archive) -> Path | None:
    for place in (folder, folder / str(archive.record)):
        there = [path.name for path in place.glob(f"{Path(archive.name).stem}*.zip")]
        if name := listed_name(archive.name, there):
            return place / name
    return None


def listed_name(name: str, there: Collection[str]) -> str | None:
    """Return under which name an archive is there: its own, or else that of its last revision.

    Corrected archives are published as `<name>_r2.zip`; those that were known when dgmix was
    released are in its table, with that name.
    """
    if name in there:
        return name
    revised = re.compile(re.escape(Path(name).stem) + r"_r(\d+)\.zip")
    numbers = {int(match[1]): each for each in there if (match := revised.fullmatch(each))}
    return numbers[max(numbers)] if numbers else None


def _offer_of(archive: Archive, path: Path, entry: _Entry | None) -> Offer:
    with explained(path):
        size = path.stat().st_size
    if entry and entry.size != size:
        raise InputError(
            f"{path}: {size} bytes, while its record says {entry.size}; copy the file again"
        )
    return Offer(archive, path, size, entry.md5 if entry else "")


def _record_in(folder: Path, record: int) -> dict[str, _Entry]:
    names = (f"{record}.json", f"{record}/{record}.json", f"api/records/{record}")
    for path in (folder / name for name in names):
        if path.is_file():
            with explained(path):
                return _parse_record(path.read_bytes(), str(path))
    return {}


@dataclass(frozen=True, slots=True)
class _Entry:
    size: int
    md5: str
    link: str


def _parse_record(text: str | bytes, origin: str) -> dict[str, _Entry]:
    """Read `{"files": [{"key", "size", "checksum": "md5:…", "links": {"self"}}]}` by file name."""
    try:
        return {str(file["key"]): _entry(file) for file in json.loads(text)["files"]}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DgmixError(f"{origin}: not the JSON of a Zenodo record; check the address") from error


def _entry(file: dict[str, object]) -> _Entry:
    size, checksum, links = file["size"], file.get("checksum") or "", file.get("links") or {}
    if not isinstance(size, int) or size < 1 or not isinstance(links, dict):
        raise ValueError("size or links")
    md5 = re.fullmatch(r"(?:md5:)?([0-9a-f]{32})|", str(checksum).lower())
    if md5 is None:
        raise ValueError("checksum")
    return _Entry(size, md5[1] or "", str(links.get("self") or ""))
