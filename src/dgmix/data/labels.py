"""Words in names of files and folders that say whether a machine was healthy.

A name is read in words: "engine2_broken", "1.abnormal" and "NotGood" hold one, "default" does not.
See docs/decisions/0022-label-words.md.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from dgmix.data.label_words import (
    ANOMALY,
    COMPOUNDS,
    DOTTED,
    FAULTY_WORDS,
    FREE,
    HEALTHY_WORDS,
    IN_ORDER,
    NEGATIONS,
    NORMAL,
    PHRASES,
    PREFIXES,
    SCRIPTS,
    SUBJECTS,
    plain,
)

WRITTEN = re.compile(r"(?<![A-Za-z])i\.?O(?![a-z])")
WORD = re.compile(r"[^\W\d_]+|\d+")
PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+|\d+")


@dataclass(frozen=True, slots=True)
class Label:
    """What a name says: "normal" or "anomaly", by which of its words, and the rest of the name."""

    label: str
    word: str
    rest: str


@lru_cache(maxsize=4096)
def label_in(name: str) -> Label | None:
    """Return what the words of a name (without its ending) say, or None when they say nothing.

    A negation before a word turns it: "not good", "no fault"; so does "free" behind it. Where words
    of both kinds are in one name it is an anomaly: who learns without it loses a recording, who
    learns with it loses the fault.
    """
    labels = list(_labels(unicodedata.normalize("NFC", name)))
    return next((each for each in labels if each.label == ANOMALY), labels[0] if labels else None)


def says_only(name: str, label: str) -> bool:
    """Say whether a name is nothing but words for a label, and numbers, as "1.abnormal"."""
    meaning = label_in(name)
    return (
        meaning is not None and meaning.label == label and not any(map(str.isalpha, meaning.rest))
    )


def label_of(folders: Iterable[str], stem: str) -> Label | None:
    """Return what the names of folders, outermost first, and that of a file in them say.

    The innermost folder decides; the file's own name may say that it is an anomaly in any of them,
    and that it is normal where no folder says otherwise.
    """
    labels = [label for label in map(label_in, folders) if label]
    around = labels[-1] if labels else None
    own = label_in(stem)
    if own and (around is None or own.label == ANOMALY):
        return own
    return around


def _labels(name: str) -> Iterator[Label]:
    """Yield every word of a name that is a label, in both ways to split it in words."""
    for script, label in SCRIPTS.items():
        place = name.find(script)
        if place >= 0:
            yield Label(label, script, _without(name, place, place + len(script)))
            break
    for matches in (list(WORD.finditer(name)), list(PART.finditer(_letters(name)))):
        words = [plain(name[slice(*match.span())]) for match in matches]
        for first, last, label in _spans(words, name):
            start, end = matches[first].start(), matches[last].end()
            yield Label(label, name[start:end], _without(name, start, end))


def _spans(words: list[str], name: str) -> Iterator[tuple[int, int, str]]:
    """Yield the first and last of the words that are a label, and which."""
    for phrase, label in PHRASES.items():
        for first in range(len(words) - len(phrase) + 1):
            if tuple(words[first : first + len(phrase)]) != phrase:
                continue
            if not _is_written_so(phrase, words, name):
                continue
            negated = first > 0 and words[first - 1] in NEGATIONS
            start, meaning = (first - 1, _other(label)) if negated else (first, label)
            yield start, first + len(phrase) - 1, meaning
    for place, label in enumerate(map(_meaning, words)):
        if not label:
            continue
        before = words[place - 1] if place else ""
        after = words[place + 1] if place + 1 < len(words) else ""
        if after in SUBJECTS:
            continue
        if before in NEGATIONS:
            yield place - 1, place, _other(label)
        elif after in FREE and label == ANOMALY:
            yield place, place + 1, NORMAL
        else:
            yield place, place, label


def _is_written_so(phrase: tuple[str, ...], words: list[str], name: str) -> bool:
    """Say whether letters that are a phrase among these words stand as one in the name."""
    if phrase in DOTTED:
        written = r"\.".join(phrase)
        pattern = rf"(?<![^\W_]){written}(?!\.?[^\W\d_])"
        return bool(re.search(pattern, name, re.IGNORECASE))
    return phrase not in IN_ORDER or len(words) == len(phrase) or bool(WRITTEN.search(name))


def _meaning(word: str) -> str:
    """Return the label that a word is, "" where it is none."""
    if word in HEALTHY_WORDS:
        return NORMAL
    if word in FAULTY_WORDS or word.endswith(COMPOUNDS):
        return ANOMALY
    rests = (word.removeprefix(prefix) for prefix in PREFIXES if word.startswith(prefix))
    return next((_other(_meaning(rest)) for rest in rests if _meaning(rest)), "")


def _letters(name: str) -> str:
    """Return a name whose Latin letters beyond ASCII are plain ones, capitals and small ones."""
    return "".join(
        ("A" if each.isupper() else "a")
        if not each.isascii() and unicodedata.name(each, "").startswith("LATIN")
        else each
        for each in name
    )


def _other(label: str) -> str:
    return ANOMALY if label == NORMAL else NORMAL


def _without(name: str, start: int, end: int) -> str:
    """Return a name without a part of it and what separates that; only numbers are no name."""
    before, after = name[:start].rstrip(" _-.,+()[]"), name[end:].lstrip(" _-.,+()[]")
    rest = f"{before}_{after}" if before and after else before or after
    return rest if any(map(str.isalpha, rest)) else ""
