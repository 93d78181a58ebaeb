"""Webhooks: each message as JSON by POST, signed so that the receiver knows the sender."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

from dgmix.watch.redaction import without_secrets
from dgmix.watch.settings import WebhookSettings
from dgmix.watch.sinks.base import SinkError


class Webhook:
    """Delivered means answered with a status from 200 to 299; a redirection is not followed."""

    def __init__(self, settings: WebhookSettings) -> None:
        self.name = settings.name
        self._settings = settings

    def start(self) -> None:
        """Nothing is held between two messages."""

    def close(self) -> None:
        """Nothing is held between two messages."""

    def deliver(self, body: dict[str, Any]) -> None:
        """Send a message; raises `SinkError` unless it is accepted."""
        import requests

        url = self._settings.url.get_secret_value()
        data = json.dumps(body).encode()
        try:
            answer = requests.post(
                url,
                data=data,
                headers=self._headers(body, data),
                timeout=self._settings.timeout,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise SinkError(f"{type(error).__name__} at {without_secrets(url)}") from error
        if not 200 <= answer.status_code < 300:
            raise SinkError(f"status {answer.status_code} from {without_secrets(url)}")

    def _headers(self, body: dict[str, Any], data: bytes) -> dict[str, str]:
        stamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "X-Dgmix-Id": body["id"],
            "X-Dgmix-Timestamp": stamp,
        }
        if self._settings.secret is not None:
            secret = self._settings.secret.get_secret_value()
            headers["X-Dgmix-Signature"] = f"sha256={signature(secret, stamp, data)}"
        return headers


def signature(secret: str, timestamp: str, data: bytes) -> str:
    """Return HMAC-SHA256 (hex) of `timestamp.data`, as a receiver computes it to compare."""
    return hmac.new(secret.encode(), f"{timestamp}.".encode() + data, hashlib.sha256).hexdigest()
