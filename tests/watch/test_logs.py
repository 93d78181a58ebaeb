from __future__ import annotations

import json
import logging

import pytest

from dgmix.watch.logs import JsonLines, Limit, Lines, set_up
from dgmix.watch.redaction import short_address, without_secrets


def record(text: str, at: float = 0.0) -> logging.LogRecord:
    made = logging.LogRecord("dgmix.watch", logging.WARNING, "", 0, text, (), None)
    made.created = at
    return made


def test_the_same_line_comes_once_a_minute_with_a_count() -> None:
    limit = Limit()
    through = []
    for second in range(200):
        each = record("the broker is away", second)
        if limit.filter(each):
            through.append((second, each.getMessage()))
    assert through == [
        (0, "the broker is away"),
        (60, "the broker is away (59 times more since)"),
        (120, "the broker is away (59 times more since)"),
        (180, "the broker is away (59 times more since)"),
    ]
    assert limit.filter(record("another", 181))


def test_lines_have_no_secrets() -> None:
    text = "cannot open rtsp://me:p%40ss@camera:554/live?key=1 (tried twice)"
    assert "p%40ss" not in Lines().format(record(text))
    values = json.loads(JsonLines().format(record(text)))
    assert values["text"] == "cannot open rtsp://camera:554/… (tried twice)"
    assert values["level"] == "warning"


@pytest.mark.parametrize(
    "address",
    ["rtsp://u:s%23ecret@host/path", "http://host/secret", "mailtos://u:secret@host?to=secret"],
)
def test_an_address_is_scheme_and_host(address: str) -> None:
    assert short_address(address).endswith("://host/…")
    assert "ecret" not in without_secrets(f"see {address}!")


def test_a_password_that_breaks_an_address_is_still_hidden() -> None:
    url = "rtsp://user:pa/ss@wo]rd@host/stream"
    assert "ss@wo" not in without_secrets(f"{url}: 401", url)


def test_the_log_goes_to_standard_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    level = root.level
    set_up(as_json=True)
    logging.getLogger("dgmix.watch.x").info("ready")
    root.setLevel(level)
    logging.getLogger("dgmix").setLevel(logging.NOTSET)
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err)["text"] == "ready"
