import json
import math

import pytest

from dgmix.errors import InputError
from dgmix.evaluate.report.training import read_logs


def write_log(run, folder, *rows, tail=""):
    path = run / folder / "log.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows) + tail, "utf-8")
    return path


def epoch(number, stage="pretrain", **values):
    return {"stage": stage, "epoch": number, "loss": 1.0, **values}


def test_logs_are_ordered_by_machine_repeat_and_seed(tmp_path):
    for folder in (
        "valve/seed2/network3",
        "valve/seed2",
        "valve/seed10",
        "fan/repeat1/seed0",
        "fan/repeat0/seed1",
    ):
        write_log(tmp_path, folder, epoch(1))
    write_log(tmp_path, "fan/seedling", epoch(1))
    logs = read_logs(tmp_path)
    assert [(log.machine, log.name) for log in logs] == [
        ("fan", "repeat 0, seed 1"),
        ("fan", "repeat 1, seed 0"),
        ("valve", "seed 2"),
        ("valve", "seed 2, network 3"),
        ("valve", "seed 10"),
    ]


def test_a_run_without_logs_has_none(tmp_path):
    assert read_logs(tmp_path) == []


def test_stages_come_in_the_order_they_ran(tmp_path):
    write_log(tmp_path, "fan/seed0", epoch(1), epoch(2), epoch(1, "finetune", classification=2.0))
    (log,) = read_logs(tmp_path)
    assert list(log.stages) == ["pretrain", "finetune"]
    assert [row["epoch"] for row in log.stages["pretrain"]] == [1, 2]
    assert log.stages["finetune"][0]["classification"] == 2.0


def test_the_later_of_two_lines_for_an_epoch_counts(tmp_path):
    write_log(tmp_path, "fan/seed0", epoch(1), epoch(2, lr=1.0), epoch(2, lr=2.0), epoch(3))
    (log,) = read_logs(tmp_path)
    assert [row.get("lr") for row in log.stages["pretrain"]] == [None, 2.0, None]


def test_values_that_are_not_finite_stay(tmp_path):
    write_log(
        tmp_path, "fan/seed0", epoch(1, lr=math.nan), epoch(2, lr=math.inf), epoch(3, lr=None)
    )
    (log,) = read_logs(tmp_path)
    values = [row["lr"] for row in log.stages["pretrain"]]
    assert math.isnan(values[0])
    assert values[1] == math.inf
    assert math.isnan(values[2])


def test_a_last_line_that_breaks_off_is_left_out(tmp_path):
    write_log(tmp_path, "fan/seed0", epoch(1), tail='{"stage": "pretrain", "ep')
    (log,) = read_logs(tmp_path)
    assert len(log.stages["pretrain"]) == 1


@pytest.mark.parametrize("line", ["nonsense", "[1, 2]", '{"stage": "pretrain"}', "3"])
def test_another_broken_line_is_named(tmp_path, line):
    path = write_log(tmp_path, "fan/seed0", tail=f"{line}\n{json.dumps(epoch(1))}\n")
    with pytest.raises(InputError, match="line 1 is not an epoch") as error:
        read_logs(tmp_path)
    assert str(path) in str(error.value)
