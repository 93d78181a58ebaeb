"""Who may come in: whoever knows the token or the password. One middleware, deny by default."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dgmix.files import explained
from dgmix.watch.clock import Clock
from dgmix.watch.settings import PageSettings

COOKIE = "dgmix_watch_"  # and a part of its own: cookies do not tell ports apart
TOKEN_FILE = "token"
SAFE = ("GET", "HEAD", "OPTIONS")
LOCAL = ("127.0.0.1", "localhost", "::1")
MOST_FAILURES, FAILURE_SECONDS = 10, 60.0
HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"x-frame-options": b"DENY",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


def token_of(folder: Path) -> str:
    """Return the token of a state folder; made at the first call; only its owner can read it."""
    path = folder / TOKEN_FILE
    with explained(path):
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            path.chmod(0o600)
            return path.read_text("ascii").strip()
        with os.fdopen(handle, "w", encoding="ascii") as file:
            token = secrets.token_urlsafe(32)
            file.write(token + "\n")
        return token


class Keys:
    """What opens the page: the token, the password, and the cookie that either gives."""

    def __init__(self, token: str, settings: PageSettings, clock: Clock) -> None:
        self._clock = clock
        password = settings.password and settings.password.get_secret_value()
        self._keys = [_digest(key) for key in (token, password) if key]
        self._failures: dict[str, list[float]] = {}
        secret = _digest(token) + _digest(str(password or ""))
        self.cookie_name = COOKIE + hashlib.sha256(secret).hexdigest()[:8]
        self.cookie = hmac.new(secret, b"session 1", hashlib.sha256).hexdigest()

    def opens(self, key: str) -> bool:
        """Say whether a token or password is right."""
        given = _digest(key)
        return sum(hmac.compare_digest(given, each) for each in self._keys) > 0

    def knows(self, cookie: str) -> bool:
        """Say whether a cookie is ours."""
        return hmac.compare_digest(cookie.encode(), self.cookie.encode())

    def blocked(self, client: str) -> bool:
        """Say whether a client has failed too often in the last minute."""
        now = self._clock.monotonic()
        recent = {
            each: [at for at in times if now - at < FAILURE_SECONDS]
            for each, times in self._failures.items()
        }
        self._failures = {each: times for each, times in recent.items() if times}
        return len(self._failures.get(client, [])) >= MOST_FAILURES

    def failed(self, client: str) -> None:
        """Count a failure of a client."""
        self._failures.setdefault(client, []).append(self._clock.monotonic())


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


class Guard:
    """Lets requests in, or answers them itself; adds the headers that browsers are to obey.

    A request needs the token as `Authorization: Bearer`, or the cookie. One that changes something
    has to come from this very origin. `refuse` answers a request that has no key.
    """

    def __init__(self, app: ASGIApp, keys: Keys, settings: PageSettings, refuse: ASGIApp) -> None:
        self._app, self._keys, self._refuse = app, keys, refuse
        self._hosts = {*LOCAL, settings.host, *settings.names}
        self._any_host = settings.host not in LOCAL and not settings.names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                more = [pair for pair in HEADERS.items() if pair[0] not in present]
                if b"content-security-policy" not in present:
                    more.append((b"content-security-policy", POLICY.encode()))
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        problem = self._problem(scope, headers)
        if problem:
            await _answer(send_with_headers, *problem)
        elif self._known(headers) or (scope["path"], scope["method"]) == ("/login", "POST"):
            await self._app(scope, receive, send_with_headers)
        else:
            await self._refuse(scope, receive, send_with_headers)

    def _problem(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        if not self._any_host and host not in self._hosts:
            return 400, f"host {host}: not served here; see page.names in the settings"
        if scope["method"] in SAFE:
            return None
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is not None:
            same = urlsplit(origin).netloc == headers.get("host")
        else:
            same = site in ("same-origin", "none") or "authorization" in headers
        return None if same else (403, "requests from another origin are refused")

    def _known(self, headers: Headers) -> bool:
        kind, _, key = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return self._keys.opens(key.strip())
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(self._keys.cookie_name)
        except CookieError:
            return False
        return morsel is not None and self._keys.knows(morsel.value)


async def _answer(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
