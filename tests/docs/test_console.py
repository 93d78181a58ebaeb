"""Commands in the documentation: a script runs them and pastes what they print."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.main import get_command

from dgmix.cli import GLOBAL, app

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [*sorted(DOCS.parent.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
COMMANDS = get_command(app)


@pytest.fixture(scope="module")
def script(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(DOCS / "console.py")


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


def test_setup_is_run_and_what_is_marked_is_not(script: ModuleType, tmp_path: Path) -> None:
    page = (
        "<!-- setup: echo hidden > file -->\n```console\n$ cat file\n```\n\n"
        "<!-- not run: fails -->\n```sh\nfalse\n```\n\n```sh\ncat file > other\n```\n"
    )
    assert script.refreshed(page, tmp_path) == page.replace("cat file\n`", "cat file\nhidden\n`")
    assert (tmp_path / "other").read_text() == "hidden\n"
    (tmp_path / "page.md").write_text(page)
    assert script.count(tmp_path / "page.md")[:2] == (2, 1)


@pytest.mark.parametrize(
    ("page", "first"),
    [
        ("```\ndgmix fit\n```", ["dgmix"]),
        ("Text:\n\n    $ dgmix fit\n", ["$ dgmix"]),
        ("```text\n$ dgmix fit\n```", []),
    ],
)
def test_commands_that_nothing_runs_are_seen(
    page: str, first: list[str], script: ModuleType
) -> None:
    assert script.unfenced(page) == first


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_was_run_or_says_why_not(page: Path, script: ModuleType) -> None:
    assert script.unfenced(page.read_text("utf-8")) == [], "give it a block of console or sh"
    name = page.relative_to(DOCS.parent).as_posix()
    count, run = script.count(page), script.recorded().get(name)
    if name not in script.MADE and count.run:
        assert run == count, f"run python docs/console.py UAV_PROPELLER {name}"


def test_every_command_and_option_exists(script: ModuleType) -> None:
    for page in PAGES:
        for part, _ in script.parts(page.read_text("utf-8")):
            if part["kind"] in script.RUN:
                lines = part["content"].replace("\\\n", " ")
                for line in re.findall(r"(?:^|&& |\$ )(dgmix [^|#<\n]*)", lines, re.M):
                    assert_exists(shlex.split(line)[1:], f"{page.name}: {line}")


def assert_exists(words: list[str], line: str) -> None:
    """Assert that the words of a dgmix command name a command, and options that it has."""
    command: Any = COMMANDS
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    command = getattr(command, "commands", {}).get("run", command)  # watch watch.yaml
    assert command.name or words[0].startswith("-"), line
    known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    for word in words:
        if re.match(r"--?[a-z]", word) and word not in GLOBAL:
            assert word in known, line


def test_commands_have_their_output_pasted() -> None:
    for page in PAGES:
        for block in re.findall(r"^```console\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S):
            last = block.rstrip("\n").rpartition("\n")[2]
            assert page.name == "command-reference.md" or not last.startswith("$ "), block
