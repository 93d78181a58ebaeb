"""What persons say of events, and the detectors that follow from it.

Nothing is learned by itself. A detector is that of the settings, updated with the clips that are
called healthy now; it is made from that one each time, so that every label can be taken back.
Its file is named by what it is made of: the one before stays where it was.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

from dgmix.errors import DgmixError, InputError
from dgmix.files import make_folder
from dgmix.watch.judge import DetectorJudge, Judge, Load, Update, updated_detector
from dgmix.watch.settings import MachineSettings
from dgmix.watch.store import queries, rows
from dgmix.watch.store.clips import Clips
from dgmix.watch.store.store import Store

FOLDER = "detectors"
HEALTHY, FAULT = "healthy", "fault"
VERDICTS = (HEALTHY, FAULT)
log = logging.getLogger("dgmix.watch.learning")


class Learning:
    """The detectors of a store's machines."""

    def __init__(
        self,
        store: Store,
        clips: Clips,
        load: Load = DetectorJudge,
        update: Update = updated_detector,
    ) -> None:
        self._store, self._clips, self._load, self._update = store, clips, load, update

    def judge(self, machine: MachineSettings) -> Judge:
        """Return what judges a machine now; make the detector first if that has to be.

        Raises `InputError` where the detector of the settings cannot be read. Where clips cannot
        be learned from, that detector judges, and a notice says so.
        """
        rate = machine.rule.rate
        labels = self._healthy(machine.name)
        if not labels:
            return self._load(machine.detector, rate)
        path = self._path(machine, labels)
        try:
            if not path.exists():
                self._make(machine, labels, path)
            return self._load(path, rate)
        except DgmixError as error:
            self._notice(f"{machine.name}: what was called healthy is not learned from: {error}")
            return self._load(machine.detector, rate)

    def label(self, event: str, verdict: str, condition: str | None, who: str) -> dict[str, Any]:
        """Keep what a person says of an event, and return the event.

        Raises `InputError` for an event that there is not, or a verdict that means nothing.
        """
        if verdict not in VERDICTS:
            raise InputError(f"verdict {verdict}: choose {' or '.join(VERDICTS)}")
        who = who.strip() or "unknown"
        condition = (condition or "").strip() or None
        now = self._store.clock.now()
        number = self._store.write_now(
            lambda to: rows.insert_label(to, event, verdict, condition, who, now)
        )
        if number is None:
            raise InputError(f"event {event}: there is none of that id")
        return self._event(event)

    def undo(self, event: str, who: str) -> dict[str, Any]:
        """Take back the label of an event, and return the event; raises `InputError`."""
        row = self._event(event)
        now = self._store.clock.now()
        self._store.write_now(lambda to: rows.undo_label(to, event, who.strip() or "unknown", now))
        return self._event(row["id"])

    def _event(self, event: str) -> dict[str, Any]:
        row = self._store.read(queries.event, event)
        if row is None:
            raise InputError(f"event {event}: there is none of that id")
        return row

    def _healthy(self, machine: str) -> list[dict[str, Any]]:
        labels = self._store.read(queries.labels, machine)
        return [each for each in labels if each["verdict"] == HEALTHY and each["file"]]

    def _path(self, machine: MachineSettings, labels: list[dict[str, Any]]) -> Path:
        digest = hashlib.sha256()
        try:
            digest.update(machine.detector.read_bytes())
        except OSError as error:
            raise InputError(f"{machine.detector}: {error.strerror}") from error
        for each in labels:
            digest.update(f"\n{each['file']} {each['condition']}".encode())
        return self._store.folder / FOLDER / f"{machine.name}-{digest.hexdigest()[:12]}.dgmix"

    def _make(self, machine: MachineSettings, labels: list[dict[str, Any]], path: Path) -> None:
        make_folder(path.parent)
        files = [self._clips.path(each["file"]) for each in labels]
        conditions = [each["condition"] for each in labels]
        self._update(machine.detector, files, conditions, path)
        numbers, now = [each["id"] for each in labels], self._store.clock.now()
        name, file = machine.name, path.name
        self._store.write_now(lambda to: rows.insert_detector(to, name, file, numbers, now))
        log.info("%s: %s made, with %d clips called healthy", name, file, len(labels))

    def _notice(self, text: str) -> None:
        log.warning("%s", text)
        now = self._store.clock.now()
        self._store.write_now(lambda to: rows.notice(to, now, text))
