"""Run every command of docs/own-recordings.md again and paste what it prints.

    python docs/own_recordings.py UAV_PROPELLER [PAGE …]

UAV_PROPELLER is the folder of the flights. In a page, a block ```console holds commands, each
after `$ `, and below each what it printed; a block ```python whose first line is `# NAME.py` is the
file of that name. The commands run in the order of the page in one empty folder, in which
`uav_propeller` is the folder given. Both outputs are pasted as a terminal shows them, without
the progress. Takes three minutes of one core; a command that fails stops it, and the page stays.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from dgmix.files import write_text

PAGE = Path(__file__).with_name("own-recordings.md")
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMPT = "$ "
PROGRESS = re.compile(r"[\w :-]+: \d+/\d+ in \d+ s\b")


def main(flights: Path, pages: list[Path]) -> None:
    """Refresh pages, each in a folder of its own."""
    for page in pages:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "uav_propeller").symlink_to(flights.resolve())
            write_text(page, refreshed(page.read_text("utf-8"), Path(folder)))


def refreshed(page: str, folder: Path) -> str:
    """Return a page with the output of its commands, run in a folder, in place of the old one."""

    def block(match: re.Match[str]) -> str:
        kind, content = match.groups()
        if kind == "console":
            commands = [line for line in content.splitlines() if line.startswith(PROMPT)]
            content = "".join(f"{command}\n{printed(command, folder)}" for command in commands)
        elif name := re.match(r"# (\w+\.py)\n", content):
            (folder / name[1]).write_text(content, "utf-8")
        return f"```{kind}\n{content}```"

    return BLOCK.sub(block, page)


def printed(command: str, folder: Path) -> str:
    """Return what a command line prints in a folder, but for its progress.

    Raises `subprocess.CalledProcessError` when it fails.
    """
    here = Path(sys.executable).parent
    environment = {**os.environ, "DGMIX_CACHE": str(folder / ".cache"), "PYTHONUNBUFFERED": "1"}
    environment["PATH"] = f"{here}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command.removeprefix(PROMPT)],
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
    main(Path(sys.argv[1]), [Path(page) for page in sys.argv[2:]] or [PAGE])
