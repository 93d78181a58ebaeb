"""What users of other listening products complain of most, by number, and what would notice it.

Each number names the tests that would fail if the complaint came true of dgmix. The numbers are
those of docs/watching.md, "What goes wrong elsewhere".
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TESTS = {
    1: [
        "live/test_streams.py::test_a_camera_is_heard_and_heard_again_after_its_server_was_away",
        "live/test_streams.py::test_a_server_that_falls_still_without_a_word_is_lost",
        "live/test_streams.py::test_a_killed_ffmpeg_is_started_again",
        "sources/test_stream.py::test_it_is_tried_without_end_at_longer_and_longer_intervals",
    ],
    2: ["sources/test_card.py::test_a_card_is_found_by_its_name_wherever_it_is"],
    3: [
        "sources/test_card.py::test_a_card_that_comes_later_is_listened_to",
        "sources/test_stream.py::"
        "test_a_device_that_gives_only_silence_from_the_start_is_silent_not_listening",
        "test_machine.py::test_a_source_that_never_gave_sound_is_told_too",
    ],
    4: ["test_service.py::test_the_watchdog_is_fed_only_while_windows_are_judged"],
    5: [
        "store/test_clips.py::test_the_budget_is_kept_before_each_write_even_if_all_are_pinned",
        "store/test_clips.py::test_a_full_disk_refuses_clips_and_goes_on",
        "store/test_store.py::test_a_full_disk_loses_nothing_and_queues_no_more_than_its_limit",
        "store/test_store.py::test_old_rows_go_and_what_matters_stays",
    ],
    6: ["store/test_clips.py::test_the_most_ordinary_go_first_and_kept_ones_never"],
    7: [
        "store/test_store.py::test_a_locked_database_is_tried_until_it_is_free",
        "store/test_store.py::test_a_damaged_database_is_put_aside_and_its_backup_restored",
        "store/test_store.py::test_one_process_at_a_time",
        "live/test_killed.py::test_nothing_committed_is_lost_and_no_event_told_twice",
    ],
    8: [
        "test_machine.py::test_one_message_on_raise_and_one_on_clear",
        "test_machine.py::test_a_restart_in_an_event_neither_repeats_nor_forgets_it",
        "sinks/test_delivery.py::test_over_a_restart_nothing_is_forgotten",
        "test_command.py::test_notify_test_tells_which_sink_acknowledged",
    ],
    9: ["live/test_mqtt.py::test_delivered_means_acknowledged"],
    10: [
        "test_machine.py::test_a_message_says_what_happened_where_in_a_versioned_form",
        "live/test_mqtt.py::test_home_assistant_learns_of_the_machine_and_again_when_it_starts",
    ],
    11: [
        "test_service.py::test_an_error_that_nobody_thought_of_neither_ends_nor_races",
        "test_logs.py::test_the_same_line_comes_once_a_minute_with_a_count",
    ],
    12: [
        "test_complaints.py::test_pages_read_sums_not_windows",
        "store/test_store.py::test_a_query_that_takes_too_long_is_stopped",
    ],
    13: [
        "web/test_guard.py::test_without_the_right_token_everything_is_refused",
        "web/test_guard.py::test_nobody_changes_anything_without_the_token",
        "web/test_guard.py::test_logging_in_gives_a_cookie_that_survives_a_restart",
        "web/test_guard.py::test_the_token_is_readable_for_its_owner_only_and_stays",
    ],
    14: [
        "store/test_store.py::test_what_is_written_is_read_after_a_restart",
        "test_settings.py::test_the_state_folder_is_one_and_the_services_where_it_is_a_service",
    ],
    15: [
        "web/test_api.py::test_updates_arrive_as_they_happen_and_proxies_let_them_through",
        "web/test_api.py::test_the_sound_of_an_event_in_parts_and_pinned",
        "web/test_pages.py::test_times_are_those_of_the_page_s_zone_and_utc_in_the_store",
        "sources/test_pipe.py::test_all_channels_are_averaged_unless_one_is_chosen",
        "sources/test_pipe.py::test_why_a_program_ended_is_told_without_its_secrets",
    ],
}


@pytest.mark.parametrize("number", range(1, 16))
def test_each_complaint_has_a_test_that_is_there(number: int) -> None:
    assert TESTS[number]
    for test in TESTS[number]:
        file, _, name = test.partition("::")
        tree = ast.parse((HERE / file).read_text("utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, test


def test_pages_read_sums_not_windows() -> None:
    from dgmix.watch.store.schema import MIGRATIONS

    source = (HERE.parents[1] / "src/dgmix/watch/views.py").read_text("utf-8")
    assert set(re.findall(r"queries\.(\w+)", source)) == {
        "last_window",
        "events",
        "coverage_seconds",
        "spans",
    }
    import sqlite3

    connection = sqlite3.connect(":memory:")
    for script in MIGRATIONS:
        connection.executescript(script)
    for query in (
        "SELECT * FROM windows WHERE machine = 'a' ORDER BY id DESC LIMIT 1",
        "SELECT * FROM spans WHERE machine = 'a' AND width = 3600 AND start >= 1 AND start < 9",
        "SELECT * FROM events WHERE machine = 'a' ORDER BY raised DESC LIMIT 9",
    ):
        plan = " ".join(str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {query}"))
        assert "SEARCH" in plan, (query, plan)
    connection.close()
