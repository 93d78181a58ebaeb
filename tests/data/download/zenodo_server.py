"""A small Zenodo on this machine, which can misbehave in the ways that the real one does."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from threading import Thread
from typing import Any

from dgmix.data.download.names import full_names
from dgmix.data.years import YEARS

TOYS_AND_MIMII = "ToyCar ToyConveyor fan valve slider pump"
OF_2021 = "fan gearbox pump slider ToyCar ToyTrain valve"
OF_2022 = "bearing fan gearbox slider ToyCar ToyTrain valve"
EVALUATED = {
    2023: "bandsaw grinder shaker ToyDrone ToyNscale ToyTank Vacuum",
    2024: "AirCompressor BrushlessMotor HairDryer HoveringDrone Scanner ToothBrush ToyCircuit",
    2025: "AutoTrash BandSealer CoffeeGrinder HomeCamera Polisher ScrewFeeder ToyPet ToyRCCar",
    2026: "ToyDrone ToothBrush SewingMachine BlowerDustCollector Sander",
}
TRAIN, TEST = "eval_data_{}_train.zip", "eval_data_{}_test.zip"
RECORDS = {
    2020: [
        (3678171, "dev_data_{}.zip", TOYS_AND_MIMII),
        (3727685, "eval_data_train_{}.zip", TOYS_AND_MIMII),
        (3841772, "eval_data_test_{}.zip", TOYS_AND_MIMII),
    ],
    2021: [
        (4562016, "dev_data_{}.zip", OF_2021),
        (4660992, TRAIN, OF_2021),
        (4884786, TEST, OF_2021),
    ],
    2022: [(6355122, "dev_{}.zip", OF_2022), (6462969, TRAIN, OF_2022), (6586456, TEST, OF_2022)],
    2023: [
        (7882613, "dev_{}.zip", OF_2022),
        (7830345, TRAIN, EVALUATED[2023]),
        (7860847, TEST, EVALUATED[2023]),
    ],
    2024: [
        (10902294, "dev_{}.zip", OF_2022),
        (11259435, TRAIN, EVALUATED[2024]),
        (11259435, "eval_data_{}_train_r2.zip", "3DPrinter RoboticArm"),
        (11363076, TEST, EVALUATED[2024] + " 3DPrinter RoboticArm"),
    ],
    2025: [
        (15097779, "dev_{}.zip", OF_2022),
        (15392814, TRAIN, EVALUATED[2025]),
        (15519362, TEST, EVALUATED[2025]),
    ],
    2026: [
        (19336329, "dev_{}_r2.zip", "ToyCar"),
        (19336329, "dev_{}.zip", "ToyCarEmu bearingEmu fan gearboxEmu sliderEmu valveEmu"),
        (20151556, TRAIN, EVALUATED[2026]),
        (20437238, TEST, EVALUATED[2026]),
    ],
}
"""Record, archive names and machines, as the organisers' lists of addresses have them."""


def machines(year: int) -> list[str]:
    """The machines of a year."""
    return sorted({name for _, _, names in RECORDS[year] for name in names.split()})


def listed(year: int) -> list[tuple[int, str, str]]:
    """Record, archive name and machine of every archive of a year."""
    return [
        (record, pattern.format(machine), machine)
        for record, pattern, names in RECORDS[year]
        for machine in names.split()
    ]


@dataclass
class Zenodo:
    """What is served, how, and what was asked for."""

    archives: dict[str, bytes]
    year: int = 2022
    url: str = ""
    cuts: dict[str, list[int]] = field(default_factory=dict)
    statuses: dict[str, list[int]] = field(default_factory=dict)
    wrong_md5: set[str] = field(default_factory=set)
    with_range: bool = True
    with_length: bool = True
    with_links: bool = True
    with_md5: bool = True
    range_shift: int = 0
    retry_after: str = ""
    requests: list[tuple[str, str]] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=dict)

    def requests_for(self, name: str) -> list[str]:
        """The Range headers (or "") of all requests for one archive."""
        return [given for path, given in self.requests if path.endswith(name)]

    def record(self, number: int) -> dict[str, Any]:
        files = [
            self.entry(name)
            for record, name, _ in listed(self.year)
            if record == number and name in self.archives
        ]
        return {"id": number, "files": files, "metadata": {}}

    def entry(self, name: str) -> dict[str, Any]:
        content = b"another" if name in self.wrong_md5 else self.archives[name]
        entry: dict[str, Any] = {"key": name, "size": len(self.archives[name])}
        if self.with_md5:
            entry["checksum"] = f"md5:{hashlib.md5(content).hexdigest()}"
        if self.with_links:
            entry["links"] = {"self": f"{self.url}/api/files/bucket/{name}"}
        return entry


class Handler(BaseHTTPRequestHandler):
    zenodo: Zenodo

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        self.zenodo.requests.append((self.path, self.headers.get("Range", "")))
        statuses = self.zenodo.statuses.get(name, [])
        if statuses and (status := statuses.pop(0)) != 200:
            self.send_response(status)
            if self.zenodo.retry_after:
                self.send_header("Retry-After", self.zenodo.retry_after)
            self.end_headers()
        elif self.path.startswith("/api/records/"):
            self.send_bytes(name, json.dumps(self.zenodo.record(int(name))).encode())
        elif name in self.zenodo.archives:
            self.send_archive(name, self.zenodo.archives[name])
        else:
            self.send_error(404)

    def send_archive(self, name: str, content: bytes) -> None:
        span = self.headers.get("Range")
        if not span or not self.zenodo.with_range:
            self.send_bytes(name, content)
            return
        start = int(span.removeprefix("bytes=").removesuffix("-")) + self.zenodo.range_shift
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_body(name, content[start:])

    def send_bytes(self, name: str, content: bytes) -> None:
        self.send_response(200)
        self.send_body(name, content)

    def send_body(self, name: str, content: bytes) -> None:
        if self.zenodo.with_length:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        cuts = self.zenodo.cuts.get(name, [])
        content = content[: cuts.pop(0)] if cuts else content
        self.zenodo.sent[name] = self.zenodo.sent.get(name, 0) + len(content)
        self.wfile.write(content)


@contextmanager
def serve(archives: Mapping[str, bytes], year: int = 2022) -> Iterator[Zenodo]:
    """Serve archives of a year, by name, on a free port of 127.0.0.1."""
    zenodo = Zenodo(dict(archives), year)
    handler = type("BoundHandler", (Handler,), {"zenodo": zenodo})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        zenodo.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield zenodo
        finally:
            server.shutdown()
            thread.join()


def zip_of(files: Mapping[str, bytes], packed: bool = True) -> bytes:
    """A zip file as bytes."""
    buffer, method = io.BytesIO(), zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", method) as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return buffer.getvalue()


@cache
def archives(year: int) -> Mapping[str, bytes]:
    """All archives of a year by name: few training clips, all evaluation test clips."""
    return {name: zip_of(contents(year, name, machine)) for _, name, machine in listed(year)}


def contents(year: int, archive: str, machine: str) -> dict[str, bytes]:
    """What is in an archive; the sound is the path that it is published at."""
    if "_test" in archive:
        paths = [path for path in published(year) if path.startswith(f"{machine}/")]
    elif year == 2020:
        paths = of_2020(machine, "train" if "train" in archive else "dev")
    else:
        paths = others(year, machine, "train" if "train" in archive else "dev")
    return {path: path.encode() for path in paths}


def published(year: int) -> list[str]:
    """The evaluation clips as they are published."""
    if YEARS[year].labelled:
        return list(full_names(year))
    return [f"{machine}/test/section_00_000{n}.wav" for machine in YEARS[year].eval for n in (0, 1)]


def of_2020(machine: str, part: str) -> list[str]:
    sections = (YEARS[2020].dev if part == "dev" else YEARS[2020].eval)[machine]
    train = [f"{machine}/train/normal_{section}_00000000.wav" for section in sections]
    test = [
        f"{machine}/test/{label}_{section}_00000000.wav"
        for section in sections
        for label in ("normal", "anomaly")
    ]
    return [*train, *(test if part == "dev" else [])]


def others(year: int, machine: str, part: str) -> list[str]:
    """Training clips, test clips in the development set, tables, and in 2025 and 2026 more."""
    known = YEARS[year]
    sections = (known.dev if part == "dev" else known.eval)[machine]
    attributes = "noAttribute" if machine in known.hidden else "a_1"
    paths = [f"{machine}/attributes_00.csv"] if part == "dev" else []
    for section, domain in product(sections, ("source", "target")):
        stem = f"section_{section}_{domain}_{{}}_{{}}_0001_{attributes}.wav"
        paths.append(f"{machine}/train/" + stem.format("train", "normal"))
        if part == "dev":
            folder = f"{domain}_test" if year == 2021 else "test"
            paths += [
                f"{machine}/{folder}/" + stem.format("test", label)
                for label in ("normal", "anomaly")
            ]
    if year >= 2025:
        kinds = ("machine",) if part == "dev" else ("machine", "noise")
        paths += [f"{machine}/supplemental/section_00_{kind}_0001_.wav" for kind in kinds]
    return paths


def expected(machine: str, year: int = 2022) -> dict[str, bytes]:
    """The files of a machine after the download, by path below the folder."""
    names = full_names(year)
    return {
        names.get(path, path): content
        for _, name, of in listed(year)
        if of == machine
        for path, content in contents(year, name, machine).items()
    }
