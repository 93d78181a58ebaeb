"""Run the commands of the documentation again and paste what they print.

    python docs/console.py UAV_PROPELLER [PAGE …]

UAV_PROPELLER is the folder of the flights. Of each page (all that have commands, by default)

- a block ```console holds commands, each after `$ `, and below each what it printed, which is
  pasted anew as a terminal shows it, without the progress;
- a block ```sh holds commands only: they are run, and the page keeps what it says;
- a block ```python whose first line is `# NAME.py` is the file of that name;
- a comment `<!-- setup: COMMAND -->` is a command that readers need not see;
- a comment `<!-- not run: REASON -->` before a block says why that block is not run.

All run in the order of the page in one empty folder, in which `uav_propeller` is the folder given;
`$DOCS` is the folder of this file. A command that fails stops it, and the page stays as it was.
docs/console.json keeps a digest of each page's text then: a test fails where a page has
commands that were not run as they stand, or output that was changed by hand.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dgmix.files import write_text

DOCS = Path(__file__).parent
RECORD = DOCS / "console.json"
MADE = {"docs/command-reference.md", "CHANGELOG.md"}  # typer writes the first
PART = re.compile(
    r"^ *<!-- (?P<mark>setup|not run): (?P<text>[^\n]+) -->$"
    r"|^ *```(?P<kind>\w*)[^\n]*\n(?P<content>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
RUN = ("console", "sh")
COMMAND = r"(?:\$ )?(?:dgmix|python|pip|make|curl|ray|podman|git|DGMIX_\w+=\S+) "
BARE = re.compile(rf"```\n{COMMAND}|\n\n {{4,}}{COMMAND}")
PROMPT = "$ "
PROGRESS = re.compile(r"[\w :-]+: \d+/\d+ in \d+ s\b")


class Count(NamedTuple):
    """How many blocks of a page are run, how many are not, and a digest of those that are."""

    run: int
    not_run: int
    digest: str


def main(flights: Path, chosen: list[Path]) -> None:
    """Refresh pages, each in a folder of its own, and keep what they say now."""
    for page in chosen or pages():
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "uav_propeller").symlink_to(flights.resolve())
            write_text(page, refreshed(page.read_text("utf-8"), Path(folder)))
        keep(page)
        print(f"{page}: {count(page).run} blocks run, {count(page).not_run} marked as not run")


def pages() -> list[Path]:
    """Return the pages that have commands to run."""
    files = [*DOCS.parent.glob("*.md"), *DOCS.rglob("*.md")]
    return sorted(page for page in files if name_of(page) not in MADE and count(page).run)


def name_of(page: Path) -> str:
    """Return the path of a page in the repository."""
    return page.resolve().relative_to(DOCS.parent.resolve()).as_posix()


def keep(page: Path) -> None:
    """Write down what a page of the repository says after it was run."""
    if not page.resolve().is_relative_to(DOCS.parent.resolve()):
        return
    kept = recorded() | {name_of(page): count(page)}
    rows = {name: kept[name]._asdict() for name in sorted(kept)}
    write_text(RECORD, json.dumps(rows, indent=2) + "\n")


def recorded() -> dict[str, Count]:
    """Return the digest of each page when it was run last."""
    rows = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}
    return {name: Count(**row) for name, row in rows.items()}


def count(page: Path) -> Count:
    """Return how many blocks of a page are run, and what they say."""
    run, not_run = [], 0
    for part, marked in parts(page.read_text("utf-8")):
        if part["kind"] in RUN and marked:
            not_run += 1
        elif part["kind"] in RUN:
            run.append(part["content"])
    return Count(len(run), not_run, hashlib.sha256("".join(run).encode()).hexdigest()[:16])


def parts(page: str) -> Iterator[tuple[re.Match[str], bool]]:
    """Yield the comments and blocks of a page, and whether a block is marked as not run."""
    marked = False
    for part in PART.finditer(page):
        yield part, marked
        marked = part["mark"] == "not run"


def unfenced(page: str) -> list[str]:
    """Return the beginnings of commands that stand in no block of a kind that is run."""
    return [match[0].strip("`\n ") for match in BARE.finditer(page)]


def refreshed(page: str, folder: Path) -> str:
    """Return a page with the output of its commands, run in a folder, in place of the old one."""
    text, end = "", 0
    for part, marked in parts(page):
        text += page[end : part.start()] + (part[0] if marked else run_part(part, folder))
        end = part.end()
    return text + page[end:]


def run_part(part: re.Match[str], folder: Path) -> str:
    """Return a comment or block as it stands after it was run in a folder."""
    kind, content = part["kind"], part["content"] or ""
    if part["mark"] == "setup":
        printed(part["text"], folder)
    elif kind == "sh":
        printed(f"set -e\n{content}", folder)
    elif kind == "console":
        commands = [line for line in content.splitlines() if line.startswith(PROMPT)]
        outputs = [printed(command.removeprefix(PROMPT), folder) for command in commands]
        lines = (f"{each}\n{output}" for each, output in zip(commands, outputs, strict=True))
        return f"```console\n{''.join(lines)}```"
    elif name := re.match(r"# (\w+\.py)\n", content):
        (folder / name[1]).write_text(content, "utf-8")
    return part[0]


def printed(command: str, folder: Path) -> str:
    """Return what a command line prints in a folder, but for its progress.

    Raises `subprocess.CalledProcessError` when it fails.
    """
    here = Path(sys.executable).parent
    environment = {**os.environ, "DGMIX_CACHE": str(folder / ".cache"), "PYTHONUNBUFFERED": "1"}
    environment |= {"DOCS": str(DOCS.resolve()), "PATH": f"{here}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        print(done.stdout, file=sys.stderr)
    done.check_returncode()
    lines = (line.rstrip() for line in done.stdout.splitlines())
    return "".join(f"{line}\n" for line in lines if not PROGRESS.match(line))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(page) for page in sys.argv[2:]])
