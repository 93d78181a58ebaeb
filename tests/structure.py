"""Check the structure of the code: `python tests/structure.py`, which `make check` does.

No module imports in a circle, at run time or for types alone; the median function has at most ten
lines, and no file more than four hundred; values are named by nouns, not by what happened to them,
and no text of dgmix has the words of such names.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from statistics import median

import grimp

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "dgmix"
BESIDE = ("tests", "benchmarks", "docs")  # their names are checked too
MEDIAN_LINES, FILE_LINES = 10, 400
NAMES = ("id", "arg", "attr", "name")
NOT_NAMES = {"found", "told", "said", "asked", "heard", "excused"}
COINAGES = re.compile(
    rf"\b({'|'.join(sorted(NOT_NAMES))}|score_and_tell|as_unusual|one_each|readable|closing)\b"
)
NOT_OURS = re.compile(
    r"import .*\bclosing|closing\(|def readable\("  # names of Python's contextlib and io
    r"|heard REAL|COLUMN heard|else \"found\""  # names in files that earlier versions wrote
)


def main() -> None:
    """Print what is wrong and fail, or what the figures are."""
    texts = read(SOURCE)
    beside = {path: text for folder in BESIDE for path, text in read(ROOT / folder).items()}
    lines = sorted(length for text in texts.values() for length in function_lengths(text))
    wrong = [*circles(imports()), *long_files(texts), *bad_names(texts | beside)]
    wrong += coinages(texts | read(SOURCE, "*.j2"))
    if median(lines) > MEDIAN_LINES:
        wrong.append(f"the median function has {median(lines):g} lines, more than {MEDIAN_LINES}")
    if wrong:
        sys.exit("\n".join(wrong))
    figures = f"{len(texts)} files, {len(lines)} functions, median {median(lines):g} lines"
    print(f"{figures}, longest {lines[-1]}; no circle of imports")


def read(folder: Path, pattern: str = "*.py") -> dict[Path, str]:
    """Return the text of each file below a folder, of Python by default."""
    return {path: path.read_text("utf-8") for path in sorted(folder.rglob(pattern))}


def imports() -> dict[str, set[str]]:
    """Return which modules of dgmix each of them imports, anywhere in it."""
    graph = grimp.build_graph("dgmix", cache_dir=None)
    return {name: set(graph.find_modules_directly_imported_by(name)) for name in graph.modules}


def circles(imported: Mapping[str, set[str]]) -> Iterator[str]:
    """Yield a sentence on a circle of imports, if there is one."""
    try:
        TopologicalSorter(imported).prepare()
    except CycleError as error:
        yield f"imports in a circle: {' -> '.join(error.args[1])}"


def long_files(texts: Mapping[Path, str]) -> Iterator[str]:
    """Yield a sentence on each file with too many lines."""
    for path, text in texts.items():
        if (count := len(text.splitlines())) > FILE_LINES:
            yield f"{path}: {count} lines, more than {FILE_LINES}"


def bad_names(texts: Mapping[Path, str]) -> Iterator[str]:
    """Yield a sentence on each variable, argument, function and class that is no noun or verb."""
    for path, text in texts.items():
        for node in ast.walk(ast.parse(text)):
            name = next((getattr(node, kind) for kind in NAMES if hasattr(node, kind)), None)
            if not isinstance(name, str) or name.startswith("test_"):  # a sentence
                continue
            if NOT_NAMES & set(name.split("_")):
                yield f"{path}: '{name}'; name it by what it holds"


def coinages(texts: Mapping[Path, str]) -> Iterator[str]:
    """Yield a sentence on each line with one of the words that plain technical English replaced."""
    for path, text in texts.items():
        for number, line in enumerate(text.splitlines(), 1):
            if coinage := COINAGES.search(NOT_OURS.sub("", line)):
                yield f"{path}:{number}: '{coinage[0]}'; use the field's word (docs/glossary.md)"


def function_lengths(text: str) -> Iterator[int]:
    """Yield how many lines each function of a module has, its docstring among them."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield (node.end_lineno or node.lineno) - node.lineno + 1


if __name__ == "__main__":
    main()
