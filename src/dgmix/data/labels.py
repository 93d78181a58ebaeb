"""Words in names of files and folders that say whether a machine was healthy.

English, German, French, Spanish, Italian, Portuguese, Japanese and Chinese, the last two also in
Latin letters. A name is read in words: "engine2_broken", "1.abnormal" and "NotGood" hold one,
"default" does not. See docs/decisions/0022-label-words.md.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

NORMAL, ANOMALY = "normal", "anomaly"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


HEALTHY_WORDS = _words(
    """
    normal normals healthy good ok okay nominal intact undamaged unbroken flawless faultless passed
    gut gesund intakt fehlerfrei einwandfrei gutteil gutteile normale normaler
    bon bonne sain saine correct conforme
    bueno buena sano sana correcto
    buono buona normali integro
    bom boa saudavel
    seijou seijo ryouhin ryohin zhengchang lianghao hege
    """
)
FAULTY_WORDS = _words(
    """
    anomaly anomalies anomalous abnormal abnormals abnormality broken bad damage damaged damages
    defect defects defective fault faults faulty fail failed failure failures failing malfunction
    malfunctioning unhealthy reject rejects rejected scrap outlier outliers ng nok nogood notgood
    notok ko nio
    anomalie anomalien anormal defekt defekte defekter fehler fehlerhaft kaputt schlecht
    schlechtteil beschadigt beschaedigt schaden schadhaft ausschuss mangelhaft storung
    stoerung
    anomalies anormale defaut defauts defectueux defectueuse casse cassee panne mauvais mauvaise
    endommage endommagee defaillance
    anomalia anomalias defecto defectos defectuoso defectuosa roto rota danado danada averia
    averiado falla fallas fallo fallos malo mala
    anomale anomalo anomala difetto difetti difettoso guasto guasti rotto rotta danneggiato scarto
    defeito defeitos defeituoso quebrado quebrada danificado avaria avariado falha falhas ruim
    ijou ijo koshou kosho furyou furyo kekkan guzhang yichang buliang quexian sunhuai buhege
    """
)
NEGATIONS = _words("no not non un nicht kein keine ohne pas sans sin senza sem nao without never")
FREE = frozenset(["free", "frei", "less"])  # behind a word: fault free
SUBJECTS = _words(  # behind a word, which then says what is studied, not what was recorded
    """
    detection detections detector detectors diagnosis diagnostics diagnostic analysis inspection
    monitoring prediction recognition classification score scores threshold project study
    erkennung diagnose analyse prognose deteccion detection rilevamento deteccao
    """
)
IN_ORDER = {("i", "o"), ("io",)}  # German: in Ordnung, if it is written like that
WRITTEN = re.compile(r"(?<![A-Za-z])i\.?O(?![a-z])")
PHRASES = {
    **dict.fromkeys([("n", "i", "o"), ("n", "io")], ANOMALY),
    **dict.fromkeys([*IN_ORDER, ("in", "ordnung")], NORMAL),
}
SCRIPTS = {  # without spaces between words; the longer ones first
    **dict.fromkeys(["不正常", "不合格", "異常", "异常", "故障", "不良", "欠陥", "缺陷"], ANOMALY),
    **dict.fromkeys(["损坏", "損壞", "破損", "불량", "고장", "결함", "비정상"], ANOMALY),
    **dict.fromkeys(["正常", "良品", "良好", "合格", "정상", "양품"], NORMAL),
}
WORD = re.compile(r"[^\W\d_]+|\d+")
PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+|\d+")


@dataclass(frozen=True, slots=True)
class Label:
    """What a name says: "normal" or "anomaly", by which of its words, and the rest of the name."""

    label: str
    word: str
    rest: str


def label_in(name: str) -> Label | None:
    """Return what the words of a name (without its ending) say, or None when they say nothing.

    A negation before a word turns it: "not good", "no fault"; so does "free" behind it. Where words
    of both kinds are in one name it is an anomaly: who learns without it loses a recording, who
    learns with it loses the fault.
    """
    labels = list(_labels(name))
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
    for split in (WORD, PART):
        matches = list(split.finditer(name))
        words = [_plain(match[0]) for match in matches]
        for first, last, label in _spans(words, name):
            start, end = matches[first].start(), matches[last].end()
            yield Label(label, name[start:end], _without(name, start, end))


def _spans(words: list[str], name: str) -> Iterator[tuple[int, int, str]]:
    """Yield the first and last of the words that are a label, and which."""
    for phrase, label in PHRASES.items():
        for first in range(len(words) - len(phrase) + 1):
            if tuple(words[first : first + len(phrase)]) != phrase:
                continue
            if phrase in IN_ORDER and len(words) > len(phrase) and not WRITTEN.search(name):
                continue
            negated = first > 0 and words[first - 1] in NEGATIONS
            start, meaning = (first - 1, _other(label)) if negated else (first, label)
            yield start, first + len(phrase) - 1, meaning
    for place, word in enumerate(words):
        if word not in HEALTHY_WORDS and word not in FAULTY_WORDS:
            continue
        label = NORMAL if word in HEALTHY_WORDS else ANOMALY
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


def _other(label: str) -> str:
    return ANOMALY if label == NORMAL else NORMAL


def _plain(word: str) -> str:
    """Return a word in lower case without accents."""
    folded = unicodedata.normalize("NFKD", word.casefold())
    return "".join(character for character in folded if not unicodedata.combining(character))


def _without(name: str, start: int, end: int) -> str:
    """Return a name without a part of it and what separates that; only numbers are no name."""
    before, after = name[:start].rstrip(" _-.,+()[]"), name[end:].lstrip(" _-.,+()[]")
    rest = f"{before}_{after}" if before and after else before or after
    return rest if any(map(str.isalpha, rest)) else ""
