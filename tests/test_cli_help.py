"""Help by task, examples that parse, completion, and how much is said."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from dgmix import cli, progress
from dgmix.cli import app, main
from dgmix.cli_help import PARTS, TASKS
from dgmix.cli_options import RECIPE_HELP
from dgmix.config.recipe import RECIPES

EXAMPLES = {name: text for examples in TASKS.values() for name, text in examples.items()}
TYPOS = {"scor": "score", "docter": "doctor", "watch lable": "label", "cache lss": "ls"}


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["dgmix", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def commands() -> Iterator[tuple[str, Any, str]]:
    """Yield the path of every command, the command, and its example."""
    root: Any = get_command(app)
    for name, command in root.commands.items():
        yield name, command, EXAMPLES.get(name, "")
        for part, child in getattr(command, "commands", {}).items():
            yield f"{name} {part}", child, PARTS.get(name, {}).get(part, "")


def test_every_command_has_a_task_and_an_example() -> None:
    missing = [name for name, _, example in commands() if not example]
    assert missing == [], "give each a task and an example in dgmix.cli_help"
    for name, command, example in commands():
        assert command.epilog == f"Example: {example}"
        assert " " in name or command.rich_help_panel in TASKS
    assert len(list(commands())) == len(EXAMPLES) + sum(map(len, PARTS.values()))


@pytest.mark.parametrize(
    ("name", "example"), [(name, text) for name, _, text in commands() if text]
)
def test_every_example_is_a_command_that_parses(name: str, example: str) -> None:
    program, *words = shlex.split(example)
    assert program == "dgmix"
    command: Any = get_command(app)
    context, path = None, []
    while hasattr(command, "commands"):
        context = command.make_context("dgmix", list(words), parent=context)
        given = [*context._protected_args, *context.args]
        _, command, words = command.resolve_command(context, given)
        path.append(command.name)
    command.make_context(command.name, list(words), parent=context)  # raises on what is unknown
    assert " ".join(path).startswith(name)


def test_help_is_in_the_order_of_tasks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--help") == 0
    page = capsys.readouterr().out
    wanted = [*TASKS, *EXAMPLES]
    places = [re.search(rf"^[╭│]─? {re.escape(each)} ", page, re.MULTILINE) for each in wanted]
    assert all(places)
    panels = places[: len(TASKS)]
    assert panels == sorted(panels, key=lambda match: match.start() if match else 0)
    for words in ("--install-completion", "--quiet", "--verbose", "--debug"):
        assert words in page


def test_the_help_names_every_recipe_that_comes_with_dgmix() -> None:
    named = re.findall(r"([\w-]+),", RECIPE_HELP)
    assert sorted(named) == sorted(RECIPES)


@pytest.mark.parametrize("group", PARTS)
def test_a_group_without_a_command_says_so(
    group: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["dgmix", group])
    with pytest.raises(SystemExit):
        main()
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == f"dgmix: a command is missing; see dgmix {group} --help"


@pytest.mark.parametrize("typo", TYPOS)
def test_a_typo_of_a_command_suggests_the_right_one(
    typo: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *typo.split()) == 2
    assert f"'{TYPOS[typo]}'" in capsys.readouterr().err


def test_a_shell_is_told_how_words_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, wanted in (("dgmix sc", "score"), ("dgmix run --mach", "--machine")):
        monkeypatch.setenv("_DGMIX_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
        assert run(monkeypatch) == 0
        assert capsys.readouterr().out.split() == [wanted]


def test_no_color_where_none_is_wanted() -> None:
    command = [sys.executable, "-c", "from dgmix.cli import main; main()", "--help"]
    shown = {}
    for name, value in (("FORCE_COLOR", "1"), ("NO_COLOR", "1")):
        environment = {**os.environ, "FORCE_COLOR": "1", name: value}
        shown[name] = subprocess.run(
            command, env=environment, capture_output=True, text=True
        ).stdout
    color = re.compile(r"\x1b\[[0-9;]*3[0-7]")
    assert color.search(shown["FORCE_COLOR"])
    assert not color.search(shown["NO_COLOR"])


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ([], ["a note"]),
        (["-q"], []),
        (["--quiet"], []),
        (["-v"], ["a note", "a detail"]),
        (["-q", "-v"], ["a note", "a detail"]),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_quiet_and_verbose_stand_before_or_after_the_command(
    words: list[str],
    shown: list[str],
    first: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def speak(arguments: list[str], **_: Any) -> int:
        assert arguments == ["cache", "ls"]
        progress.say("a note")
        progress.detail("a detail")
        return 0

    monkeypatch.setattr(cli, "app", speak)
    assert (
        run(monkeypatch, *(words if first else ()), "cache", "ls", *(() if first else words)) == 0
    )
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if not line.startswith("cache: ")] == shown
    assert progress.level() == progress.USUAL
