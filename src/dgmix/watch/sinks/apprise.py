"""E-mail, chat, SMS: whatever Apprise has an address for (extra `notify`)."""

from __future__ import annotations

import logging
from typing import Any

from dgmix.errors import InputError
from dgmix.watch.settings import AppriseSettings
from dgmix.watch.sinks.base import SinkError


class AppriseSink:
    """Delivered means that every service of the entry took the message.

    Raises `InputError` without Apprise, or for an address that it does not know.
    """

    def __init__(self, settings: AppriseSettings) -> None:
        try:
            import apprise
        except ImportError as error:
            raise InputError('apprise needs `pip install "dgmix[notify]"`') from error
        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it logs whole addresses
        self.name = settings.name
        self._services = apprise.Apprise()
        for number, url in enumerate(settings.urls):
            if not self._services.add(url.get_secret_value()):
                raise InputError(
                    f"apprise {settings.name}: address {number + 1} is none that Apprise knows"
                )

    def start(self) -> None:
        """Nothing is held between two messages."""

    def close(self) -> None:
        """Nothing is held between two messages."""

    def deliver(self, body: dict[str, Any]) -> None:
        """Send a message as title and text; raises `SinkError` unless all take it."""
        title = f"{body.get('title') or body['site']}: {body['kind']} {body['type']}"
        if not self._services.notify(title=title, body=body["text"]):
            raise SinkError("a service did not take the message")
