from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zenodo_server import Zenodo, serve

from dgmix.data.download import fetch as module
from dgmix.data.download.archive import Archive, Offer
from dgmix.data.download.fetch import fetch, read_text
from dgmix.data.download.records import find_offers
from dgmix.errors import DgmixError

FAN = Archive("dev_fan.zip", "fan", 6355122, "dev")
CONTENT = bytes(range(256)) * 4


class Clock(threading.Event):
    """An event that notes how long it is waited for instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses.append(timeout or 0.0)
        return self.is_set()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Zenodo]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(module, "CHUNK_BYTES", 16)
    with serve({FAN.name: CONTENT}) as zenodo:
        yield zenodo


def get(
    server: Zenodo, part: Path, clock: threading.Event | None = None, size: int = len(CONTENT)
) -> tuple[bytes, list[int]]:
    md5 = server.entry(FAN.name)["checksum"].removeprefix("md5:")
    offer = Offer(FAN, f"{server.url}/api/files/bucket/{FAN.name}", size, md5)
    steps: list[int] = []
    path = fetch(offer, part, lambda _, here: steps.append(here), clock or Clock())
    return path.read_bytes(), steps


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cuts=st.lists(st.integers(0, 1023), max_size=4))
def test_any_cuts_give_the_same_file(
    server: Zenodo, tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    server.cuts[FAN.name] = list(cuts)
    server.sent.clear()
    content, steps = get(server, tmp_path_factory.mktemp("cuts") / "part")
    assert content == CONTENT
    assert steps == sorted(steps)
    assert server.sent[FAN.name] <= len(CONTENT) + len(cuts) * module.CHUNK_BYTES


def test_cut_is_noticed_where_no_length_was_announced(server: Zenodo, tmp_path: Path) -> None:
    server.with_length = False
    server.cuts[FAN.name] = [500]
    assert get(server, tmp_path / "part")[0] == CONTENT
    assert server.requests_for(FAN.name) == ["", "bytes=500-"]


def test_part_of_full_size_is_not_asked_for(server: Zenodo, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(CONTENT)
    assert get(server, tmp_path / "part") == (CONTENT, [len(CONTENT)])
    assert server.requests == []


def test_part_longer_than_the_archive_is_dropped(server: Zenodo, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(CONTENT + b"more")
    assert get(server, tmp_path / "part")[0] == CONTENT
    assert server.requests_for(FAN.name) == [""]


def test_server_that_ignores_range_starts_over(server: Zenodo, tmp_path: Path) -> None:
    server.with_range = False
    (tmp_path / "part").write_bytes(b"x" * 500)
    content, steps = get(server, tmp_path / "part")
    assert content == CONTENT
    assert steps[:2] == [500, 16]
    assert server.requests_for(FAN.name) == ["bytes=500-"]


def test_server_that_continues_elsewhere_starts_over(server: Zenodo, tmp_path: Path) -> None:
    server.range_shift = 4
    (tmp_path / "part").write_bytes(CONTENT[:500])
    assert get(server, tmp_path / "part")[0] == CONTENT
    assert server.requests_for(FAN.name) == ["bytes=500-", ""]


def test_range_that_the_server_refuses_starts_over(server: Zenodo, tmp_path: Path) -> None:
    server.statuses[FAN.name] = [416]
    (tmp_path / "part").write_bytes(CONTENT[:500])
    assert get(server, tmp_path / "part")[0] == CONTENT
    assert server.requests_for(FAN.name) == ["bytes=500-", ""]


def test_foreign_part_is_found_by_its_checksum(server: Zenodo, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"x" * 500)
    with pytest.raises(DgmixError, match="its MD5 is"):
        get(server, tmp_path / "part")
    assert not (tmp_path / "part").exists()


def test_pauses_double_and_end(server: Zenodo, tmp_path: Path) -> None:
    server.statuses[FAN.name] = [500, 502, 503, 504, 500]
    clock = Clock()
    with pytest.raises(DgmixError, match="the server answers 500, 5 times in a row"):
        get(server, tmp_path / "part", clock)
    assert clock.pauses == [1, 2, 4, 8]


def test_pause_is_as_long_as_the_server_asks_within_reason(server: Zenodo, tmp_path: Path) -> None:
    clock = Clock()
    for seconds in ("7", "86400", "Wed, 21 Oct 2026 07:28:00 GMT"):
        server.statuses[FAN.name], server.retry_after = [429], seconds
        (tmp_path / "part").unlink(missing_ok=True)
        get(server, tmp_path / "part", clock)
    assert clock.pauses == [7, module.LONGEST_PAUSE_SECONDS, 1]


def test_progress_forgives_earlier_failures(server: Zenodo, tmp_path: Path) -> None:
    server.cuts[FAN.name] = [64] * 12
    clock = Clock()
    assert get(server, tmp_path / "part", clock)[0] == CONTENT
    assert clock.pauses == [1] * 12


def test_cutting_at_the_same_place_for_ever_ends(server: Zenodo, tmp_path: Path) -> None:
    server.with_range = False
    server.cuts[FAN.name] = [64] * 100
    with pytest.raises(DgmixError, match="cut"):
        get(server, tmp_path / "part")
    assert len(server.requests) == module.ATTEMPTS


@pytest.mark.parametrize("status", [403, 404, 410])
def test_refusal_is_not_tried_again(server: Zenodo, tmp_path: Path, status: int) -> None:
    server.statuses[FAN.name] = [status]
    with pytest.raises(DgmixError, match=f"the server answers {status} .*; check the address"):
        get(server, tmp_path / "part")
    assert len(server.requests) == 1


def test_length_that_the_record_does_not_say(server: Zenodo, tmp_path: Path) -> None:
    with pytest.raises(DgmixError, match="1024 bytes, while its record says 1000"):
        get(server, tmp_path / "part", size=1000)
    server.with_length = False
    with pytest.raises(DgmixError, match="more than the 1000 bytes"):
        get(server, tmp_path / "part", size=1000)
    assert (tmp_path / "part").stat().st_size <= 1000


def test_stop_ends_a_transfer_and_the_tries(server: Zenodo, tmp_path: Path) -> None:
    clock = Clock()
    clock.set()
    with pytest.raises(DgmixError, match="stopped"):
        get(server, tmp_path / "part", clock)
    assert (tmp_path / "part").stat().st_size == module.CHUNK_BYTES
    server.statuses[FAN.name] = [503]
    with pytest.raises(DgmixError, match="503, 1 times"):
        get(server, tmp_path / "part", clock)


@pytest.mark.parametrize("address", ["http://", "http://[", "file:///etc/hosts", "x"])
def test_address_that_is_none(address: str) -> None:
    with pytest.raises(DgmixError, match="not an address that can be read"):
        read_text(address)


def test_link_to_a_local_file_is_not_followed(server: Zenodo, tmp_path: Path) -> None:
    server.url, address = "file:///etc", server.url
    (offer,) = find_offers([FAN], address)
    assert offer.where == "file:///etc/api/files/bucket/dev_fan.zip"
    with pytest.raises(DgmixError, match="not an address that can be read"):
        fetch(offer, tmp_path / "part", lambda *_: None, Clock())
