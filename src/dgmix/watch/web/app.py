"""The application: pages, API and stream behind the guard."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dgmix.errors import DgmixError, InputError
from dgmix.watch.web.api import PREFIX, Api, NotFoundError
from dgmix.watch.web.guard import Guard, Keys, token_of
from dgmix.watch.web.live import stream
from dgmix.watch.web.pages import Pages

if TYPE_CHECKING:
    from dgmix.watch.service import Watch

log = logging.getLogger("dgmix.watch.web")


def create_app(watch: Watch, stop: asyncio.Event | None = None) -> ASGIApp:
    """Return the application of a watch; once `stop` is set, its streams end."""
    keys = Keys(token_of(watch.store.folder), watch.settings.page, watch.clock)
    pages, api = Pages(watch, keys), Api(watch)
    ending = stop or asyncio.Event()

    async def live(request: Request) -> Response:
        return stream(request, watch.hub, ending)

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        wants_page = not scope["path"].startswith((PREFIX, "/metrics", "/static"))
        answer: Response = pages.login_page()
        if not wants_page or scope["method"] != "GET":
            answer = JSONResponse({"error": "the token is missing or wrong"}, 401)
        await answer(scope, receive, send)

    app = Starlette(
        routes=[Route(f"{PREFIX}/stream", live), *api.routes(), *pages.routes()],
        exception_handlers={DgmixError: _explained, 404: _nothing},
    )
    return Guard(app, keys, watch.settings.page, refuse)


async def _explained(_: Request, error: Exception) -> Response:
    if isinstance(error, NotFoundError):
        return JSONResponse({"error": str(error)}, 404)
    if isinstance(error, InputError):
        missing = "there is none" in str(error)
        return JSONResponse({"error": str(error)}, 404 if missing else 400)
    log.warning("%s", error)
    return JSONResponse({"error": str(error)}, 503)


async def _nothing(_: Request, __: Exception) -> Response:
    return JSONResponse({"error": "there is nothing here"}, 404)
