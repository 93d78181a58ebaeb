"""Score files: what is read, what is written, and what is refused with file and line."""

from __future__ import annotations

from collections import Counter

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgmix.errors import InputError
from dgmix.evaluate.scores import (
    SCHEMA,
    SCORE_COLUMNS,
    read_run,
    read_scores,
    shown_system,
    submission_files,
    systems_of,
    write_scores,
    write_submission,
)

HEADER = ",".join(SCORE_COLUMNS)
NORMAL = "section_03_source_test_normal_0001_m-n_X.wav"
ANOMALY = "section_03_target_test_anomaly_0002_m-n_W.wav"


def own(folder, name="scores.csv", rows=("fan/test/a.wav,fan,00,source,test,normal,0.5",)):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join([HEADER, *rows]) + "\n")
    return folder / name


def submission(folder, text, name="anomaly_score_fan_section_03_test.csv"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def table(**columns):
    clip = {
        "system": "dgmix",
        "repeat": 0,
        "seed": 0,
        "path": "fan/test/a.wav",
        "machine": "fan",
        "section": "00",
        "domain": "source",
        "split": "test",
        "label": "normal",
        "score": 0.5,
    }
    return pl.DataFrame(clip | columns, schema=SCHEMA)


def test_a_run_is_read_with_system_seed_and_repeat_from_the_names(tmp_path):
    own(tmp_path / "fan" / "seed3")
    own(tmp_path / "fan" / "seed3", "scores_logmel-mean.csv")
    own(tmp_path / "valve" / "repeat2" / "seed1", rows=["v.wav,valve,01,target,test,anomaly,2"])
    submission(tmp_path / "fan" / "seed3", f"{NORMAL},1\n")
    scores = read_run(tmp_path)
    assert dict(scores.schema) == SCHEMA
    assert scores.select("system", "repeat", "seed", "machine").rows() == [
        ("dgmix", 0, 3, "fan"),
        ("dgmix", 2, 1, "valve"),
        ("logmel-mean", 0, 3, "fan"),
    ]
    assert read_scores(tmp_path).equals(scores)


def test_our_form_fills_in_what_may_be_missing_and_keeps_what_is_added(tmp_path):
    file = tmp_path / "pump_lab.csv"
    file.write_text("label,seed,path,machine,score,note\nanomaly,4,x.wav,pump,-1e-3,hm\n\n")
    assert read_scores(file).row(0, named=True) == {
        "system": "pump_lab",
        "repeat": 0,
        "seed": 4,
        "path": "x.wav",
        "machine": "pump",
        "section": "00",
        "domain": "source",
        "split": "test",
        "label": "anomaly",
        "score": -1e-3,
    }


@pytest.mark.parametrize(
    ("name", "clip", "expected"),
    [
        ("fan_section_03_test", ANOMALY, "fan 03 target anomaly"),
        ("fan_section_03_target_test", ANOMALY, "fan 03 target anomaly"),
        ("ToyCar_id_04", "normal_id_04_00000006.wav", "ToyCar id_04 source normal"),
        ("ToyCar_id_04_test", "anomaly_id_04_00000006.flac", "ToyCar id_04 source anomaly"),
        ("big_pump_section_id_00_test", f"pump/{NORMAL}", "big_pump id_00 source normal"),
    ],
)
def test_submission_names_tell_machine_section_domain_and_label(tmp_path, name, clip, expected):
    scores = read_scores(
        submission(tmp_path / "team_1", f"{clip},0.25\r\n", f"anomaly_score_{name}.csv")
    )
    assert scores.select("machine", "section", "domain", "label").row(0) == tuple(expected.split())
    assert scores.select("system", "path", "split", "score").row(0) == (
        "team_1",
        clip,
        "test",
        0.25,
    )


def test_a_folder_of_submissions_reads_every_system_beneath(tmp_path):
    for team in ("a", "b"):
        submission(tmp_path / team, f"{NORMAL},1\n{ANOMALY},2\n")
    assert read_scores(tmp_path)["system"].to_list() == ["a", "a", "b", "b"]


def ground_truth(folder, label="1", domain="1"):
    for kind, number in (("data", label), ("domain", domain)):
        name = "ground_truth_fan_section_03_test.csv"
        submission(folder / f"ground_truth_{kind}", f"section_03_0000.wav,{number}\n", name)
    return folder


@pytest.mark.parametrize(
    ("label", "domain", "expected"),
    [("0", "0", ("normal", "source")), ("1", "1", ("anomaly", "target"))],
)
def test_anonymous_names_take_label_and_domain_from_the_ground_truth(
    tmp_path, label, domain, expected
):
    truth = ground_truth(tmp_path / "truth", label, domain)
    scores = read_scores(submission(tmp_path, "section_03_0000.wav,1.5\n"), truth)
    assert scores.select("label", "domain").row(0) == expected


def test_the_ground_truth_also_completes_our_own_form(tmp_path):
    row = "fan/test/section_03_0000.wav,fan,03,unknown,test,unknown,1"
    file = own(tmp_path, rows=[row, "fan/test/a.wav,fan,03,source,test,normal,1"])
    assert read_scores(file)["label"].to_list() == ["normal", "unknown"]
    scores = read_scores(file, ground_truth(tmp_path / "truth"))
    assert scores.select("domain", "label").rows() == [("source", "normal"), ("target", "anomaly")]


def test_the_organisers_ground_truth_is_balanced_and_agrees_with_the_attribute_names(
    tmp_path, real_data
):
    truth = real_data / "dcase2022_ground_truth"
    names = (truth / "ground_truth_attributes/fan/attributes_03.csv").read_text().splitlines()[1:]
    labels = {row.split("/")[2].split(",")[0]: row.rsplit("/", 1)[1] for row in names}
    scores = read_scores(submission(tmp_path, "".join(f"{clip},1\n" for clip in labels)), truth)
    for path, domain, label in scores.select("path", "domain", "label").iter_rows():
        assert labels[path].startswith(f"section_03_{domain}_test_{label}_")
    groups = Counter(scores.select("domain", "label").iter_rows())
    assert set(groups.values()) == {50}


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_written_submissions_read_back_to_the_same_numbers(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("submission")
    paths = [f"fan/test/section_00_source_test_normal_{i:04d}.wav" for i in range(len(values))]
    scores = pl.concat(table(path=p, score=v) for p, v in zip(paths, values, strict=True))
    (file,) = write_submission(folder, scores)
    assert file.name == "anomaly_score_fan_section_00_test.csv"
    assert read_scores(file)["score"].to_list() == values
    assert read_scores(file)["path"].to_list() == [p.rsplit("/", 1)[1] for p in paths]


def test_a_submission_shows_names_or_paths_where_names_are_not_unique_and_test_clips_only():
    clips = [table(path="ok/1.wav"), table(path="bad/1.wav", score=2.0)]
    train = table(path="ok/2.wav", split="train")
    assert submission_files(pl.concat([clips[0], train])) == {
        "anomaly_score_fan_section_00_test.csv": "1.wav,0.5\n"
    }
    assert submission_files(pl.concat(clips)) == {
        "anomaly_score_fan_section_00_test.csv": "bad/1.wav,2.0\nok/1.wav,0.5\n"
    }


def test_a_2020_section_has_its_own_file_name():
    (name,) = submission_files(table(section="id_04", path="x/normal_id_04_00000001.wav"))
    assert name == "anomaly_score_fan_id_04.csv"


def test_our_own_form_reads_back(tmp_path):
    scores = pl.concat([table(), table(path="b, c.wav", score=0.1 + 0.2, label="unknown")])
    write_scores(tmp_path / "seed0" / "scores.csv", scores)
    assert read_run(tmp_path).equals(scores.sort("path"))


def test_systems_come_in_the_order_of_the_tables():
    scores = pl.concat(table(system=s) for s in ("zeta", "logmel-max", "alpha", "dgmix"))
    assert systems_of(scores) == ["dgmix", "logmel-max", "alpha", "zeta"]
    assert [shown_system(s) for s in systems_of(scores)[:3]] == ["dgmix", "log-mel max", "alpha"]


GOOD = "a.wav,fan,00,source,test,normal,1"


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([GOOD, "b.wav,fan,00,source,test,normal,loud"], "line 3: score 'loud' is not a number"),
        (["b.wav,fan,00,source,test,normal,nan"], "line 2: score nan is not finite"),
        (["b.wav,fan,00,source,test,normal,-inf"], "line 2: score -inf is not finite"),
        (["b.wav,fan,00,source,test,broken,1"], "line 2: label 'broken' is not one of normal"),
        (["b.wav,fan,00,north,test,normal,1"], "line 2: domain 'north' is not one of source"),
        (["b.wav,fan,00,source,test,normal"], "line 2: 6 cells instead of 7"),
        ([GOOD, GOOD], "'a.wav' is scored a second time"),
        ([], "no score in it"),
    ],
)
def test_bad_rows_are_refused_with_file_and_line(tmp_path, rows, complaint):
    file = own(tmp_path, rows=rows)
    with pytest.raises(InputError, match=complaint) as caught:
        read_scores(file)
    assert str(caught.value).startswith(str(file))


def test_the_same_clip_in_two_files_of_one_system_is_refused(tmp_path):
    own(tmp_path / "fan" / "seed0")
    own(tmp_path / "copy" / "seed0")
    with pytest.raises(InputError, match=r"scored a second time \(before: .*copy"):
        read_run(tmp_path)


def test_two_runs_of_other_clips_of_one_section_are_refused(tmp_path):
    """As of two years: together they would be judged as one set."""
    own(tmp_path / "2022" / "seed0", rows=[GOOD])
    own(tmp_path / "2023" / "seed0", rows=[GOOD.replace("a.wav", "b.wav")])
    with pytest.raises(InputError, match=r"2023.*: scores of fan 00, as in .*2022.* by itself"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"path,machine,score\na.wav,fan,1\n", "column 'label' is missing"),
        (b"path,machine,label,score,seed\na.wav,fan,normal,1,x\n", "line 2: repeat and seed must"),
        (b"path,machine,label,score\n\xff,fan,normal,1\n", "not a text file in UTF-8"),
        (b"", "no score in it"),
        ("path,machine,label,score\n".encode("utf-16-le"), "not a text file in UTF-8"),
        ("path,machine,label,score\n".encode("utf-32"), "not a text file in UTF-8"),
        ("path;machine;label;score\nä,1\n".encode("cp1252"), "not a text file in UTF-8"),
    ],
)
def test_bad_files_are_refused(tmp_path, content, complaint):
    (tmp_path / "scores.csv").write_bytes(content)
    with pytest.raises(InputError, match=complaint):
        read_scores(tmp_path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (f"clip and its score\n{NORMAL},1\n", "line 1: 1 cells"),
        (f"{NORMAL},0,94\n", "line 1: 3 cells"),
        (f"{NORMAL};0,94\n{ANOMALY};0.3\n", "a comma .line 1: 0,94. and with a point .line 2: 0.3"),
        *(
            (f"{NORMAL}{mark}5,69e+00\n", "line 1: .*5' and '69e.00' may be halves of a number")
            for mark in ("|", " ", ": ", " = ")
        ),
        (f"{NORMAL};1.234,5\n", "line 1: .*wav;1.234' and '5' may be halves of a number"),
        *(
            (f"{NORMAL};941{mark}715,5\n", "line 1: .*941.715' and '5' may be halves")
            for mark in (" ", "\xa0", "\u202f", "'", "\u2019", ".")
        ),
        *(
            (f"{NORMAL},{score}\n", "line 1: score '.*' is not a number")
            for score in ("1_000", "0x1p3", "3 %", "9.4D-01", "#N/A", "\u22121.3")
        ),
        *((f"{NORMAL},{score}\n", "is not finite") for score in ("NaN", "-inf", "1e999")),
        (f'{NORMAL},"941,715.405"\n', "line 1: score '941,715.405' is not a number"),
        (f"{NORMAL},tensor(0.3)\n", r"line 1: score 'tensor\(0.3\)' is not a number"),
        (f"{NORMAL},1\n{ANOMALY},\n", "line 2: score '' is not a number"),
        (f"{NORMAL},1,2\n", "line 1: 3 cells"),
        ("section_03_0000.wav,1\n", "line 1: the name 'section_03_0000.wav' does not tell"),
        ("\n\n", "no score in it"),
    ],
)
def test_bad_submissions_are_refused(tmp_path, text, complaint):
    with pytest.raises(InputError, match=complaint):
        read_scores(submission(tmp_path, text))


def test_bad_ground_truth_is_refused(tmp_path):
    file = submission(tmp_path, "section_03_0000.wav,1\n")
    with pytest.raises(InputError, match="no folder ground_truth_data"):
        read_scores(file, tmp_path)
    with pytest.raises(InputError, match="line 1: expected a file name and 0 or 1"):
        read_scores(file, ground_truth(tmp_path / "truth", label="2"))
    (tmp_path / "truth/ground_truth_data/ground_truth_fan_section_03_test.csv").unlink()
    with pytest.raises(InputError, match="ground_truth_fan_section_03_test"):
        read_scores(file, tmp_path / "truth")
    other = submission(tmp_path / "x", "section_03_0001.wav,1\n")
    with pytest.raises(InputError, match="does not tell"):
        read_scores(other, ground_truth(tmp_path / "truth"))


def test_a_place_without_scores_is_refused(tmp_path):
    with pytest.raises(InputError, match="no score file here"):
        read_scores(tmp_path)
    with pytest.raises(InputError, match="no score file here"):
        read_run(tmp_path)
    with pytest.raises(InputError, match=r"nowhere.csv: no such file"):
        read_scores(tmp_path / "nowhere.csv")


ROWS = [(NORMAL, 0.25), (ANOMALY, -1.5), (NORMAL.replace("0001", "0002"), 1e-05)]


def comma(number: float) -> str:
    return repr(number).replace(".", ",")


FORMS = {
    "commas and points": "".join(f"{n},{s!r}\n" for n, s in ROWS),
    "semicolons and decimal commas": "".join(f"{n};{comma(s)}\n" for n, s in ROWS),
    "semicolons and points": "".join(f"{n};{s!r}\n" for n, s in ROWS),
    "tabs and decimal commas": "".join(f"{n}\t{comma(s)}\n" for n, s in ROWS),
    "quoted decimal commas": "".join(f'{n},"{comma(s)}"\n' for n, s in ROWS),
    "Excel's first line": "sep=;\n" + "".join(f"{n};{comma(s)}\n" for n, s in ROWS),
    "a header": "file,score\n" + "".join(f"{n},{s!r}\n" for n, s in ROWS),
    "a pandas index": ",file,score\n"
    + "".join(f"{i},{n},{s!r}\n" for i, (n, s) in enumerate(ROWS)),
    "spaces": "".join(f" {n} , {s!r} \n" for n, s in ROWS),
    "a byte order mark": "\ufeff" + "".join(f"{n},{s!r}\r\n" for n, s in ROWS),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_way_to_write_a_score_file_gives_the_same_numbers(tmp_path, form):
    scores = read_scores(submission(tmp_path, FORMS[form]))
    assert dict(scores.select("path", "score").iter_rows()) == dict(ROWS)


def test_utf_16_of_spreadsheets_is_read(tmp_path):
    file = submission(tmp_path, "")
    file.write_bytes(FORMS["tabs and decimal commas"].encode("utf-16"))
    assert dict(read_scores(file).select("path", "score").iter_rows()) == dict(ROWS)


def test_a_name_with_a_semicolon_stays_whole(tmp_path):
    name = NORMAL.replace(".wav", ";x.wav")
    assert read_scores(submission(tmp_path, f"{name},0.5\n"))["path"].to_list() == [name]


def test_paths_of_windows_tell_what_their_names_do(tmp_path):
    scores = read_scores(submission(tmp_path, f"C:\\data\\fan\\test\\{ANOMALY},0.5\n"))
    assert scores["label"].to_list() == ["anomaly"]


def test_our_own_form_with_semicolons_and_decimal_commas(tmp_path):
    file = tmp_path / "scores.csv"
    file.write_text("path;machine;label;score\na.wav;fan;normal;0,94\nb.wav;fan;anomaly;2\n")
    assert read_scores(file)["score"].to_list() == [0.94, 2.0]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8))
def test_any_number_is_the_same_in_every_form(tmp_path_factory, numbers):
    folder = tmp_path_factory.mktemp("forms")
    names = [f"section_00_source_test_normal_{n:04d}.wav" for n in range(len(numbers))]
    for between, shown in ((",", repr), (";", comma), ("\t", comma), (";", repr)):
        text = "".join(
            f"{name}{between}{shown(n)}\n" for name, n in zip(names, numbers, strict=True)
        )
        scores = read_scores(submission(folder, text)).sort("path")
        assert scores["score"].to_list() == numbers
