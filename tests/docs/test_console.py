"""The engineer's page: its commands exist, and its script pastes what they really print."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from dgmix.cli import main

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "own-recordings.md"


@pytest.fixture(scope="module")
def script(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(DOCS / "own_recordings.py")


def test_output_replaces_what_was_there_and_words_stay(script: ModuleType, tmp_path: Path) -> None:
    page = (
        "Before.\n\n```console\n$ echo one\nold\nolder\n$ echo two > file; cat file\n```\n\n"
        "Between.\n\n```python\n# say.py\nprint('three')\n```\n\n```console\n$ python say.py\n```\n"
        "\n```python\nuntouched()\n```\n"
    )
    expected = page.replace("old\nolder\n", "one\n").replace("cat file\n", "cat file\ntwo\n")
    expected = expected.replace("$ python say.py\n", "$ python say.py\nthree\n")
    assert script.refreshed(page, tmp_path) == expected
    assert script.refreshed(expected, tmp_path) == expected


def test_errors_stand_where_a_terminal_shows_them_and_progress_nowhere(
    script: ModuleType, tmp_path: Path
) -> None:
    page = (
        "```console\n$ echo first; dgmix score none.dgmix a.wav || echo status $?\n"
        "$ python say.py; echo 3/4\n```\n"
    )
    (tmp_path / "say.py").write_text(
        "from dgmix.progress import progress\n"
        "with progress('learning: pretrain', 2) as advance:\n    advance(2, 'loss 3')\n"
    )
    assert script.refreshed(page, tmp_path).splitlines()[2:-1] == [
        "first",
        "dgmix: none.dgmix: there is no such detector file; `dgmix fit` makes one",
        "status 2",
        "$ python say.py; echo 3/4",
        "3/4",
    ]


@pytest.mark.parametrize("command", ["false", "false | cat"])
def test_a_command_that_fails_stops_and_leaves_the_page(
    command: str, script: ModuleType, tmp_path: Path
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"```console\n$ echo new\nold\n$ {command}\n```\n")
    before = page.read_bytes()
    with pytest.raises(subprocess.CalledProcessError):
        script.main(tmp_path, [page])
    assert page.read_bytes() == before


def test_the_flights_are_there_by_their_name(script: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "flights").mkdir()
    (tmp_path / "flights" / "one.txt").touch()
    page = tmp_path / "page.md"
    page.write_text("```console\n$ ls uav_propeller\n```\n")
    script.main(tmp_path / "flights", [page])
    assert page.read_text() == "```console\n$ ls uav_propeller\none.txt\n```\n"


def commands() -> list[list[str]]:
    """Return the words of each dgmix command of the page."""
    lines = re.findall(r"^\$ (dgmix [^|<\n]*)", PAGE.read_text("utf-8"), re.MULTILINE)
    return [shlex.split(line)[1:] for line in lines]


@pytest.mark.parametrize("name", sorted({words[0] for words in commands()}))
def test_every_command_and_option_of_the_page_exists(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["dgmix", name, "--help"])
    with pytest.raises(SystemExit):
        main()
    told = capsys.readouterr().out
    for words in commands():
        if words[0] == name:
            for option in words:
                if option.startswith("-") and option != "-":
                    assert re.search(rf"{option}\b", told), (name, option)


def test_every_command_of_the_page_has_its_output_pasted() -> None:
    blocks = re.findall(r"^```console\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    assert len(blocks) > 10
    for block in blocks:
        assert not block.rstrip("\n").rpartition("\n")[2].startswith("$ "), block


def test_links_of_the_page_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)", PAGE.read_text("utf-8")):
        assert (DOCS / target).exists(), target
