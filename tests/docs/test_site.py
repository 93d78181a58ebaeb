"""What dgmix has is in the documentation, and what the documentation names exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.main import get_command

import dgmix
from dgmix.cli import app
from dgmix.config import Recipe
from dgmix.detect.scorers import SCORERS
from dgmix.detect.views import RAW_VIEWS
from dgmix.model.encoders import ENCODERS
from dgmix.model.objectives import OBJECTIVES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FILE = re.compile(r"[\w-]+\.(?:csv|yaml|md|html|jsonl?|ckpt|dgmix|onnx|parquet|db|npy|sha256)")
NO_FILES = {"ai.onnx", "torch.onnx", "watch.yaml"}  # a module; what the user writes


@pytest.fixture(scope="module")
def site(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(DOCS / "site.py")


def words(page: str) -> str:
    return (DOCS / page).read_text("utf-8")


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    yield name, command
    for child, below in getattr(command, "commands", {}).items():
        yield from commands(below, f"{name} {child}")


def test_every_command_and_option_has_a_help_text() -> None:
    for name, command in commands(get_command(app), "dgmix"):
        assert command.help, name
        for parameter in command.params:
            assert parameter.help or parameter.hidden, f"{name} {parameter.name}"


def test_every_setting_has_a_description() -> None:
    def fields(model: Any) -> Iterator[tuple[str, Any]]:
        for name, field in model.model_fields.items():
            inner = field.annotation
            if hasattr(inner, "model_fields"):
                yield from fields(inner)
            else:
                yield name, field

    assert [name for name, field in fields(Recipe) if not field.description] == []


def test_every_public_name_is_in_the_reference() -> None:
    listed = re.findall(r"^::: dgmix\.(\w+)$", words("python-api.md"), re.MULTILINE)
    assert sorted(listed) == sorted(dgmix.__all__)


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("scorers.md", SCORERS),
        ("encoders-and-objectives.md", ENCODERS),
        ("encoders-and-objectives.md", OBJECTIVES),
        ("settings.md", RAW_VIEWS),
    ],
)
def test_every_part_of_a_recipe_has_a_page(page: str, names: dict[str, object]) -> None:
    text = words(page)
    assert [name for name in names if f"`{name}`" not in text and name not in text] == []


def test_every_file_that_is_written_is_described() -> None:
    text = words("file-formats.md")
    written = set()
    for source in (ROOT / "src" / "dgmix").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                written |= {node.value} if FILE.fullmatch(node.value) else set()
    assert {"scores.csv", "last.ckpt", "watch.db"} <= written
    assert sorted(name for name in written - NO_FILES if name not in text) == []


def test_the_navigation_names_pages_that_exist(site: ModuleType) -> None:
    made = {"docs/decisions/README.md"}
    sources = {path.relative_to(ROOT).as_posix() for path in site.sources()}
    assert set(site.navigation()) <= sources | made
    single = {name for name in sources if name.startswith("docs/decisions/")}
    assert {name for name in sources - single if name.endswith(".md")} <= set(site.navigation())


def test_a_link_to_what_is_no_page_is_a_name_on_the_site(site: ModuleType, tmp_path: Path) -> None:
    source = tmp_path / "page.md"
    source.write_text("[a](../b.py) [c](d.md) [e](http://f/g.py) [h](docs/decisions)")
    wanted = "a [c](d.md) [e](http://f/g.py) [h](docs/decisions/README.md)"
    assert site.page(source) == wanted


def test_the_reference_of_commands_is_current(site: ModuleType) -> None:
    assert site.COMMANDS.read_text("utf-8") == site.command_reference(), "run make docs"


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as the site and GitHub make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    kept = (re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings)
    return {re.sub(r"\s", "-", heading) for heading in kept}


def test_every_link_leads_to_a_file_and_to_a_heading_that_are_there() -> None:
    pages = [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "benchmarks").rglob("*.md")]
    broken = []
    for page in pages:
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            if "://" in link or link.startswith("mailto:"):
                continue
            if not target.exists() or (anchor and anchor not in anchors(target)):
                broken.append(f"{page.name}: {link}")
    assert broken == []
