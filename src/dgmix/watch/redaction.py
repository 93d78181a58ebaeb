"""Addresses without what is secret in them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

ADDRESS = re.compile(r"\b([a-z][a-z0-9+.-]*)://[^\s'\"<>]+", re.IGNORECASE)


def short_address(url: str) -> str:
    """Return scheme and host of an address: no user, password, path or query."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return url.split(":", 1)[0] + "://…"
    return f"{parts.scheme}://{host}{port}/…"


def without_secrets(text: str, *secrets: str) -> str:
    """Return a text in which addresses are shortened, and `secrets` are starred."""
    for secret in filter(None, secrets):
        text = text.replace(secret, short_address(secret) if "://" in secret else "***")
    return ADDRESS.sub(lambda match: short_address(match.group()), text)
