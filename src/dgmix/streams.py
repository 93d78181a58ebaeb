"""Standard input, output and error, whatever the caller made of them."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

STANDARD = {
    **dict.fromkeys(["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"], "stdout"),
    **dict.fromkeys(["/dev/stderr", "/dev/fd/2", "/proc/self/fd/2"], "stderr"),
}


def prepare_streams() -> None:
    """Make sure that every stream is there and takes any character.

    A closed one is opened to nothing. What its encoding does not hold (a path in another one, Ω on
    a Windows pipe) is written as its code: backslash, letter, digits.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def is_stream(path: str | os.PathLike[str]) -> bool:
    """Say whether a path is written through, not replaced: "-", a device, a pipe or a socket."""
    if os.fspath(path) in STANDARD:
        return True
    try:
        mode = Path(path).stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


@contextmanager
def open_stream(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Yield a stream to write bytes to; "-" and /dev/stdout are this process's standard output.

    What was printed before comes first.
    """
    standard = STANDARD.get(os.fspath(path))
    if standard is None:
        with Path(path).open("wb") as file:
            yield file
        return
    text: IO[str] = getattr(sys, standard)
    text.flush()
    buffer = getattr(text, "buffer", None)
    if buffer is None:  # a notebook's or a test's
        with io.BytesIO() as memory:
            yield memory
            text.write(memory.getvalue().decode("utf-8", "backslashreplace"))
    else:
        yield buffer
        buffer.flush()
