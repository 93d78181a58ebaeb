"""The pages: all machines, one machine, one event."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from dgmix.errors import DgmixError, InputError
from dgmix.version import __version__
from dgmix.watch.charts import history_chart
from dgmix.watch.store import queries
from dgmix.watch.views import STRETCHES, history, overview
from dgmix.watch.web.guard import Keys

if TYPE_CHECKING:
    from dgmix.watch.service import Watch

FILES = {
    "report.css": ("dgmix.evaluate.report", "templates/style.css", "text/css"),
    "watch.css": ("dgmix.watch.web", "static/watch.css", "text/css"),
    "watch.js": ("dgmix.watch.web", "static/watch.js", "text/javascript"),
}
MARKS = {
    "normal": "●",
    "anomaly": "▲",
    "new condition": "◆",
    "wear": "◣",
    "unusable": "✕",
    "no sound": "■",
    "silent": "■",
    "lost": "■",
    "failed": "✕",
}
MOST_FORM = 4000
MONTH_COOKIE = 30 * 86_400
HEALTHY_CLIPS = 20
log = logging.getLogger("dgmix.watch.web")


class Pages:
    """The pages of a watch; what is compared for an event is kept, so that it is made once."""

    def __init__(self, watch: Watch, keys: Keys) -> None:
        self._watch, self._keys = watch, keys
        zone = watch.settings.page.time_zone
        self._zone = ZoneInfo(zone) if zone else None
        self._compared: dict[str, Any] = {}
        self._templates = Environment(
            loader=PackageLoader("dgmix.watch.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {"when": self._when, "ago": ago, "figures": figures}
        self._templates.globals |= {"marks": MARKS, "version": __version__}

    def routes(self) -> list[Route]:
        """Return the routes of the pages."""
        return [
            Route("/", self.all),
            Route("/machine/{machine}", self.machine),
            Route("/event/{event}", self.event),
            Route("/event/{event}/label", self.label, methods=["POST"]),
            Route("/static/{file}", static),
            Route("/login", self.login, methods=["POST"]),
            Route("/logout", self.logout, methods=["POST"]),
        ]

    async def all(self, _: Request) -> Response:
        """Show all machines at a glance."""
        watch = self._watch
        machines = await run_in_threadpool(
            lambda: [
                overview(each.settings, watch.hub, watch.store) for each in watch.machines.values()
            ]
        )
        return await self._page("overview", machines=machines, health=await self._health())

    async def machine(self, request: Request) -> Response:
        """Show one machine."""
        name = request.path_params["machine"]
        machine = self._watch.machines.get(name)
        if machine is None:
            return self.message(404, f"There is no machine {name}.")
        stretch = STRETCHES.get(request.query_params.get("stretch", ""), STRETCHES["24h"])
        store = self._watch.store
        shown = await run_in_threadpool(overview, machine.settings, self._watch.hub, store)
        past = await run_in_threadpool(history, name, store, stretch)
        sources = await run_in_threadpool(store.read, queries.source_history, name, 20)
        return await self._page(
            "machine",
            machine=shown,
            history=past,
            chart=history_chart(past, machine.judge.rate, self._zone),
            stretch=stretch,
            stretches=STRETCHES,
            sources=sources,
            detector=machine.judge.name,
            rule=machine.rule,
        )

    async def event(self, request: Request) -> Response:
        """Show one event, to hear and to label."""
        result = await run_in_threadpool(
            self._watch.store.read, queries.event, request.path_params["event"]
        )
        if result is None:
            return self.message(404, "There is no such event.")
        machine = self._watch.machines.get(result["machine"])
        title = machine.settings.shown if machine else result["machine"]
        compared = await run_in_threadpool(self._comparison, result)
        return await self._page("event", event=result, title=title, compared=compared)

    async def label(self, request: Request) -> Response:
        """Take what a person says of an event, from the form of its page."""
        event = request.path_params["event"]
        form = await _form(request)
        try:
            if form.get("verdict") == "undo":
                await run_in_threadpool(self._watch.undo, event, form.get("who", ""))
            else:
                await run_in_threadpool(
                    self._watch.label,
                    event,
                    form.get("verdict", ""),
                    form.get("condition"),
                    form.get("who", ""),
                )
        except InputError as error:
            return self.message(400, str(error))
        return RedirectResponse(f"/event/{event}#label", 303)

    async def login(self, request: Request) -> Response:
        """Give the cookie to whoever knows the token or the password."""
        client = request.client.host if request.client else ""
        if self._keys.blocked(client):
            return self.message(429, "Too many wrong tries; wait a minute.")
        if not self._keys.opens((await _form(request)).get("key", "")):
            self._keys.failed(client)
            return self.login_page("That is neither the token nor the password.")
        answer = RedirectResponse("/", 303)
        answer.set_cookie(
            self._keys.cookie_name,
            self._keys.cookie,
            max_age=MONTH_COOKIE,
            httponly=True,
            samesite="strict",
        )
        return answer

    async def logout(self, _: Request) -> Response:
        """Take the cookie away."""
        answer = RedirectResponse("/", 303)
        answer.delete_cookie(self._keys.cookie_name)
        return answer

    def login_page(self, problem: str = "") -> HTMLResponse:
        """Return the page that asks for the token, with status 401."""
        import secrets

        nonce = secrets.token_urlsafe(16)
        policy = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; img-src data:; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'"
        )
        text = self._templates.get_template("login.html.j2").render(problem=problem, nonce=nonce)
        headers = {"Content-Security-Policy": policy, "WWW-Authenticate": "Bearer"}
        return HTMLResponse(text, 401, headers)

    def message(self, status: int, text: str) -> HTMLResponse:
        """Return a page with one sentence."""
        page = self._templates.get_template("message.html.j2").render(text=text, site=self._site)
        return HTMLResponse(page, status)

    @property
    def _site(self) -> str:
        return self._watch.settings.site

    async def _page(self, name: str, **values: Any) -> HTMLResponse:
        template = self._templates.get_template(f"{name}.html.j2")
        values = {"site": self._site, "now": self._watch.clock.now(), **values}
        return HTMLResponse(await run_in_threadpool(template.render, values))

    async def _health(self) -> dict[str, Any]:
        store = self._watch.store
        values = await run_in_threadpool(self._watch.health)
        sinks = await run_in_threadpool(store.read, queries.deliveries)
        known = {each["sink"] for each in sinks}
        sinks += [
            {
                "sink": sink.name,
                "waiting": 0,
                "delivered": 0,
                "given_up": 0,
                "last": None,
                "error": None,
            }
            for sink in self._watch.sinks
            if sink.name not in known
        ]
        notices = await run_in_threadpool(store.read, queries.notices, 5)
        return {**values, "sinks": sinks, "notices": notices}

    def _comparison(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """Return what the listening report shows of an event's clip, beside the nearest healthy."""
        from dgmix.watch.judge import comparison

        machine = self._watch.machines.get(event["machine"])
        clip = self._watch.store.read(queries.clip, event["clip"]) if event["clip"] else None
        if machine is None or clip is None:
            return None
        if event["id"] not in self._compared:
            clips, store = self._watch.clips, self._watch.store
            rows = store.read(queries.healthy_clips, event["machine"], HEALTHY_CLIPS)
            healthy = [clips.path(row["file"]) for row in rows if row["event"] != event["id"]]
            present = [path for path in healthy if path.is_file()]
            try:
                result = comparison(machine.judge, clips.path(clip["file"]), present)
            except (DgmixError, OSError) as error:
                log.warning("event %s: nothing to compare: %s", event["id"], error)
                return None
            self._compared = {**self._compared, event["id"]: result}
        shown: dict[str, Any] | None = self._compared[event["id"]]
        return shown

    def _when(self, at: float | None) -> str:
        if at is None:
            return "–"
        moment = datetime.fromtimestamp(at, self._zone or UTC)
        return moment.strftime("%d %b %Y, %H:%M:%S ") + (moment.tzname() or "UTC")


async def static(request: Request) -> Response:
    """Return one of the files that pages refer to."""
    result = FILES.get(request.path_params["file"])
    if result is None:
        return Response("no such file", 404, media_type="text/plain")
    package, path, kind = result
    return Response(resources.files(package).joinpath(path).read_bytes(), media_type=kind)


def ago(seconds: float | None) -> str:
    """Return a duration as people say it."""
    if seconds is None:
        return "never"
    for size, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} s"


def figures(value: float | None) -> str:
    """Return a number in three figures, or a dash."""
    return "–" if value is None else f"{value:.3g}"


async def _form(request: Request) -> dict[str, str]:
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > MOST_FORM:
            return {}
    fields = parse_qs(data.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}
