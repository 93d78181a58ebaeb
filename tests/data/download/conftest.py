"""The small Zenodo, for the tests beside this file, which find their helpers here too."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dgmix.data.download import fetch

sys.path.insert(0, str(Path(__file__).parent))

import zenodo_server


@pytest.fixture(scope="session")
def dcase2022() -> dict[str, bytes]:
    """All archives of DCASE 2022, small."""
    return dict(zenodo_server.archives(2022))


@pytest.fixture
def zenodo(
    dcase2022: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> Iterator[zenodo_server.Zenodo]:
    monkeypatch.delenv("DGMIX_ZENODO_URL", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(fetch, "BACKOFF_SECONDS", 0.0)
    with zenodo_server.serve(dcase2022) as server:
        yield server


@pytest.fixture
def zips(dcase2022: dict[str, bytes], tmp_path: Path) -> Path:
    """A folder with all archives."""
    folder = tmp_path / "zips"
    folder.mkdir()
    for name, content in dcase2022.items():
        (folder / name).write_bytes(content)
    return folder
