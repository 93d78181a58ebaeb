"""Server-sent events: what machines do, as it happens."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import StreamingResponse

from dgmix.watch.hub import Hub, Update

KEEP_ALIVE_SECONDS = 15.0
LOOK_SECONDS = 0.5
MOST_WAITING = 200
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def stream(request: Request, hub: Hub, stop: asyncio.Event) -> StreamingResponse:
    """Return the stream of a hub's updates, JSON each, with comments while nothing happens.

    A client that does not keep up loses the oldest updates.
    """
    return StreamingResponse(
        _events(request, hub, stop), media_type="text/event-stream", headers=HEADERS
    )


async def _events(request: Request, hub: Hub, stop: asyncio.Event) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[Update] = asyncio.Queue(MOST_WAITING)

    def put(update: Update) -> None:
        if waiting.full():
            waiting.get_nowait()
        waiting.put_nowait(update)

    def on_update(update: Update) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(put, update)

    end, still = hub.listen(on_update), 0.0
    try:
        yield "retry: 2000\n: connected\n\n"
        while not stop.is_set() and not await request.is_disconnected():
            try:
                update = await asyncio.wait_for(waiting.get(), LOOK_SECONDS)
            except TimeoutError:
                still += LOOK_SECONDS
                if still >= KEEP_ALIVE_SECONDS:
                    still = 0.0
                    yield ": nothing new\n\n"
            else:
                still = 0.0
                yield f"data: {json.dumps(finite(update))}\n\n"
    finally:
        end()


def finite(value: Any) -> Any:
    """Return plain values with null for numbers that JSON has not."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    return [finite(each) for each in value] if isinstance(value, list | tuple) else value
