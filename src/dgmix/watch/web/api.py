"""The JSON API, version 1, and its OpenAPI description."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from dgmix.errors import InputError
from dgmix.version import __version__
from dgmix.watch.sinks.metrics import metrics_text
from dgmix.watch.store import queries
from dgmix.watch.views import STRETCHES, history, overview
from dgmix.watch.web.live import finite

if TYPE_CHECKING:
    from dgmix.watch.service import Watch

PREFIX = "/api/v1"
MOST_BODY = 10_000
Endpoint = Callable[[Request], Awaitable[Response]]


class NotFoundError(InputError):
    """There is nothing of that name."""


def reply(value: Any, status: int = 200) -> JSONResponse:
    """Return plain values as JSON."""
    return JSONResponse(finite(value), status)


class Api:
    """The endpoints, each a method; `routes` says which path each answers."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def routes(self) -> list[Route]:
        """Return the routes of the API."""
        table: list[tuple[str, str, Endpoint]] = [
            ("GET", "/machines", self.machines),
            ("GET", "/machines/{machine}", self.machine),
            ("GET", "/machines/{machine}/history", self.history),
            ("GET", "/machines/{machine}/windows", self.windows),
            ("GET", "/machines/{machine}/spectrogram", self.spectrogram),
            ("PUT", "/machines/{machine}/condition", self.condition),
            ("GET", "/events", self.events),
            ("GET", "/events/{event}", self.event),
            ("PUT", "/events/{event}/label", self.label),
            ("DELETE", "/events/{event}/label", self.undo),
            ("GET", "/clips/{clip:int}/sound.flac", self.clip),
            ("PUT", "/clips/{clip:int}/pinned", self.pin),
            ("DELETE", "/clips/{clip:int}/pinned", self.pin),
            ("GET", "/health", self.health),
            ("GET", "/openapi.json", self.openapi),
        ]
        routes = [
            Route(PREFIX + path, endpoint, methods=[method]) for method, path, endpoint in table
        ]
        return [*routes, Route("/metrics", self.metrics)]

    async def machines(self, _: Request) -> Response:
        """Return all machines: state, last judgement, coverage."""
        watch = self._watch
        return reply(
            await run_in_threadpool(
                lambda: [
                    overview(each.settings, watch.hub, watch.store)
                    for each in watch.machines.values()
                ]
            )
        )

    async def machine(self, request: Request) -> Response:
        """Return one machine."""
        machine = self._machine(request)
        values = await run_in_threadpool(
            overview, machine.settings, self._watch.hub, self._watch.store
        )
        sources = await run_in_threadpool(
            self._watch.store.read, queries.source_history, machine.settings.name
        )
        return reply({**values, "sources": sources})

    async def history(self, request: Request) -> Response:
        """Return coverage and events of the last 24 h or 30 d; `stretch` is 24h or 30d."""
        stretch = request.query_params.get("stretch", "24h")
        if stretch not in STRETCHES:
            raise InputError(f"stretch {stretch}: choose {' or '.join(STRETCHES)}")
        name = self._machine(request).settings.name
        return reply(await run_in_threadpool(history, name, self._watch.store, STRETCHES[stretch]))

    async def windows(self, request: Request) -> Response:
        """Return the last windows, `most` of them, 100 by default and 1000 at most."""
        most = _number(request, "most", 100, 1000)
        name = self._machine(request).settings.name
        return reply(
            await run_in_threadpool(self._watch.store.read, queries.last_windows, name, most)
        )

    async def spectrogram(self, request: Request) -> Response:
        """Return the last minute: levels (column, band), 0 to 255, a column a quarter second."""
        return reply(self._watch.hub.columns(self._machine(request).settings.name))

    async def condition(self, request: Request) -> Response:
        """Set the operating condition: {"condition": "1500rpm"}."""
        machine = self._machine(request).settings.name
        self._watch.set_condition(machine, str((await _body(request)).get("condition", "")))
        return reply({"machine": machine})

    async def events(self, request: Request) -> Response:
        """Return events, newest first; `machine` and `most` choose."""
        most = _number(request, "most", 100, 1000)
        machine = request.query_params.get("machine")
        return reply(
            await run_in_threadpool(self._watch.store.read, queries.events, machine, 0.0, most)
        )

    async def event(self, request: Request) -> Response:
        """Return one event."""
        result = await run_in_threadpool(
            self._watch.store.read, queries.event, request.path_params["event"]
        )
        if result is None:
            raise NotFoundError(f"event {request.path_params['event']}: there is none of that id")
        return reply(result)

    async def label(self, request: Request) -> Response:
        """Say of an event {"verdict": "healthy" or "fault", "condition": ..., "who": ...}."""
        body = await _body(request)
        result = await run_in_threadpool(
            self._watch.label,
            request.path_params["event"],
            str(body.get("verdict", "")),
            body.get("condition") and str(body["condition"]),
            str(body.get("who", "")),
        )
        return reply(result)

    async def undo(self, request: Request) -> Response:
        """Take back the labels of an event; `who` is the person."""
        who = request.query_params.get("who", "")
        return reply(await run_in_threadpool(self._watch.undo, request.path_params["event"], who))

    async def clip(self, request: Request) -> Response:
        """Return the sound of a clip as FLAC."""
        result = await run_in_threadpool(
            self._watch.store.read, queries.clip, request.path_params["clip"]
        )
        path = self._watch.clips.path(result["file"]) if result else None
        if path is None or not path.is_file():
            raise NotFoundError("this clip is not kept any more")
        return FileResponse(path, media_type="audio/flac")

    async def pin(self, request: Request) -> Response:
        """Keep a clip whatever the budget (PUT), or no longer (DELETE)."""
        number, pinned = request.path_params["clip"], request.method == "PUT"
        if not await run_in_threadpool(self._watch.clips.pin, number, pinned):
            raise NotFoundError("this clip is not kept any more")
        return reply({"clip": number, "pinned": pinned})

    async def health(self, _: Request) -> Response:
        """Return how the watch itself does, and its sinks."""
        values = await run_in_threadpool(self._watch.health)
        sinks = await run_in_threadpool(self._watch.store.read, queries.deliveries)
        notices = await run_in_threadpool(self._watch.store.read, queries.notices)
        return reply({**values, "sinks": sinks, "notices": notices})

    async def metrics(self, _: Request) -> Response:
        """Return the metrics in Prometheus' text format."""
        watch = self._watch
        health = await run_in_threadpool(watch.health)
        gauges = {
            name: float(value) for name, value in health.items() if isinstance(value, int | float)
        }
        text = await run_in_threadpool(
            metrics_text, list(watch.machines), watch.hub, watch.store, gauges
        )
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def openapi(self, _: Request) -> Response:
        """Return this description."""
        paths: dict[str, Any] = {}
        for route in self.routes():
            doc = (route.endpoint.__doc__ or "").strip()
            for method in sorted((route.methods or set()) - {"HEAD"}):
                names = sorted(route.param_convertors)
                paths.setdefault(route.path.replace(":int", ""), {})[method.lower()] = {
                    "summary": doc,
                    "parameters": [
                        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                        for name in names
                    ],
                    "responses": {"200": {"description": doc}, "401": {"description": "no token"}},
                }
        scheme = {"type": "http", "scheme": "bearer"}
        return reply(
            {
                "openapi": "3.1.0",
                "info": {"title": "dgmix watch", "version": __version__},
                "paths": paths,
                "components": {"securitySchemes": {"token": scheme}},
                "security": [{"token": []}],
            }
        )

    def _machine(self, request: Request) -> Any:
        name = request.path_params["machine"]
        if name not in self._watch.machines:
            raise NotFoundError(f"machine {name}: there is none of that name")
        return self._watch.machines[name]


def _number(request: Request, name: str, usual: int, most: int) -> int:
    text = request.query_params.get(name, str(usual))
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise InputError(f"{name}: choose a number from 1 to {most}")
    return int(text)


async def _body(request: Request) -> dict[str, Any]:
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > MOST_BODY:
            raise InputError("the request is too long")
    try:
        value = json.loads(bytes(data) or b"{}")
    except ValueError as error:
        raise InputError("the request is no JSON") from error
    if not isinstance(value, dict):
        raise InputError("the request is no JSON object")
    return value
