from __future__ import annotations

import runpy
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from dgmix.errors import InputError
from dgmix.watch.conditions import Condition, ConditionSettings
from dgmix.watch.example import EXAMPLE
from dgmix.watch.settings import WatchSettings, load_settings, parse_settings

Make = Callable[..., WatchSettings]


def written(folder: Path, text: str) -> Path:
    path = folder / "watch.yaml"
    path.write_text(text)
    return path


def test_the_example_is_valid_and_its_paths_are_seen_from_its_folder(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, EXAMPLE))
    (machine,) = settings.machines
    assert machine.detector == tmp_path / "pump.dgmix"
    assert machine.source.path == tmp_path / "recordings"  # type: ignore[union-attr]


def test_every_line_of_the_example_that_is_commented_out_is_valid_too(tmp_path: Path) -> None:
    lines = [line for line in EXAMPLE.splitlines() if not line.startswith("# dgmix")]
    text = "\n".join(lines[3:])
    for name in ("mqtt", "webhooks", "apprise"):
        part = text[text.index(f"# {name}:") :].split("\n\n")[0]
        uncommented = "\n".join(line[2:] for line in part.splitlines())
        values = yaml.safe_load(EXAMPLE) | yaml.safe_load(uncommented)
        assert parse_settings(values, name)
    for line in EXAMPLE.splitlines():
        if line.strip().startswith("# source:"):
            values = yaml.safe_load(EXAMPLE)
            values["machines"][0] |= yaml.safe_load(line.strip()[2:].split("  #")[0])
            assert parse_settings(values, line)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pge": {}}, "pge: unknown setting"),
        ({"machines": []}, "machines: "),
        ({"page": {"host": "0.0.0.0"}}, "page: host: 0.0.0.0 can be reached"),
        ({"site": "a/b"}, "site: use letters"),
        (
            {"webhooks": [{"url": "http://a"}, {"url": "http://b"}]},
            "two webhook or apprise entries are called webhook",
        ),
    ],
)
def test_what_is_wrong_is_named(
    make_settings: Make, change: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        make_settings(**change)


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        ({"name": "../pump"}, "machines.0.name: use letters"),
        ({"source": {"type": "tape"}}, "machines.0.source: "),
        ({"source": {"type": "stream", "url": "file:///etc/passwd"}}, "begins with rtsp://"),
        ({"rule": {"windows": 3, "of": 2}}, "of: 2 is less than windows: 3"),
        ({"condition": {"fixed": "a", "http": True}}, "choose one of"),
        ({"condition": {"time_zone": "Mars/Base"}}, "no time zone is called Mars/Base"),
    ],
)
def test_what_is_wrong_with_a_machine_is_named(
    make_settings: Make, machine: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        make_settings(machine)


def test_environment_variables_replace_what_the_file_says(
    make_settings: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DGMIX_WATCH_PAGE__PORT", "9000")
    monkeypatch.setenv("DGMIX_WATCH_PAGE__PASSWORD", "secret")
    settings = make_settings(page={"port": 8000, "host": "0.0.0.0"})
    assert settings.page.port == 9000
    assert settings.page.host == "0.0.0.0"
    assert "secret" not in repr(settings)


def test_an_environment_variable_that_is_no_list_is_explained(
    make_settings: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DGMIX_WATCH_PLUGINS", '["mine.py"]')
    assert make_settings().plugins == [tmp_path / "mine.py"]
    monkeypatch.setenv("DGMIX_WATCH_PLUGINS", "mine.py")
    with pytest.raises(InputError, match=r'"plugins".*written as JSON'):
        make_settings()


def test_two_machines_cannot_have_one_name(make_settings: Make) -> None:
    values = make_settings().model_dump(mode="json")
    with pytest.raises(InputError, match="two machine entries are called pump"):
        parse_settings({"machines": values["machines"] * 2}, "test")


@pytest.mark.parametrize("text", ["- a", "a: [", "\x00"])
def test_a_file_that_holds_no_settings_is_explained(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"watch\.yaml: "):
        load_settings(written(tmp_path, text))


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--example"):
        load_settings(tmp_path / "none.yaml")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_conditions_by_time_table_in_its_time_zone() -> None:
    table = [
        {"name": "night", "from": "22:00", "to": "06:00", "days": ["mon"]},
        {"name": "day", "from": "06:00", "to": "22:00"},
    ]
    condition = Condition(
        ConditionSettings.model_validate({"timetable": table, "time_zone": "Europe/Zurich"})
    )
    assert condition.at(at("2026-07-06T05:00")) == "day"  # 07:00 in Zurich, a Monday
    assert condition.at(at("2026-07-06T21:00")) == "night"
    assert condition.at(at("2026-07-07T02:00")) == "night"
    assert condition.at(at("2026-07-07T21:00")) is None


def test_conditions_that_are_sent_expire() -> None:
    condition = Condition(ConditionSettings(http=True, expires=60))
    assert condition.at(0) is None
    condition.set(" fast ", 100)
    assert condition.at(150) == "fast"
    assert condition.at(161) is None
    condition.set("", 200)
    assert condition.at(201) is None


def test_the_state_folder_is_one_and_the_services_where_it_is_a_service(
    make_settings: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert make_settings().state_folder == tmp_path / "state"
    without = make_settings(state=None)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    assert without.state_folder == tmp_path / "home" / "dgmix" / "watch" / "dgmix"
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/dgmix")
    assert without.state_folder == Path("/var/lib/dgmix")
    assert make_settings().state_folder == tmp_path / "state"


def test_every_setting_is_in_the_reference() -> None:
    docs = Path(__file__).parents[2] / "docs"
    script = runpy.run_path(str(docs / "watch_settings.py"))
    page, parts = script["page"], script["PARTS"].values()
    missing = models(WatchSettings) - set(parts)
    assert missing == set(), "give each a section in PARTS of docs/watch_settings.py"
    renew = "run python docs/watch_settings.py > docs/watch-settings.md"
    assert (docs / "watch-settings.md").read_text() == page() + "\n", renew


def models(model: type[BaseModel]) -> set[type[BaseModel]]:
    """Return a model of settings and all that its fields hold."""
    inner = {each for field in model.model_fields.values() for each in classes(field.annotation)}
    return {model}.union(*map(models, inner))


def classes(annotation: Any) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return set().union(*map(classes, get_args(annotation)))
