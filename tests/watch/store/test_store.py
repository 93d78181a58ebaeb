from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import polars
import pytest
from watch_parts import START, TurnedClock

from dgmix.errors import DgmixError, InputError
from dgmix.watch.store import queries, rows
from dgmix.watch.store.export import export_parquet
from dgmix.watch.store.opening import BACKUP, DATABASE, connect
from dgmix.watch.store.rows import EventRow, Message, WindowRow
from dgmix.watch.store.schema import MIGRATIONS
from dgmix.watch.store.store import Store, read_only
from dgmix.watch.store.upkeep import thin
from dgmix.watch.store.writer import StoreBusyError

DAY = 86_400.0


def row(start: float = START, verdict: str = "normal", p_value: float = 0.5) -> WindowRow:
    return WindowRow("pump", start, 10.0, 1.0, p_value, None, verdict, "", None, "pump.dgmix")


def test_what_is_written_is_read_after_a_restart(tmp_path: Path, clock: TurnedClock) -> None:
    with Store(tmp_path, clock) as store:
        store.write(lambda to: rows.insert_window(to, row(), 10.0))
    with Store(tmp_path, clock) as store:
        last = store.read(queries.last_window, "pump")
        assert last is not None
        assert (last["start"], last["p_value"]) == (START, 0.5)
        assert store.read(queries.coverage_seconds, "pump", START - 60, START + 60) == 10.0


def test_sums_go_to_the_minutes_they_lie_in_and_never_exceed_them(store: Store) -> None:
    first = START - START % 60 + 55
    for _ in range(9):
        store.write(lambda to: rows.insert_window(to, row(first), 10.0))
    store.flush()
    spans = store.read(queries.spans, "pump", 60, first - 60, first + 120)
    assert [span["covered"] for span in spans] == [45.0, 45.0]
    store.write_now(lambda to: rows.add_coverage(to, "pump", first, 500.0))
    spans = store.read(queries.spans, "pump", 60, first - 60, first + 60)
    assert max(span["covered"] for span in spans) == 60.0


def test_one_process_at_a_time(tmp_path: Path, clock: TurnedClock, store: Store) -> None:
    script = (
        "import sys; from pathlib import Path; from dgmix.watch.clock import SystemClock;"
        "from dgmix.watch.store.store import Store; Store(Path(sys.argv[1]), SystemClock())"
    )
    other = subprocess.run(
        [sys.executable, "-c", script, str(store.folder)], capture_output=True, text=True
    )
    assert other.returncode != 0
    assert "in use by another dgmix watch (process" in other.stderr


def test_a_failed_operation_fails_alone(store: Store) -> None:
    good = store.write(lambda to: rows.insert_window(to, row(), 10.0))
    bad = store.write(lambda to: to.execute("INSERT INTO nowhere VALUES (1)"))
    also = store.write(lambda to: rows.insert_window(to, row(START + 10), 10.0))
    store.flush()
    assert good.result() == 1
    assert also.result() == 2
    assert bad.exception() is not None


def test_a_locked_database_is_tried_until_it_is_free(store: Store) -> None:
    store.flush()
    with closing(connect(store.path)) as other:
        other.execute("PRAGMA busy_timeout = 0")
        store.writer.call(lambda to: to.execute("PRAGMA busy_timeout = 10"))
        other.execute("BEGIN IMMEDIATE")
        written = store.write(lambda to: rows.insert_window(to, row(), 10.0))
        tried = threading.Event()
        while "locked" not in store.writer.problem:
            tried.wait(0.01)
        assert not written.done()
        other.execute("ROLLBACK")
    assert written.result(10) == 1
    store.flush()
    assert store.writer.problem == ""


def test_a_full_disk_loses_nothing_and_queues_no_more_than_its_limit(
    tmp_path: Path, clock: TurnedClock
) -> None:
    with Store(tmp_path, clock, most_waiting=50) as store:
        store.flush()
        pages = store.read(lambda of: of.execute("PRAGMA page_count").fetchone()[0])
        store.write_now(lambda to: to.execute(f"PRAGMA max_page_count = {pages}"))
        long = replace(row(), view="x" * 5000)
        futures = [store.write(lambda to: rows.insert_window(to, long, 1.0)) for _ in range(50)]
        full = threading.Event()
        while "full" not in store.writer.problem:
            full.wait(0.01)
        with pytest.raises(StoreBusyError, match="cannot keep up"):
            store.write(lambda to: rows.insert_window(to, long, 1.0))
        store.writer._connection.execute("PRAGMA max_page_count = 1073741823")
        numbers = [future.result(30) for future in futures]
        assert numbers == list(range(1, len(futures) + 1))


def test_a_damaged_database_is_put_aside_and_its_backup_restored(
    tmp_path: Path, clock: TurnedClock
) -> None:
    with Store(tmp_path, clock) as store:
        for number in range(200):
            store.write(lambda to, n=number: rows.insert_window(to, row(START + n), 1.0))
        store.flush()
        store.backup()
    data = bytearray((tmp_path / DATABASE).read_bytes())
    data[4096:] = b"\x55" * (len(data) - 4096)
    (tmp_path / DATABASE).write_bytes(data)
    with Store(tmp_path, clock) as store:
        assert "damaged" in store.notice
        assert "backup" in store.notice
        assert store.read(queries.last_window, "pump") is not None
        store.flush()
        assert "damaged" in store.read(queries.notices)[0]["text"]
    (aside,) = tmp_path.glob("*.damaged-*")
    assert aside.read_bytes() == bytes(data)


def test_without_a_backup_a_new_database_takes_its_place(
    tmp_path: Path, clock: TurnedClock
) -> None:
    (tmp_path / DATABASE).write_bytes(b"no database" * 1000)
    with Store(tmp_path, clock) as store:
        assert "a new one takes its place" in store.notice
        assert store.read(queries.last_window, "pump") is None


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path, clock: TurnedClock) -> None:
    with closing(connect(tmp_path / DATABASE)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(InputError, match="newer dgmix"):
        Store(tmp_path, clock)


def test_a_query_that_takes_too_long_is_stopped(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dgmix.watch.store.store.READ_SECONDS", 0.0)
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    )
    with pytest.raises(DgmixError, match="too long"):
        store.read(lambda of: of.execute(endless).fetchone())


def test_readers_cannot_write(store: Store) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        store.read(lambda of: of.execute("DELETE FROM windows"))


def test_old_rows_go_and_what_matters_stays(store: Store, make_settings) -> None:  # type: ignore[no-untyped-def]
    old = START - 100 * DAY

    def fill(to: sqlite3.Connection) -> None:
        rows.insert_window(to, row(old), 10.0)
        rows.insert_window(to, row(old + 10, "ANOMALY", 0.01), 10.0)
        rows.insert_window(to, row(START), 10.0)
        rows.insert_event(to, EventRow("e", "pump", "anomaly", old))
        for at in (old, old + 1):
            rows.insert_message(to, Message("pump", at, {}), ["mqtt"])
        rows.note_delivery(to, 1, "mqtt", old)

    store.write_now(fill)
    store.write_now(lambda to: thin(to, make_settings().storage, START))
    with read_only(store.folder) as of:
        starts = [each[0] for each in of.execute("SELECT start FROM windows ORDER BY start")]
        assert starts == [old + 10, START]
        widths = of.execute("SELECT width, count(*) FROM spans GROUP BY width").fetchall()
        assert [tuple(each) for each in widths] == [(60, 1), (3600, 2)]
        assert len(queries.events(of)) == 1
        assert [each["seq"] for each in queries.waiting(of, "mqtt")] == [2]


def test_labels_are_rows_and_can_be_taken_back(store: Store) -> None:
    store.write_now(lambda to: rows.insert_event(to, EventRow("e", "pump", "anomaly", START)))
    assert store.write_now(lambda to: rows.insert_label(to, "x", "fault", None, "me", 1.0)) is None
    store.write_now(lambda to: rows.insert_label(to, "e", "fault", None, "me", 1.0))
    store.write_now(lambda to: rows.insert_label(to, "e", "healthy", "slow", "you", 2.0))
    (event,) = store.read(queries.events)
    assert (event["label"], event["label_condition"], event["who"]) == ("healthy", "slow", "you")
    assert store.write_now(lambda to: rows.undo_label(to, "e", "me", 3.0)) == 1
    (event,) = store.read(queries.events)
    assert event["label"] is None
    history = store.read(queries.labels, "pump", undone=True)
    assert [(each["verdict"], each["undone_by"]) for each in history] == [
        ("fault", "you"),
        ("healthy", "me"),
    ]


def test_export_as_parquet(store: Store, tmp_path: Path) -> None:
    store.write_now(lambda to: rows.insert_window(to, row(), 10.0))
    with read_only(store.folder) as of:
        written = export_parquet(of, tmp_path / "out")
    frame = polars.read_parquet(tmp_path / "out" / "windows.parquet")
    assert frame.select("machine", "p_value").rows() == [("pump", 0.5)]
    assert {path.stem for path in written} >= {"windows", "events", "labels", "spans"}


def test_reading_a_folder_that_no_watch_wrote_is_explained(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no watch has written here"), read_only(tmp_path):
        pass


def test_the_backup_is_a_whole_database(store: Store) -> None:
    store.write_now(lambda to: rows.insert_window(to, row(), 10.0))
    store.backup()
    with closing(connect(store.folder / BACKUP)) as of:
        assert of.execute("SELECT count(*) FROM windows").fetchone()[0] == 1
