"""`dgmix watch export`: the tables as Parquet files."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from dgmix.files import atomic_path, make_folder

TABLES = ("windows", "events", "labels", "spans", "clips", "sources", "detectors")


def export_parquet(connection: sqlite3.Connection, folder: Path) -> list[Path]:
    """Write one Parquet file for each table to a folder, and return their paths.

    Times are seconds since 1970, UTC, as in the database.
    """
    import polars

    make_folder(folder)
    written = []
    for table in TABLES:
        cursor = connection.execute(f"SELECT * FROM {table}")
        names = [column[0] for column in cursor.description]
        rows = [tuple(row) for row in cursor]
        frame = polars.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)
        path = folder / f"{table}.parquet"
        with atomic_path(path) as temporary:
            frame.write_parquet(temporary)
        written.append(path)
    return written
