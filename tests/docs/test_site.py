"""What dgmix has is in the documentation, and what the documentation names exists."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from markdown import Markdown
from markdown_it import MarkdownIt
from typer.main import get_command

import dgmix
from dgmix.cli import app
from dgmix.config import Recipe
from dgmix.detect import judgement
from dgmix.detect.forms import COLUMNS
from dgmix.detect.scorers import SCORERS
from dgmix.detect.views import RAW_VIEWS
from dgmix.model.encoders import ENCODERS
from dgmix.model.objectives import OBJECTIVES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "benchmarks").rglob("*.md")]
FILE = re.compile(
    r"(?:[\w*./-]*/)?([\w.*-]*[\w*]\.(?:csv|tsv|txt|ya?ml|md|html|jsonl?|log|ckpt|pt|dgmix|safetensors"
    r"|onnx|parquet|arrow|db|backup|npy|npz|f16|sha256|svg|png|webp|wav|flac|xml|toml|service))"
)
NO_FILES = {  # modules, an address, what the user writes, and what others do
    *("ai.onnx", "torch.onnx", "openapi.json", "watch.yaml"),
    "ground_truth_*_section_*_test.csv",
}


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
        assert command.help, f"{name}: give it a docstring"
        for parameter in command.params:
            assert parameter.help or parameter.hidden, (
                f"{name} {parameter.name}: give it a help text"
            )


def test_every_setting_has_a_description() -> None:
    def fields(model: Any) -> Iterator[tuple[str, Any]]:
        for name, field in model.model_fields.items():
            inner = field.annotation
            if hasattr(inner, "model_fields"):
                yield from fields(inner)
            else:
                yield name, field

    missing = [name for name, field in fields(Recipe) if not field.description]
    assert missing == [], "give each a description in its Field"


def test_every_public_name_is_in_the_reference() -> None:
    listed = re.findall(r"^::: dgmix\.(\w+)$", words("python-api.md"), re.MULTILINE)
    assert sorted(set(dgmix.__all__) - set(listed)) == [], "name each in docs/python-api.md (:::)"
    assert sorted(set(listed) - set(dgmix.__all__)) == [], "these are not in dgmix.__all__"


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
    assert [name for name in names if f"`{name}`" not in text] == [], f"describe it in docs/{page}"


def test_every_file_that_is_written_is_described() -> None:
    page = words("file-formats.md")
    written = {file[1] for text in strings() if (file := FILE.fullmatch(text))}
    assert {"scores.csv", "last.ckpt", "watch.db", "scores_*.csv"} <= written
    forms = {name: re.escape(name).replace(r"\*", r"[\w…-]+") for name in written - NO_FILES}
    missing = sorted(name for name, form in forms.items() if not re.search(form, page))
    assert missing == [], "describe each in docs/file-formats.md; * is any word"


def test_every_column_and_verdict_of_a_judgement_is_described() -> None:
    page = words("file-formats.md")
    verdicts = {getattr(judgement, name) for name in dir(judgement) if name.isupper()}
    names = [*COLUMNS, *(each for each in verdicts if isinstance(each, str))]
    missing = [name for name in names if f"`{name}`" not in page]
    assert missing == [], "describe each in docs/file-formats.md"


def test_every_variable_of_the_environment_is_described() -> None:
    pages = "".join(page.read_text("utf-8") for page in PAGES)
    names = {text for text in strings() if re.fullmatch(r"DGMIX_\w*[A-Z]", text)}
    assert "DGMIX_CACHE" in names
    assert sorted(name for name in names if f"{name}" not in pages) == [], "describe each in docs"


@cache
def strings() -> frozenset[str]:
    """Return every string in dgmix's source; of those with values inside, * in place of each."""
    sources = (ROOT / "src" / "dgmix").rglob("*.py")
    return frozenset(
        text for each in sources for text in strings_of(ast.parse(each.read_text("utf-8")))
    )


def strings_of(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.JoinedStr):
        yield "".join(
            str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values
        )
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from strings_of(child)


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
    broken = []
    for page in PAGES:
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            if "://" in link or link.startswith("mailto:"):
                continue
            if not target.exists() or (anchor and anchor not in anchors(target)):
                broken.append(f"{page.name}: {link}")
    assert broken == []


def test_every_page_reads_on_the_site_as_it_does_on_github() -> None:
    """Lists, tables and blocks of code by CommonMark, as GitHub has it, and by Python-Markdown."""
    github = MarkdownIt("commonmark").enable("table")
    site = Markdown(extensions=["tables", "pymdownx.superfences", "pymdownx.inlinehilite"])
    tags = {"list_item_open": "li", "tr_open": "tr", "fence": "pre", "code_block": "pre"}
    for page in PAGES:
        text = page.read_text("utf-8")
        wanted = Counter(tags[t.type] for t in github.parse(text) if t.type in tags)
        shown = Counter(re.findall(r"<(li|tr|pre)\b", site.reset().convert(text)))
        assert shown == wanted, f"{page.name}: put an empty line before each list and block"
