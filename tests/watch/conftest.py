"""A store, settings, and the parts that tests of the watch have in common."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dgmix.watch.settings import WatchSettings, parse_settings
from dgmix.watch.store.store import Store

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent / "live")]

from watch_parts import TurnedClock


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def store(tmp_path: Path, clock: TurnedClock) -> Iterator[Store]:
    with Store(tmp_path / "state", clock) as store:
        yield store


@pytest.fixture
def make_settings(tmp_path: Path) -> Callable[..., WatchSettings]:
    """Return settings of one machine, pump, with changes."""

    def make(machine: dict[str, object] | None = None, **changes: object) -> WatchSettings:
        values = {
            "state": str(tmp_path / "state"),
            "machines": [
                {
                    "name": "pump",
                    "detector": "pump.dgmix",
                    "source": {"type": "folder", "path": "recordings"},
                    **(machine or {}),
                }
            ],
            "storage": {"least_free_mb": 0},
            **changes,
        }
        return parse_settings(values, "test", tmp_path)

    return make
