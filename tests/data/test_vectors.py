"""Files of vectors: what is written comes back, and what is no vector is one sentence."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import polars
import pytest

from dgmix import InputError
from dgmix.data.vectors import VectorTable, read_vectors

VALUES = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
FRAME = polars.DataFrame(VALUES, schema=["rms", "peak"])
LABELS = {"name": ["x", "y", "z"], "section": ["00", "01", ""], "condition": ["a", "a", "b"]}
LABELLED = FRAME.hstack(polars.DataFrame(LABELS))
Write = Callable[[Path], object]


@pytest.mark.parametrize(
    ("name", "write", "features"),
    [
        ("v.npy", lambda path: np.save(path, VALUES), ()),
        ("v.npz", lambda path: np.savez(path, VALUES), ()),
        ("v.csv", lambda path: np.savetxt(path, VALUES, delimiter=","), ()),
        ("v.csv", FRAME.write_csv, ("rms", "peak")),
        ("v.parquet", FRAME.write_parquet, ("rms", "peak")),
    ],
)
def test_vectors_come_back(
    name: str, write: Write, features: tuple[str, ...], tmp_path: Path
) -> None:
    write(tmp_path / name)
    table = read_vectors(tmp_path / name)
    assert np.array_equal(table.values, VALUES)
    assert table.values.dtype == np.float32
    assert table.feature_names == features
    assert table.names == [f"{tmp_path / name}:{row}" for row in range(3)]


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("v.npz", lambda path: np.savez(path, vectors=VALUES, other=VALUES, **LABELS)),
        ("v.csv", LABELLED.write_csv),
        ("v.parquet", LABELLED.write_parquet),
    ],
)
def test_columns_say_what_a_vector_is_of(name: str, write: Write, tmp_path: Path) -> None:
    write(tmp_path / name)
    table = read_vectors(tmp_path / name)
    assert np.array_equal(table.values, VALUES)
    columns = [table.names, table.sections, table.conditions]
    assert columns == list(LABELS.values())
    assert table.domains is None


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("v.csv", "", "cannot be read as a table"),
        ("v.csv", "a,b\n", "no vector in it"),
        ("v.csv", "a,b\n1,2\n\n3,x\n", "line 4: column 'b' holds 'x', no number"),
        ("v.csv", "a,b\n1\n", "line 2: column 'b' holds '', no number"),
        ("v.csv", "a:b\n1:2\n", "column 'a:b' holds '1:2', no number"),
        ("v.csv", "a,b\n1,nan\n", "row 0 holds a value that is not a finite number"),
        ("v.csv", "a,b\n1,2,3\n", "cannot be read as a table"),
        ("v.csv", "a,a\n1,2\n", "line 1: column 'a' twice"),
        ("v.csv", "a,\n1,2\n", "line 1: a column has no name"),
        ("v.csv", b"a,b\n1,\xff\n", "not a text file in UTF-8"),
        ("v.npy", b"", "a damaged file of arrays"),
        ("v.npy", b"hello", "no arrays of numbers; Python objects are not loaded"),
        ("v.npy", pickle.dumps([1]), "no arrays of numbers; Python objects are not loaded"),
        ("v.npz", b"PK\x03\x04rubbish", "a damaged file of arrays"),
        ("v.parquet", b"PAR1", "cannot be read as a table"),
        ("v.wav", b"RIFF", r"no file of vectors; give one of \.npy, \.npz, \.csv, \.parquet"),
    ],
)
def test_what_is_no_table_is_one_sentence(
    name: str, content: str | bytes, sentence: str, tmp_path: Path
) -> None:
    data = content if isinstance(content, bytes) else content.encode()
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=sentence) as refusal:
        read_vectors(tmp_path / name)
    assert str(refusal.value).startswith(str(tmp_path / name))


@pytest.mark.parametrize(
    ("name", "write", "sentence"),
    [
        ("v.npy", lambda path: np.save(path, np.array([{}], object)), "Python objects"),
        ("v.npz", lambda path: np.savez(path, v=VALUES, name=np.array([{}])), "Python objects"),
        ("v.npz", lambda path: np.savez(path, a=VALUES, b=VALUES), "holds a, b; give one array"),
        ("v.npz", lambda path: np.savez(path, a=VALUES, section=["a"]), "sections: 1 for 3"),
        ("v.npy", lambda path: np.save(path, VALUES[0]), r"shape \(2,\); give vectors"),
        ("v.parquet", polars.DataFrame({"a": ["x"]}).write_parquet, "'a' holds String, no numb"),
        ("v.parquet", polars.DataFrame({"a": [1.0, None]}).write_parquet, "'a' has empty cells"),
    ],
)
def test_arrays_and_frames_of_something_else(
    name: str, write: Write, sentence: str, tmp_path: Path
) -> None:
    write(tmp_path / name)
    with pytest.raises(InputError, match=sentence):
        read_vectors(tmp_path / name)


@pytest.mark.parametrize("text", ["name;a;b\nx;-0,5;1e3\n", "name\ta\tb\nx\t-0.5\t1000\n"])
def test_tables_as_spreadsheets_write_them(text: str, tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_bytes(text.encode("utf-16"))
    table = read_vectors(tmp_path / "v.csv")
    assert table.values.tolist() == [[-0.5, 1000]]
    assert (table.names, table.feature_names) == (["x"], ("a", "b"))


def test_a_header_that_promises_more_than_there_is_fills_no_memory(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", VALUES)
    content = (tmp_path / "v.npy").read_bytes()
    longer = content.replace(b"(3, 2), }" + 12 * b" ", b"(3000000000000, 2), }")
    assert len(longer) == len(content)
    assert longer != content
    (tmp_path / "v.npy").write_bytes(longer)
    with pytest.raises(InputError, match="a damaged file of arrays"):
        read_vectors(tmp_path / "v.npy")


def test_tables_are_joined() -> None:
    first = VectorTable.of(VALUES, "one", sections=["a", "b", "c"])
    joined = VectorTable.joined([first, VectorTable.of(VALUES, "two")])
    assert joined.sections == ["a", "b", "c", "", "", ""]
    assert np.array_equal(joined.values, np.concatenate([VALUES, VALUES]))
    with pytest.raises(InputError, match="two: vectors of 1 numbers, and one of 2"):
        VectorTable.joined([first, VectorTable.of(VALUES[:, :1], "two")])


@pytest.mark.parametrize("name", ["v.npy", "v.npz", "v.csv"])
def test_damage_anywhere_is_one_sentence(name: str, tmp_path: Path) -> None:
    """(Polars prints each panic at damaged Parquet: its files are not among these.)"""
    path = tmp_path / name
    writers: dict[str, Write] = {
        ".npy": lambda path: np.save(path, VALUES),
        ".npz": lambda path: np.savez_compressed(path, VALUES),
        ".csv": FRAME.write_csv,
    }
    writers[path.suffix](path)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for place in rng.integers(len(whole), size=300).tolist():
        changed = bytearray(whole)
        changed[place] = rng.integers(256)
        path.write_bytes(changed[:place] if place % 5 == 0 else changed)
        with suppress(InputError):
            read_vectors(path)
