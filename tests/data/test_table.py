"""CSV tables of recordings."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from dgmix.data import Clip, Manifest, load_manifest
from dgmix.errors import InputError


def table(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    """Write `text` as a table, and the files a.wav, b.wav and sub/c.wav beside it."""
    (folder / "sub").mkdir()
    for name in ("a.wav", "b.wav", "sub/c.wav"):
        (folder / name).touch()
    path = folder / "pump.csv"
    path.write_bytes(text.encode(encoding))
    return path


def read(folder: Path, text: str) -> Manifest:
    return load_manifest(table(folder, text))


def test_every_column_is_read(tmp_path: Path) -> None:
    manifest = read(
        tmp_path,
        "repeat,path,machine,section,domain,split,label,attributes\n"
        "3,a.wav,fan,00,target,test,anomaly,vel_1\n"
        "0,sub/c.wav,valve,07,source,train,normal,\n",
    )
    assert list(manifest) == [
        Clip(tmp_path / "a.wav", "fan", "00", "target", "test", "anomaly", "vel_1", 3),
        Clip(tmp_path / "sub/c.wav", "valve", "07", "source", "train", "normal", "", 0),
    ]
    assert [manifest.shown_path(clip) for clip in manifest] == ["a.wav", "sub/c.wav"]


def test_only_the_path_is_needed(tmp_path: Path) -> None:
    manifest = read(tmp_path, "path\na.wav\n")
    assert list(manifest) == [Clip(tmp_path / "a.wav", "pump")]


@pytest.mark.parametrize(
    ("cells", "split", "label"),
    [
        (",", "train", "normal"),
        (",anomaly", "test", "anomaly"),
        (",unknown", "test", "unknown"),
        ("test,", "test", "unknown"),
        ("train,", "train", "normal"),
    ],
)
def test_split_and_label_complete_each_other(
    tmp_path: Path, cells: str, split: str, label: str
) -> None:
    (clip,) = read(tmp_path, f"path,split,label\na.wav,{cells}\n")
    assert (clip.split, clip.label) == (split, label)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffpath,section\r\na.wav,00\r\n",
        'path,section\n"a.wav","00"',
        " path , section \n\n a.wav , 00 \n\n",
    ],
)
def test_what_other_programs_write_is_read(tmp_path: Path, text: str) -> None:
    assert list(read(tmp_path, text)) == [Clip(tmp_path / "a.wav", "pump")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_spreadsheets_of_every_country_are_read(
    tmp_path: Path, separator: str, encoding: str
) -> None:
    lines = [["section", "path"], ['"1,5"', "a.wav"], ["ö", '"b.wav"']]
    text = "\r\n".join(separator.join(cells) for cells in lines)
    clips = load_manifest(table(tmp_path, text, encoding))
    assert [clip.section for clip in clips] == ["1,5", "ö"]


def test_paths_may_lead_out_of_the_folder_or_be_absolute(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    path = table(tmp_path, "")
    inner = tmp_path / "tables" / "t.csv"
    inner.write_text(f"path\n../sub/c.wav\n{tmp_path}/a.wav\n")
    path.unlink()
    manifest = load_manifest(inner)
    assert manifest.root == tmp_path
    assert [manifest.shown_path(clip) for clip in manifest] == ["sub/c.wav", "a.wav"]


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 1, "no column 'path'"),
        ("path;lable\na.wav;normal\n", 1, "unknown column 'lable'"),
        ("pfad;section\na.wav;00\n", 1, "no column 'path'"),
        ("path,lable\na.wav,normal\n", 1, "unknown column 'lable'"),
        ("path,path\na.wav,a.wav\n", 1, "twice"),
        ("path,label\na.wav,normal\nb.wav,abnormal\n", 3, "label 'abnormal' is none of normal"),
        ("path,domain\na.wav,left\n", 2, "domain 'left' is none of source"),
        ("path,machine\na.wav,../fan\n", 2, "machine '../fan' cannot be part of a file name"),
        ("path,machine\na.wav,..\n", 2, "machine '..' cannot be"),
        ("path,section\na.wav,a\\b\n", 2, "section 'a\\\\b' cannot be"),
        ("path,split\na.wav,dev\n", 2, "split 'dev' is none of train"),
        ("path,repeat\na.wav,-1\n", 2, "repeat '-1' is not a whole number"),
        ("path,repeat\na.wav,²\n", 2, "is not a whole number"),
        ("path,label\na.wav\n", 2, "1 cells for 2 columns"),
        ("path\na.wav,normal\n", 2, "2 cells for 1 columns"),
        ("path,label\n\n,normal\n", 3, "the path is empty"),
        ("path\ngone.wav\n", 2, "there is no file"),
        ("path\nsub\n", 2, "there is no file"),
        ("path\na.wav\nsub/../a.wav\n", 3, "listed before"),
        ("path,split,label\na.wav,train,anomaly\n", 2, "an anomaly cannot be a training clip"),
        ('path\n"a.wav\n', 2, "unexpected end of data"),
        ('path\n"a.wav\nb.wav"\n', 3, "there is no file"),
        ('path,label\na.wav,"good\r\n"\n', 3, "is none of normal"),
        ('path,"la\nbel"\na.wav,x\n', 1, "unknown column"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, text: str, line: int, problem: str
) -> None:
    path = table(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load_manifest(path)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path}, line {line}: ")
    assert problem in sentence
    assert "\n" not in sentence


def test_the_same_file_may_stand_in_several_repeats(tmp_path: Path) -> None:
    manifest = read(tmp_path, "repeat,path,split\n0,a.wav,train\n1,a.wav,test\n")
    assert manifest.repeats == [0, 1]


def test_a_table_without_lines_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"pump\.csv: no recordings in this table"):
        read(tmp_path, "path,label\n")


def test_a_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path, "path\na.wav\nüber.wav\n", encoding="latin-1")
    with pytest.raises(InputError, match=r"pump\.csv: not a text file in UTF-8"):
        load_manifest(path)


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.csv: no such file"):
        load_manifest(tmp_path / "gone.csv")


@pytest.mark.parametrize(
    ("name", "rows", "repeats", "first"),
    [
        ("dcase2023_valve", 1000, 10, "section_00_source_test_anomaly_0000_pat_00.flac"),
        ("lathe", 4920, 5, "anomaly/source_0001.flac"),
        ("mimii_fan", 400, 10, "abnormal/00000000.flac"),
    ],
)
def test_reads_the_fixed_splits(
    real_data: Path, name: str, rows: int, repeats: int, first: str
) -> None:
    manifest = load_manifest(real_data / "protocols" / f"{name}.csv")
    assert len(manifest) == rows
    assert manifest.repeats == list(range(repeats))
    assert manifest.shown_path(manifest[0]) == first
    assert not Counter(clip.label for clip in manifest.select(split="train"))["anomaly"]
