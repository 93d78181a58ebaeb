from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import requests
from page_parts import CALM, ODD, Served


def test_machines_tell_state_judgement_and_coverage(served: Served) -> None:
    served.watch.machines["pump"].observe("listening", "")
    served.feed(*[CALM] * 30)
    (machine,) = served.ask("GET", "api/v1/machines").json()
    assert machine["state"] == "normal"
    assert machine["p_value"] == pytest.approx(CALM)
    assert machine["covered_hour"] == pytest.approx(0.5)
    assert machine["age"] == pytest.approx(0, abs=1)
    served.feed(ODD, ODD, ODD)
    machine = served.ask("GET", "api/v1/machines/pump").json()
    assert machine["state"] == "anomaly"
    assert [event["kind"] for event in machine["events"]] == ["anomaly"]
    assert machine["sources"][0]["state"] == "listening"


def test_history_adds_up(served: Served) -> None:
    served.feed(*[CALM] * 40, ODD, ODD, ODD)
    for stretch, parts in (("24h", 96), ("30d", 120)):
        past = served.ask("GET", "api/v1/machines/pump/history", params={"stretch": stretch}).json()
        assert len(past["parts"]) == parts
        assert sum(part["covered"] for part in past["parts"]) == pytest.approx(43)
        assert min(part["p_value"] for part in past["parts"] if "p_value" in part) == (
            pytest.approx(ODD)
        )
        assert len(past["events"]) == 1
    answer = served.ask("GET", "api/v1/machines/pump/history", params={"stretch": "1y"})
    assert (answer.status_code, answer.json()["error"]) == (
        400,
        "stretch 1y: choose 24h or 30d",
    )


def test_labelling_by_the_api_updates_the_detector_and_undoing_takes_it_back(
    served: Served,
) -> None:
    served.feed(CALM, ODD, ODD, ODD)
    event = served.event()["id"]
    body = {"verdict": "healthy", "condition": "1500rpm", "who": "Ada"}
    answer = served.ask("PUT", f"api/v1/events/{event}/label", json=body).json()
    assert (answer["label"], answer["label_condition"], answer["who"]) == (
        "healthy",
        "1500rpm",
        "Ada",
    )
    ((clip, condition),) = served.learned[0]
    assert clip.endswith(".flac")
    assert condition == "1500rpm"
    answer = served.ask("DELETE", f"api/v1/events/{event}/label", params={"who": "Ada"}).json()
    assert answer["label"] is None
    assert len(served.learned) == 1  # the detector of the settings judges again: none was made
    served.ask("PUT", f"api/v1/events/{event}/label", json=body)
    assert len(served.learned) == 1  # made of the same: its file is still there


def test_a_fault_teaches_nothing(served: Served) -> None:
    served.feed(CALM, ODD, ODD, ODD)
    body = {"verdict": "fault", "who": "Ada"}
    served.ask("PUT", f"api/v1/events/{served.event()['id']}/label", json=body)
    assert served.event()["label"] == "fault"
    assert served.learned == []


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("api/v1/events/none/label", {"verdict": "fault"}, 404),
        ("api/v1/events/none/label", {"verdict": "odd"}, 400),
        ("api/v1/machines/none/condition", {}, 404),
        ("api/v1/events/none/label", [1], 400),
    ],
)
def test_what_cannot_be_done_is_explained(
    served: Served, path: str, body: Any, status: int
) -> None:
    answer = served.ask("PUT", path, json=body)
    assert answer.status_code == status
    assert answer.json()["error"]


@pytest.mark.parametrize("most", ["0", "-1", "x", "100000"])
def test_numbers_out_of_range_are_refused(served: Served, most: str) -> None:
    assert served.ask("GET", "api/v1/events", params={"most": most}).status_code == 400


def test_the_condition_by_a_call(served: Served) -> None:
    assert served.ask("PUT", "api/v1/machines/pump/condition", json={"condition": "1500rpm"}).ok
    served.feed(CALM)
    (window,) = served.ask("GET", "api/v1/machines/pump/windows").json()
    assert window["condition"] == "1500rpm"


def test_the_sound_of_an_event_in_parts_and_pinned(served: Served) -> None:
    served.feed(CALM, ODD, ODD, ODD)
    clip = served.event()["clip"]
    whole = served.ask("GET", f"api/v1/clips/{clip}/sound.flac")
    assert whole.headers["content-type"] == "audio/flac"
    assert whole.content[:4] == b"fLaC"
    headers = {"Range": "bytes=2-5", "Accept-Encoding": "gzip"}
    part = served.ask("GET", f"api/v1/clips/{clip}/sound.flac", headers=headers)
    assert (part.status_code, part.content) == (206, whole.content[2:6])
    assert "content-encoding" not in part.headers
    assert served.ask("PUT", f"api/v1/clips/{clip}/pinned").json()["pinned"] is True
    assert served.ask("PUT", "api/v1/clips/999/pinned").status_code == 404


def test_metrics_as_prometheus_reads_them(served: Served) -> None:
    from prometheus_client.parser import text_string_to_metric_families as families

    served.watch.machines["pump"].observe("listening", "")
    served.feed(CALM, ODD, ODD, ODD)
    page = (Path(__file__).parents[3] / "docs" / "watching.md").read_text("utf-8")
    answer = list(families(served.ask("GET", "metrics").text))
    metrics = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in answer
        for sample in family.samples
    }
    names = [family.name for family in answer]
    missing = [name for name in names if not re.search(rf"`{name}(_total)?\W", page)]
    assert missing == [], "describe these in docs/watching.md, Prometheus and Grafana"
    assert metrics["dgmix_p_value", (("machine", "pump"),)] == pytest.approx(ODD)
    assert metrics["dgmix_event", (("kind", "anomaly"), ("machine", "pump"))] == 1
    assert metrics["dgmix_source", (("machine", "pump"), ("state", "listening"))] == 1
    assert metrics["dgmix_watch_backlog", ()] == 0


def test_every_route_is_described(served: Served) -> None:
    described = served.ask("GET", "api/v1/openapi.json").json()
    assert described["openapi"].startswith("3.")
    for path, methods in described["paths"].items():
        for about in methods.values():
            assert about["summary"], path
    assert "/api/v1/events/{event}/label" in described["paths"]


def test_updates_arrive_as_they_happen_and_proxies_let_them_through(served: Served) -> None:
    with requests.get(
        f"{served.page.url}api/v1/stream",
        headers={"Authorization": f"Bearer {served.token}"},
        stream=True,
        timeout=30,
    ) as answer:
        assert answer.headers["x-accel-buffering"] == "no"
        lines = answer.iter_lines()
        assert next(lines).startswith(b"retry")
        assert next(lines) == b": connected"
        served.feed(CALM)
        line = next(line for line in lines if line.startswith(b"data: "))
    update = json.loads(line.removeprefix(b"data: "))
    assert update["machine"] == "pump"
    assert update["p_value"] == pytest.approx(CALM)


def test_health_tells_of_the_store_and_the_sinks(served: Served) -> None:
    health = served.ask("GET", "api/v1/health").json()
    assert health["backlog"] == 0
    assert health["store_problem"] == ""
    assert health["bytes_used"] > 0
