"""A hundred thousand inputs of each kind: sound files, names, tables and score files.

    python benchmarks/fuzz.py [--count 100000] [--seed 0] [--kind sounds] [-o FOLDER]

What is written is known, so that a number that is read wrongly without a word is seen, as is what
takes more than 20 s. What fails is kept in FOLDER. `tests/test_fuzz.py` has the like of hypothesis,
which makes small what it finds, and runs with the other tests.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import signal
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from dgmix.audio.io import read_audio
from dgmix.data import load_manifest
from dgmix.data.labels import label_in
from dgmix.data.walk import walk
from dgmix.errors import InputError
from dgmix.evaluate.scores import read_scores
from dgmix.files import printable

HANGS_AFTER = 20  # seconds
NAMES_AT_ONCE = 100
RATE, SAMPLES = 16_000, 2000
MOMENT = 1600  # samples behind the end that a header claims, which are perhaps no sound
EXACT = {("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("W64", None), ("RF64", None)}


class WrongError(Exception):
    """A result that is not what was written, and nothing was said."""


def _encoded(kind: str, subtype: str | None, channels: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, _sound(channels), RATE, format=kind, subtype=subtype)
    return file.getvalue()


def _sound(channels: int) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 0.2, (SAMPLES, channels))
    return np.rint(np.clip(noise, -1, 0.99) * 2**15) / 2**15


KINDS = [
    *(("WAV", each, 2) for each in ("PCM_16", "PCM_24", "FLOAT", "PCM_U8", "ULAW", "IMA_ADPCM")),
    *((each, None, 1) for each in ("WAVEX", "RF64", "W64", "FLAC", "OGG", "MP3", "AIFF", "CAF")),
    *((each, None, 1) for each in ("AU", "NIST", "VOC", "MAT4", "MAT5")),
    ("OGG", "OPUS", 1),
]
FILES = [
    (kind, subtype, channels, _encoded(kind, subtype, channels))
    for kind, subtype, channels in KINDS
]
SIZES = {"WAV": (4, 40), "RF64": (), "W64": ()}  # where sizes stand that recorders leave wrong


def sounds(draw: random.Random, folder: Path) -> tuple[Any, str]:  # noqa: ARG001 - one form for all
    """Read a sound file that was cut off, has wrong sizes in its header, or is damaged anywhere."""
    kind, subtype, channels, content = draw.choice(FILES)
    how = draw.choice(["cut", "sizes", "damage", "damage", "longer", "none"])
    data = bytearray(content)
    if how == "cut":
        del data[draw.randrange(len(data)) :]
    elif how == "sizes" and kind == "WAV" and subtype in ("PCM_16", "FLOAT", "PCM_24"):
        at = data.index(b"data") + 4
        for place in draw.choice([(4,), (at,), (4, at)]):
            value = draw.choice([0, 2**32 - 1, 2**31, draw.randrange(2**32), draw.randrange(5000)])
            data[place : place + 4] = value.to_bytes(4, "little")
    elif how == "longer":
        data += draw.choice([content, bytes(draw.randrange(900)), b"LIST", draw.randbytes(99)])
    elif how in ("damage", "sizes"):
        how = "damage"
        for _ in range(draw.randint(1, 5)):
            _damage(draw, data)
    return (bytes(data), kind, subtype, channels, how), f"{kind} {how}"


def _damage(draw: random.Random, data: bytearray) -> None:
    place = draw.randrange(min(len(data), 200) if draw.random() < 0.7 else len(data)) if data else 0
    way = draw.randrange(4)
    if way == 0:
        data[place : place + 1] = draw.randbytes(1)
    elif way == 1:
        data[place : place + 4] = draw.choice([0, 1, 2**31, 2**32 - 1, 44]).to_bytes(4, "little")
    elif way == 2:
        del data[place : place + draw.randint(1, 300)]
    else:
        data[place:place] = draw.randbytes(draw.randint(1, 40))


def check_sounds(case: Any, folder: Path) -> str:  # noqa: ARG001 - one form for all
    data, kind, subtype, channels, how = case
    try:
        recording = read_audio(io.BytesIO(data))
    except InputError as error:
        _check_sentence(error)
        if how == "none" and not kind.startswith("MAT"):  # these tell no sample rate
            raise WrongError("a whole file is refused") from error
        return "refused"
    samples = recording.samples
    if not len(samples) or not np.isfinite(samples).all() or "\n" in recording.note:
        raise WrongError(f"{samples.shape} samples, note {recording.note!r}")
    if (kind, subtype) in EXACT and how in ("cut", "none", "sizes"):
        written = _sound(channels).mean(1)
        if not np.allclose(samples, written[: len(samples)], atol=2**-14):
            raise WrongError(f"other samples, {len(samples)} of {len(written)}")
        if how == "sizes" and len(samples) + MOMENT < len(written):
            raise WrongError(f"{len(samples)} of {len(written)} samples, note {recording.note!r}")
        lost = len(samples) < len(written) and how != "sizes"
        if lost and not recording.note and not _counts_header(case):
            raise WrongError(f"{len(samples)} of {len(written)} samples, without a word")
    return "noted" if recording.note else "read"


def _counts_header(case: Any) -> bool:
    """Say whether a file lacks just what a header that counts itself along would lack."""
    data, *of, _ = case
    (whole,) = (each[3] for each in FILES if list(each[:3]) == of)
    header = whole.index(b"data") + (24 if of[0] == "W64" else 8)
    return len(whole) - len(data) in (header, header - 8)


WORDS = [
    *(
        "NG",
        "NOK",
        "nok",
        "niO",
        "not",
        "good",
        "healthy",
        "normal",
        "abnormal",
        "anomaly",
        "defekt",
    ),
    *("fehler", "gut", "panne", "roto", "ok", "test", "train", "free", "detection", "2026-05-01"),
    *("20260501", "engine2", "pump", "section_00", "source", "target"),
]
MARKS = [
    "_",
    "-",
    " ",
    ".",
    "",
    "[",
    "]",
    "*",
    "~",
    "%",
    "\n",
    "'",
    '"',
    ";",
    ",",
    "é",
    "日本",
    "\udce9",
]


def names(draw: random.Random, folder: Path) -> tuple[Any, str]:  # noqa: ARG001 - one form for all
    """Look at a folder of files with names of label words, marks, and any bytes."""
    return [_name(draw) for _ in range(NAMES_AT_ONCE)], "names"


def _name(draw: random.Random) -> str:
    if draw.random() < 0.3:
        name = os.fsdecode(draw.randbytes(draw.randint(1, 30)))
    else:
        name = "".join(draw.choice(WORDS) + draw.choice(MARKS) for _ in range(draw.randint(1, 4)))
    ends = [".wav", ".WAV", ".m4a", ".csv", "", ".wav.txt", "/a.wav", "/x.flac"]
    name = name.replace("/", "").replace("\0", "") + draw.choice(ends)
    return os.fsdecode(os.fsencode(name))  # bytes that came together may be a letter


def check_names(case: Any, folder: Path) -> str:
    written = set()
    for name in case:
        path = folder / "pump" / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        except OSError:
            continue
        written.add(path)
        label_in(path.stem)
    contents = walk(folder / "pump")
    listed = [*contents.recordings, *(path for path, _ in contents.unusable)]
    if len(set(listed)) != len(listed) or not set(listed) <= written:
        raise WrongError("a file is listed twice, or one that is not there")
    try:
        manifest = load_manifest(folder / "pump")
    except InputError as error:
        _check_sentence(error)
        return "refused"
    if {clip.path for clip in manifest} | {path for path, _ in contents.unusable} != set(listed):
        raise WrongError("a recording is missing from the data set")
    for clip in manifest:
        manifest.shown_path(clip).encode()
        if clip.split == "train" and clip.label == "anomaly":
            raise WrongError(f"{clip.path}: an anomaly to learn from")
    for line in (*manifest.notes, *manifest.left_out):
        if printable(line) != line:
            raise WrongError(f"a line that cannot be printed: {line!r}")
    return "read"


COLUMNS = ("path", "label", "split", "section", "condition", "repeat", "domain", "odd")
CELLS = (
    "a.wav",
    "b.wav",
    "normal",
    "anomaly",
    "train",
    "test",
    "0",
    "1",
    "00",
    "",
    '"',
    "x,y",
    "é",
)


def tables(draw: random.Random, folder: Path) -> tuple[Any, str]:  # noqa: ARG001 - one form for all
    """Read a CSV table: a right one in any way of writing it, or of any cells, or any bytes."""
    way = draw.random()
    if way < 0.1:
        return (draw.randbytes(draw.randrange(200)), None), "bytes"
    columns = draw.sample(COLUMNS, draw.randint(1, 5)) if way < 0.5 else ["path", "label"]
    rows = [[draw.choice(CELLS) for _ in columns] for _ in range(draw.randint(0, 4))]
    expected = None
    if way >= 0.5:
        rows = [[name, draw.choice(("normal", "anomaly", ""))] for name in ("a.wav", "b.wav")]
        expected = {name: label or "normal" for name, label in rows}
    mark, end = draw.choice(",,,;\t|"), draw.choice(["\n", "\r\n", "\r"])
    quote = draw.choice(["", "", '"'])
    lines = [mark.join(f"{quote}{cell}{quote}" for cell in row) for row in (columns, *rows)]
    encoding = draw.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16", "cp1252"])
    return ((end.join(lines) + draw.choice(["", end])).encode(encoding), expected), "table"


def check_tables(case: Any, folder: Path) -> str:
    content, expected = case
    for name in ("a.wav", "b.wav"):
        (folder / name).touch()
    (folder / "t.csv").write_bytes(content)
    try:
        manifest = load_manifest(folder / "t.csv")
    except InputError as error:
        _check_sentence(error)
        return "refused"
    labels = {clip.path.name: clip.label for clip in manifest}
    if expected is not None and labels != expected:
        raise WrongError(f"{labels} for {expected}")
    if not set(labels) <= {"a.wav", "b.wav"}:
        raise WrongError(f"{labels}")
    return "read"


def scores(draw: random.Random, folder: Path) -> tuple[Any, str]:  # noqa: ARG001 - one form for all
    """Read a score file of any separator, numbers, header and encoding, or any bytes."""
    if draw.random() < 0.15:
        return (draw.randbytes(draw.randrange(300)), None, 0.0), "bytes"
    digits = draw.randint(0, 6)
    numbers = [
        draw.choice([draw.uniform(-10, 10), draw.uniform(0, 1e6), float(draw.randrange(2000))])
        for _ in range(draw.randint(1, 6))
    ]
    mark = draw.choice([",", ";", "\t", ", ", "; ", "|"])
    thousands = "," if digits else ""  # 1.117 is a number with a point too
    form, comma = draw.choice(["", thousands]), draw.random() < 0.4
    form += f".{digits}" + draw.choice("fe" if not form else "f")
    texts = [format(number, form) for number in numbers]
    group = draw.choice([",", ",", " ", "\xa0", "\u202f", "'"])
    marks = {",": "." if comma and group == "," else group, ".": "," if comma else "."}
    texts = [text.translate(str.maketrans(marks)) for text in texts]
    quote = draw.choice(["", "", '"'])
    lines = [
        f"section_00_source_test_normal_{place:04d}.wav{mark}{quote}{text}{quote}"
        for place, text in enumerate(texts)
    ]
    head = draw.choice([[], [], ["file,score"], [f"file{mark}score"], ["sep=;"], [""]])
    text = draw.choice(["\n", "\r\n"]).join([*head, *lines, ""])
    if draw.random() < 0.1:
        text = text[: draw.randrange(len(text))]
        numbers = []
    content = text.encode(draw.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16"]))
    size = max(map(abs, numbers), default=0)
    error = 0.51 * 10.0**-digits * (size if "e" in form else 1) + 1e-9 * size
    return (content, numbers or None, error), "scores"


def check_scores(case: Any, folder: Path) -> str:
    content, numbers, error = case
    file = folder / "anomaly_score_fan_section_00_test.csv"
    file.write_bytes(content)
    try:
        read = read_scores(file).sort("path")["score"].to_list()
    except InputError as refusal:
        _check_sentence(refusal)
        return "refused"
    if not np.isfinite(read).all():
        raise WrongError(f"{read}")
    if numbers is not None and (
        len(read) != len(numbers) or not np.allclose(read, numbers, rtol=0, atol=error)
    ):
        raise WrongError(f"{read} for {numbers}")
    return "read"


def _check_sentence(error: InputError) -> None:
    if "\n" in str(error) or "remove" in str(error):
        raise WrongError(f"a message: {str(error)!r}")


Draw = Callable[[random.Random, Path], tuple[Any, str]]
ALL: dict[str, tuple[Draw, Callable[[Any, Path], str], int]] = {
    "sounds": (sounds, check_sounds, 1),
    "names": (names, check_names, NAMES_AT_ONCE),
    "tables": (tables, check_tables, 1),
    "scores": (scores, check_scores, 1),
}


def tried(kind: str, count: int, seed: int, failures: Path) -> Counter[str]:
    """Return how many inputs of a kind were read, noted, refused, or failed."""
    draw_case, check, size = ALL[kind]
    results: Counter[str] = Counter()
    for number in range(-(-count // size)):
        draw = random.Random(f"{kind} {seed} {number}")
        with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
            case, about = draw_case(draw, Path(folder))
            signal.alarm(HANGS_AFTER)
            try:
                result = check(case, Path(folder))
            except Exception as error:  # whatever a reader raises beside InputError is a failure
                result = "failed"
                _keep(failures, f"{kind}-{seed}-{number}", about, case, error)
            finally:
                signal.alarm(0)
        results[result] += size
    return results


def _keep(failures: Path, name: str, about: str, case: Any, error: Exception) -> None:
    print(f"{name} ({about}): {type(error).__name__}: {str(error)[:300]}", flush=True)
    failures.mkdir(parents=True, exist_ok=True)
    (failures / name).write_text(f"{about}\n{case!r}\n{''.join(traceback.format_exception(error))}")


def _hang(*_: object) -> None:
    raise TimeoutError(f"no answer within {HANGS_AFTER} s")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000, help="inputs of each kind")
    parser.add_argument("--seed", type=int, default=0, help="another one, other inputs")
    parser.add_argument("--kind", choices=ALL, action="append", help="only these")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/fuzz"), help="for failures")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGALRM, _hang)
    for kind in options.kind or ALL:
        began = time.process_time()
        results = tried(kind, options.count, options.seed, options.output)
        parts = ", ".join(f"{count} {result}" for result, count in results.most_common())
        print(
            f"{kind}: {results.total()} inputs: {parts}; {time.process_time() - began:.0f} s CPU",
            flush=True,
        )


if __name__ == "__main__":
    main()
