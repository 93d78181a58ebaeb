"""The server of the page, in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from typing import TYPE_CHECKING

from dgmix.errors import InputError
from dgmix.files import write_text
from dgmix.watch.web.app import create_app

if TYPE_CHECKING:
    from dgmix.watch.service import Watch

ADDRESS_FILE = "address"
GRACE_SECONDS = 1
START_SECONDS = 30.0
log = logging.getLogger("dgmix.watch.web")


class PageServer:
    """Serves a watch's page; raises `InputError` where its port is taken.

    `url` is where. The file `address` in the state folder holds it, for `dgmix watch label`.
    """

    def __init__(self, watch: Watch) -> None:
        import uvicorn

        page = watch.settings.page
        family = socket.AF_INET6 if ":" in page.host else socket.AF_INET
        self._socket = socket.socket(family)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((page.host, page.port))
            self._socket.listen()
        except OSError as error:
            self._socket.close()
            raise InputError(
                f"page.port {page.port} at {page.host}: {error.strerror}; choose another"
            ) from error
        host = f"[{page.host}]" if ":" in page.host else page.host
        self.url = f"http://{host}:{self._socket.getsockname()[1]}/"
        self._address = watch.store.folder / ADDRESS_FILE
        write_text(self._address, self.url)
        self._ending: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watch = watch
        self._uvicorn = uvicorn
        self._server: uvicorn.Server | None = None
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)
        self._ready = threading.Event()

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()
        self._ready.wait(START_SECONDS)

    def stop(self) -> None:
        """End all streams and stop serving."""
        if self._loop is not None and self._ending is not None and self._server is not None:
            self._server.should_exit = True
            self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(timeout=GRACE_SECONDS + 2)
        self._socket.close()
        self._address.unlink(missing_ok=True)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        config = self._uvicorn.Config(
            create_app(self._watch, self._ending),
            lifespan="off",
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=GRACE_SECONDS,
            server_header=False,
            limit_concurrency=200,
        )
        self._server = self._uvicorn.Server(config)
        self._ready.set()
        await self._server.serve([self._socket])
