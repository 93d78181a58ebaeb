from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from pydantic import SecretStr

from dgmix.errors import InputError
from dgmix.watch.settings import AppriseSettings, WebhookSettings
from dgmix.watch.sinks.apprise import AppriseSink
from dgmix.watch.sinks.base import SinkError
from dgmix.watch.sinks.webhook import Webhook

BODY = {"id": "1.raise", "site": "s", "title": "Pump", "kind": "anomaly", "type": "raise",
        "text": "Pump sounds unlike its healthy recordings."}  # fmt: skip


class Receiver(HTTPServer):
    """Takes requests on loopback and answers with a status."""

    status = 204

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://user:secret@127.0.0.1:{self.server_port}/hook?key=secret"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((dict(self.headers), data))
        self.send_response(self.server.status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def webhook(receiver: Receiver) -> Webhook:
    return Webhook(WebhookSettings(url=SecretStr(receiver.url), secret=SecretStr("shared")))


def test_a_receiver_can_check_who_sent_it(receiver: Receiver) -> None:
    webhook(receiver).deliver(BODY)
    ((headers, data),) = receiver.requests
    assert json.loads(data) == BODY
    assert headers["X-Dgmix-Id"] == "1.raise"
    signed = headers["X-Dgmix-Timestamp"].encode() + b"." + data
    expected = hmac.new(b"shared", signed, hashlib.sha256).hexdigest()
    assert headers["X-Dgmix-Signature"] == f"sha256={expected}"


@pytest.mark.parametrize("status", [301, 404, 500])
def test_anything_but_acceptance_is_a_failure_without_secrets(
    receiver: Receiver, status: int
) -> None:
    receiver.status = status
    with pytest.raises(SinkError, match=f"status {status} from http://127.0.0.1") as raised:
        webhook(receiver).deliver(BODY)
    assert "secret" not in str(raised.value)
    assert len(receiver.requests) == 1


def test_nobody_there_is_a_failure_without_secrets(receiver: Receiver) -> None:
    hook = webhook(receiver)
    receiver.server_close()
    with pytest.raises(SinkError, match=r"ConnectionError at http://127\.0\.0\.1") as raised:
        hook.deliver(BODY)
    assert "secret" not in str(raised.value)


@pytest.mark.filterwarnings("ignore:'imghdr'")
def test_apprise_sends_title_and_text(receiver: Receiver) -> None:
    receiver.status = 200
    url = f"json://127.0.0.1:{receiver.server_port}/"
    AppriseSink(AppriseSettings(urls=[SecretStr(url)])).deliver(BODY)
    ((_, data),) = receiver.requests
    sent = json.loads(data)
    assert (sent["title"], sent["message"]) == ("Pump: anomaly raise", BODY["text"])
    receiver.status = 500
    with pytest.raises(SinkError):
        AppriseSink(AppriseSettings(urls=[SecretStr(url)])).deliver(BODY)


@pytest.mark.filterwarnings("ignore:'imghdr'")
def test_an_address_that_apprise_does_not_know() -> None:
    with pytest.raises(InputError, match="address 1 is none that Apprise knows"):
        AppriseSink(AppriseSettings(urls=[SecretStr("nothing://secret")]))
