"""A served watch, one for each test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "evaluate" / "report")]

from page_parts import Served, serving
from watch_parts import TurnedClock

from dgmix.watch.settings import WatchSettings


@pytest.fixture
def served(make_settings: Callable[..., WatchSettings], clock: TurnedClock) -> Iterator[Served]:
    settings = make_settings(
        {"title": "Pump <script>alert(1)</script>", "condition": {"http": True}}, page={"port": 0}
    )
    with serving(settings, clock) as served:
        yield served
