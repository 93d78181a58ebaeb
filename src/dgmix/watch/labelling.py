"""`dgmix watch label`: through a watch that runs, or else in its store."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

from dgmix.errors import DgmixError, InputError
from dgmix.watch.clock import SystemClock
from dgmix.watch.learning import Learning
from dgmix.watch.settings import WatchSettings
from dgmix.watch.store.clips import Clips
from dgmix.watch.store.store import Store
from dgmix.watch.web.guard import token_of
from dgmix.watch.web.server import ADDRESS_FILE

UNDO = "undo"
PATIENCE = 60.0


def label(
    settings: WatchSettings, event: str, verdict: str, condition: str | None, who: str | None
) -> dict[str, Any]:
    """Say of an event what it was, or take that back, and return the event.

    Raises `InputError` for an event that there is not, or a verdict that means nothing.
    """
    who = who or getpass.getuser()
    folder = settings.state_folder
    if (folder / ADDRESS_FILE).exists():
        return _ask(folder, event, verdict, condition, who)
    with Store(folder, SystemClock()) as store:
        learning = Learning(store, Clips(store, settings.storage))
        if verdict == UNDO:
            return learning.undo(event, who)
        return learning.label(event, verdict, condition, who)


def _ask(folder: Path, event: str, verdict: str, condition: str | None, who: str) -> dict[str, Any]:
    """Do the same through the API of the watch that has the store."""
    import requests

    url = (folder / ADDRESS_FILE).read_text("utf-8").strip()
    url = url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    path = f"{url}api/v1/events/{event}/label"
    headers = {"Authorization": f"Bearer {token_of(folder)}"}
    try:
        if verdict == UNDO:
            answer = requests.delete(path, params={"who": who}, headers=headers, timeout=PATIENCE)
        else:
            body = {"verdict": verdict, "condition": condition, "who": who}
            answer = requests.put(path, json=body, headers=headers, timeout=PATIENCE)
    except requests.RequestException as error:
        raise DgmixError(
            f"{url}: no answer; if no watch runs, remove {folder / ADDRESS_FILE}"
        ) from error
    values: dict[str, Any] = answer.json()
    if not answer.ok:
        raise InputError(values.get("error", f"status {answer.status_code}"))
    return values
