"""The serving process killed in the middle of its writes, and started again on the same cache: real processes.

Three kills here, two hundred in `make test-faults`. SQLite promises that what was committed outlives the process, so
what once came from the cache has to be there; what was cut off has to be as if it had never begun.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.faults import killed
from benchmarks.faults.killed import Lives, lives


def check(seen: Lives, kills: int) -> None:
    assert len(seen.under_way) >= kills, "a server was killed while nobody asked"
    for each in seen.sent + seen.after:
        if each.ended.answer:
            assert each.ended.answer.text == seen.usual[each.question].text
        else:
            assert (each.ended.error, each.ended.untyped) == ("BackendUnavailable", "")
            assert each in seen.under_way, "only what was under way may fail"


def check_cache(seen: Lives, kills: int) -> None:
    assert [disk.fault for disk in seen.disks] == [""] * kills
    assert seen.rows
    for key, text in seen.rows.items():
        assert text == seen.expected[key]
    assert seen.after
    assert all(each.cached for each in seen.after), "what had been stored is there again"


def test_a_killed_server_opens_its_cache_again_and_serves_no_corrupt_answer() -> None:
    seen = lives("legacy", 3, 7)
    check(seen, 3)
    check_cache(seen, 3)


def test_of_a_killed_direct_server_only_what_was_under_way_is_lost() -> None:
    check(lives("direct", 1, 7), 1)


@pytest.mark.faults
def test_two_hundred_kills() -> None:
    seen = lives("legacy", 200, 8)
    check(seen, 200)
    check_cache(seen, 200)
    assert any(disk.unfinished for disk in seen.disks), "no kill hit a write: this proves nothing"


def test_a_log_that_ends_in_the_middle_of_a_write_is_recognised(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = wal")
        database.execute("CREATE TABLE told (text)")
        database.execute("INSERT INTO told VALUES (?)", ("long " * 5000,))
        whole = (tmp_path / "a.db-wal").read_bytes()
    log = tmp_path / "log"
    frame = 24 + 4096
    assert (len(whole) - 32) % frame == 0
    for cut, unfinished in ((0, False), (1, True), (frame, True), (2 * frame - 10, True)):
        log.write_bytes(whole[: len(whole) - cut])
        assert killed._is_unfinished(log) is unfinished
    log.unlink()
    assert not killed._is_unfinished(log)
