"""Log lines to standard error: rate-limited, without secrets, as text or as JSON."""

from __future__ import annotations

import json
import logging
import sys
import time

from dgmix.watch.redaction import without_secrets

REPEAT_SECONDS = 60.0
MOST_KEPT = 1000


class Limit(logging.Filter):
    """Lets the same line through once a minute, with how often it came meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a line is written; it may have a count added."""
        key = record.name, record.getMessage()
        since, missed = self._last.get(key, (-REPEAT_SECONDS, 0))
        if record.created - since < REPEAT_SECONDS:
            self._last[key] = since, missed + 1
            return False
        if len(self._last) >= MOST_KEPT:
            self._last.clear()
        self._last[key] = record.created, 0
        if missed:
            record.msg, record.args = f"{key[1]} ({missed} times more since)", ()
        return True


class Lines(logging.Formatter):
    """Lines for people and for journald."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        text = without_secrets(record.getMessage())
        if record.exc_info:
            text += "\n" + without_secrets(self.formatException(record.exc_info))
        return f"{at} {record.levelname.lower()} {record.name}: {text}"


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        values = {
            "at": round(record.created, 3),
            "level": record.levelname.lower(),
            "name": record.name,
            "text": without_secrets(record.getMessage()),
        }
        if record.exc_info:
            values["error"] = without_secrets(self.formatException(record.exc_info))
        return json.dumps(values)


def set_up(as_json: bool) -> None:
    """Send the watch's log to standard error, and nothing of libraries but warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if as_json else Lines())
    handler.addFilter(Limit())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("dgmix").setLevel(logging.INFO)
