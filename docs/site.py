"""Build the documentation site: `python docs/site.py`, into build/site.

The pages keep their places in the repository, so that links between them work there and on the
site alike; README.md is the first one. docs/command-reference.md is written anew, the list of
decisions is made here. A broken link is an error, and so is a page that the navigation lacks.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "build" / "pages"
FOLDERS = ("docs", "benchmarks/results")
TOP = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "LICENSE")
KINDS = {".md", ".webp", ".svg", ".json", ".css", ".js"}
COMMANDS = ROOT / "docs" / "command-reference.md"
DECISIONS = PAGES / "docs" / "decisions"
OUTSIDE = re.compile(r"\[([^]]+)\]\((?!http)[^)#]+\.(?:py|yaml|toml|json)\)|\]\(docs/decisions/?\)")


def main() -> None:
    """Collect the pages and build the site; a warning is an error."""
    COMMANDS.write_text(command_reference(), "utf-8")
    collect()
    missing = sorted(pages() - set(navigation()))
    if missing:
        sys.exit(f"zensical.toml: its navigation lacks {', '.join(missing)}")
    sys.exit(subprocess.call(["zensical", "build", "--clean", "--strict"], cwd=ROOT))


def collect() -> None:
    """Copy what the site shows into build/pages, and write the pages that are made."""
    shutil.rmtree(PAGES, ignore_errors=True)
    for source in sources():
        target = PAGES / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".md":
            target.write_text(page(source), "utf-8")
        else:
            shutil.copy(source, target)
    (DECISIONS / "README.md").write_text(decisions(), "utf-8")


def command_reference() -> str:
    """Return the page of all commands and options, which typer makes of the commands."""
    cli = ROOT / "src" / "dgmix" / "cli.py"
    typer = [sys.executable, "-m", "typer", str(cli), "utils", "docs"]
    command = [*typer, "--name", "dgmix", "--title", "Commands"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() + "\n"


def sources() -> Iterator[Path]:
    """Yield the files that the site is made of."""
    yield from (ROOT / name for name in TOP)
    for folder in FOLDERS:
        yield from (path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in KINDS)


def page(source: Path) -> str:
    """Return a page as the site has it: links to files that are no pages are names only."""

    def replaced(link: re.Match[str]) -> str:
        return f"{link[1]}" if link[1] else "](docs/decisions/README.md)"

    return OUTSIDE.sub(replaced, source.read_text("utf-8"))


def decisions() -> str:
    """Return the list of decisions, by their headings."""
    paths = sorted(DECISIONS.glob("[0-9]*.md"))
    titles = (path.read_text("utf-8").splitlines()[0].removeprefix("# ") for path in paths)
    lines = (f"- [{title}]({path.name})" for title, path in zip(titles, paths, strict=True))
    return "\n".join(["# Decisions", "", *lines, ""])


def pages() -> set[str]:
    """Return the paths of the site's pages, but for single decisions, which their list names."""
    single = set(DECISIONS.glob("[0-9]*.md"))
    return {path.relative_to(PAGES).as_posix() for path in set(PAGES.rglob("*.md")) - single}


def navigation() -> Iterator[str]:
    """Yield the paths in the navigation of zensical.toml."""

    def leaves(entries: object) -> Iterator[str]:
        if isinstance(entries, str):
            yield entries
        elif isinstance(entries, list):
            for entry in entries:
                yield from leaves(entry)
        elif isinstance(entries, dict):
            yield from leaves(list(entries.values()))

    settings = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))
    yield from leaves(settings["project"]["nav"])


if __name__ == "__main__":
    main()
