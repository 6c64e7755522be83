"""A disk that is really full: a small file system in memory, mounted where only the child process sees it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MOUNT = 'mount -t tmpfs -o size=1m tmpfs "$0" && exec "$@"'
ALONE = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", MOUNT]


def on_a_small_disk(disk: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*ALONE, str(disk), *command], capture_output=True, text=True, timeout=60, check=False)


def test_on_a_full_disk_answers_go_on_and_are_stored_again_when_there_is_room(tmp_path: Path) -> None:
    if not shutil.which("unshare"):
        pytest.skip("a file system of its own needs Linux's unshare")
    if (tried := on_a_small_disk(tmp_path, "true")).returncode:
        pytest.skip(f"this system lets nobody mount a file system of their own: {tried.stderr.strip()}")
    child = on_a_small_disk(tmp_path, sys.executable, "-m", "tests.faults.full_disk", str(tmp_path))
    assert child.returncode == 0, child.stderr
    told = json.loads(child.stdout)
    assert told["before"][-1] == "store ok "
    for steps in told["full"]:
        assert steps[0] == "True"
        assert steps[1] == "cache none "
        assert "large ok " in steps
        assert steps[-1].startswith("store error CacheUnavailable: ")
        assert "disk is full" in steps[-1]
    assert told["kept"][1].startswith("cache ok "), "what was stored is served"
    assert told["started while full"][0] == "True"
    assert told["started while full"][1].startswith("cache error CacheUnavailable: "), "no cache is a miss"
    first, second = told["freed"]
    assert first[-1] == "store ok "
    assert second[1].startswith("cache ok ")
    assert told["started again"][1].startswith("cache ok ")
    assert {each[0] for each in (told["before"], told["kept"], first, second, told["started again"])} == {"True"}
    assert not list(tmp_path.iterdir()), "the disk was the child's alone"
