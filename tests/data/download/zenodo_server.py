"""A small Zenodo on this machine, which can misbehave in the ways that the real one does."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from dgmix.data.download import MACHINES
from dgmix.data.download.names import full_names
from dgmix.data.download.records import archives_of


@dataclass
class Zenodo:
    """What is served, how, and what was asked for."""

    archives: dict[str, bytes]
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
    asked: list[tuple[str, str]] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=dict)

    def asked_for(self, name: str) -> list[str]:
        """The Range headers (or "") of all requests for one archive."""
        return [given for path, given in self.asked if path.endswith(name)]

    def record(self, number: int) -> dict[str, Any]:
        files = [
            self.entry(archive.name)
            for archive in archives_of(MACHINES)
            if archive.record == number and archive.name in self.archives
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
        self.zenodo.asked.append((self.path, self.headers.get("Range", "")))
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
        asked = self.headers.get("Range")
        if not asked or not self.zenodo.with_range:
            self.send_bytes(name, content)
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) + self.zenodo.range_shift
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
def serve(archives: Mapping[str, bytes]) -> Iterator[Zenodo]:
    """Serve archives, by name, on a free port of 127.0.0.1."""
    zenodo = Zenodo(dict(archives))
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


def dcase2022() -> dict[str, bytes]:
    """All 21 archives by name: few training clips, all 600 evaluation test clips of a machine."""
    return {
        name: zip_of(files) for machine in MACHINES for name, files in contents(machine).items()
    }


def contents(machine: str) -> dict[str, dict[str, bytes]]:
    """What is in the three archives of a machine; the sound is the path that it is published at."""
    clip = f"{machine}/{{split}}/section_{{section}}_{{domain}}_{{split}}_{{label}}_0000_a_1.wav"
    train, test = (
        [
            clip.format(split=split, section=section, domain=domain, label=label)
            for section in ("00", "01", "02", "03", "04", "05")
            for domain in ("source", "target")
            for label in labels
        ]
        for split, labels in (("train", ["normal"]), ("test", ["normal", "anomaly"]))
    )
    anonymous = [path for path in full_names() if path.startswith(f"{machine}/")]
    parts = {
        f"dev_{machine}.zip": [*train[:6], *test[:12], f"{machine}/attributes_00.csv"],
        f"eval_data_{machine}_train.zip": train[6:],
        f"eval_data_{machine}_test.zip": anonymous,
    }
    return {name: {path: path.encode() for path in paths} for name, paths in parts.items()}


def expected(machine: str) -> dict[str, bytes]:
    """The files of a machine after the download, by path below the folder."""
    names = full_names()
    return {
        names.get(path, path): content
        for files in contents(machine).values()
        for path, content in files.items()
    }
