"""Results that are kept, so that a benchmark continues where it was stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dgmix.files import write_text


def kept(folder: Path, name: str, make: Callable[[], Any]) -> Any:
    """Return the plain values that `make` returns, or what an earlier call wrote of them."""
    path = folder / f"{name.replace(' ', '-')}.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(make()))
    return json.loads(path.read_text("utf-8"))
