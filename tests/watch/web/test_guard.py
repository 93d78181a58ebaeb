from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from page_parts import CALM, ODD, Served, serving
from watch_parts import TurnedClock

from dgmix.errors import InputError
from dgmix.watch.settings import PageSettings, WatchSettings
from dgmix.watch.web.guard import Keys, token_of
from dgmix.watch.web.server import PageServer

Make = Callable[..., WatchSettings]
PATHS = [
    "",
    "machine/pump",
    "event/x",
    "metrics",
    "static/watch.js",
    "static/report.css",
    "nothing",
    "api/v1/machines",
    "api/v1/events",
    "api/v1/stream",
    "api/v1/health",
    "api/v1/openapi.json",
    "api/v1/clips/1/sound.flac",
    "api/v1/machines/pump/spectrogram",
]


@pytest.mark.parametrize("path", PATHS)
def test_without_the_right_token_everything_is_refused(served: Served, path: str) -> None:
    for token in ("", "wrong", served.token[:-1], served.token + "x"):
        answer = served.ask("GET", path, token)
        assert answer.status_code == 401, (path, token)
        assert "pump" not in answer.text
    url = served.page.url + path
    name = next(iter(cookies_of(served)))
    answer = requests.get(url, cookies={name: "0" * 64}, timeout=30)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "api/v1/events/x/label"),
        ("DELETE", "api/v1/events/x/label"),
        ("PUT", "api/v1/machines/pump/condition"),
        ("PUT", "api/v1/clips/1/pinned"),
        ("POST", "event/x/label"),
        ("POST", "logout"),
    ],
)
def test_nobody_changes_anything_without_the_token(served: Served, method: str, path: str) -> None:
    answer = served.ask(method, path, "", headers={"Origin": served.page.url.rstrip("/")})
    assert answer.status_code == 401


def test_the_token_is_readable_for_its_owner_only_and_stays(tmp_path: Path) -> None:
    token = token_of(tmp_path)
    path = tmp_path / "token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    assert token_of(tmp_path) == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_logging_in_gives_a_cookie_that_survives_a_restart(
    make_settings: Make, clock: TurnedClock
) -> None:
    settings = make_settings(page={"port": 0})
    with serving(settings, clock) as served:
        answer = served.ask("POST", "login", "", data={"key": served.token}, headers=same(served))
        assert answer.status_code == 303
        cookies = answer.cookies.get_dict()
        text = answer.headers["set-cookie"].lower()
        assert "httponly" in text
        assert "samesite=strict" in text
    with serving(settings, clock) as served:
        answer = requests.get(served.page.url, cookies=cookies, timeout=30)
        assert answer.status_code == 200


def same(served: Served) -> dict[str, str]:
    return {"Origin": served.page.url.rstrip("/")}


def test_too_many_wrong_tries_have_to_wait_and_then_may_come_in(
    served: Served, clock: TurnedClock
) -> None:
    def login(key: str) -> int:
        return served.ask("POST", "login", "", data={"key": key}, headers=same(served)).status_code

    assert [login("wrong") for _ in range(12)] == [401] * 10 + [429] * 2
    assert login(served.token) == 429
    clock.turn(61)
    assert login(served.token) == 303


def test_wrong_tries_of_one_do_not_lock_out_or_free_another(clock: TurnedClock) -> None:
    keys = Keys("token", PageSettings(), clock)
    for _ in range(10):
        keys.failed("a")
    keys.failed("b")
    assert keys.blocked("a")
    assert not keys.blocked("b")
    assert keys.blocked("a")


def test_a_password_lets_in_too_where_one_is_set(make_settings: Make, clock: TurnedClock) -> None:
    with serving(make_settings(page={"port": 0, "password": "correct horse"}), clock) as served:
        assert served.ask("GET", "api/v1/machines", "correct horse").status_code == 200
        assert served.ask("GET", "api/v1/machines", "correct").status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {},
    ],
)
def test_a_foreign_origin_cannot_label(served: Served, headers: dict[str, str]) -> None:
    served.feed(ODD, ODD, ODD)
    event = served.event()["id"]
    answer = requests.post(
        f"{served.page.url}event/{event}/label",
        data={"verdict": "fault", "who": "evil"},
        headers=headers,
        cookies=cookies_of(served),
        timeout=30,
    )
    assert answer.status_code == 403
    assert served.event()["label"] is None


def cookies_of(served: Served) -> dict[str, str]:
    answer = served.ask("POST", "login", "", data={"key": served.token}, headers=same(served))
    return dict(answer.cookies)


def test_another_host_name_is_refused(served: Served) -> None:
    answer = served.ask("GET", "api/v1/machines", headers={"Host": "evil.example"})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "static/../watch.db",
        "static/..%2f..%2fwatch.db",
        "static/%2e%2e/%2e%2e/etc/passwd",
        "api/v1/clips/..%2f..%2ftoken/sound.flac",
        "api/v1/clips/-1/sound.flac",
        "api/v1/clips/99/sound.flac",
    ],
)
def test_no_path_leads_out(served: Served, path: str) -> None:
    import http.client

    host = served.page.url.split("/")[2]
    connection = http.client.HTTPConnection(host, timeout=30)
    connection.request("GET", f"/{path}", headers={"Authorization": f"Bearer {served.token}"})
    answer = connection.getresponse()
    assert answer.status == 404
    assert served.token.encode() not in answer.read()
    connection.close()


def test_names_from_outside_run_no_script(served: Served) -> None:
    served.feed(CALM, ODD, ODD, ODD)
    machine = served.watch.machines["pump"]
    machine.observe("lost", "<img src=x onerror=alert(1)>")
    served.watch.store.flush()
    for path in ("", "machine/pump", f"event/{served.event()['id']}"):
        answer = served.ask("GET", path)
        assert answer.status_code == 200, path
        assert "<script>alert" not in answer.text
        assert "<img src=x" not in answer.text
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


def test_a_port_that_is_taken_is_explained(served: Served) -> None:
    port = int(served.page.url.rstrip("/").rsplit(":", 1)[1])
    served.watch.settings = served.watch.settings.model_copy(
        update={"page": served.watch.settings.page.model_copy(update={"port": port})}
    )
    with pytest.raises(InputError, match=f"page.port {port} at 127.0.0.1: "):
        PageServer(served.watch)
