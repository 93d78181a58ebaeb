from __future__ import annotations

from collections.abc import Callable

import pytest
import requests
from page_parts import CALM, ODD, Served, serving
from watch_parts import TurnedClock

from dgmix.watch.settings import WatchSettings
from dgmix.watch.store import rows

Make = Callable[..., WatchSettings]


def text_of(served: Served, path: str) -> str:
    answer = served.ask("GET", path)
    assert answer.status_code == 200
    return answer.text


def test_all_machines_at_a_glance(served: Served) -> None:
    served.watch.machines["pump"].observe("listening", "")
    served.feed(*[CALM] * 5)
    text = text_of(served, "")
    assert 'data-state="normal"' in text
    assert "0 of 60 min" in text
    assert "Nobody gets messages" in text
    served.feed(ODD, ODD, ODD)
    assert 'data-state="anomaly"' in text_of(served, "")


def test_notices_and_sinks_that_fail_are_shown(make_settings: Make, clock: TurnedClock) -> None:
    settings = make_settings(
        page={"port": 0}, webhooks=[{"name": "plant", "url": "http://127.0.0.1:9/secret"}]
    )
    with serving(settings, clock) as served:
        served.watch.store.write_now(lambda to: rows.notice(to, 0.0, "the database was damaged"))
        served.feed(ODD, ODD, ODD)
        served.watch.deliveries[0].step()
        text = text_of(served, "")
        assert "the database was damaged" in text
        assert "ConnectionError at http://127.0.0.1:9/…" in text
        assert "secret" not in text


def test_times_are_those_of_the_page_s_zone_and_utc_in_the_store(
    make_settings: Make, clock: TurnedClock
) -> None:
    settings = make_settings(page={"port": 0, "time_zone": "Asia/Kolkata"})
    with serving(settings, clock) as served:
        served.feed(ODD, ODD, ODD)
        assert "21 Sep 2026, 19:43:23 IST" in text_of(served, "machine/pump")
        assert served.event()["raised"] == 1_790_000_003.0


def test_an_event_is_labelled_by_its_form_without_a_script(served: Served) -> None:
    served.feed(CALM, ODD, ODD, ODD)
    event = served.event()["id"]
    headers = {"Origin": served.page.url.rstrip("/")}
    form = {"verdict": "healthy", "who": "<b>Ada</b>", "condition": ""}
    answer = served.ask("POST", f"event/{event}/label", data=form, headers=headers)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/event/{event}#label")
    text = text_of(served, f"event/{event}")
    assert "&lt;b&gt;Ada&lt;/b&gt;" in text
    assert "Take it back" in text
    answer = served.ask("POST", f"event/{event}/label", data={"verdict": "undo"}, headers=headers)
    assert served.event()["label"] is None
    bad = served.ask("POST", f"event/{event}/label", data={"verdict": "odd"}, headers=headers)
    assert bad.status_code == 400


def test_both_stretches_of_history_are_drawn(served: Served) -> None:
    served.feed(*[CALM] * 5, ODD, ODD, ODD)
    for stretch in ("24h", "30d"):
        text = text_of(served, f"machine/pump?stretch={stretch}")
        assert 'class="chart history"' in text
        assert 'class="eventmark"' in text
        assert 'class="cover"' in text


@pytest.mark.parametrize("path", ["machine/none", "event/none"])
def test_what_there_is_not_is_said(served: Served, path: str) -> None:
    answer = served.ask("GET", path)
    assert answer.status_code == 404
    assert "There is no" in answer.text


def test_the_login_page_says_where_the_token_is(served: Served) -> None:
    answer = requests.get(served.page.url, timeout=30)
    assert answer.status_code == 401
    assert "token" in answer.text
    assert "script" not in answer.text


def test_logging_out(served: Served) -> None:
    headers = {"Origin": served.page.url.rstrip("/")}
    answer = served.ask("POST", "login", "", data={"key": served.token}, headers=headers)
    cookies = answer.cookies.get_dict()
    url = served.page.url
    assert requests.get(url, cookies=cookies, timeout=30).status_code == 200
    answer = requests.post(
        f"{url}logout", cookies=cookies, headers=headers, timeout=30, allow_redirects=False
    )
    assert "Max-Age=0" in answer.headers["set-cookie"]
