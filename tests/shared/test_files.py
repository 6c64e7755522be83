"""Files that are replaced whole, who may read them, and files that are read within bounds."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from shared.errors import BadInput
from shared.files import contents, replacing


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_file_gets_the_mode_that_the_umask_leaves(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        with replacing(tmp_path / "a") as file:
            file.write(b"new")
    finally:
        left = os.umask(before)
    assert left == umask
    assert (tmp_path / "a").read_bytes() == b"new"
    assert (tmp_path / "a").stat().st_mode & 0o777 == mode


def test_a_block_that_fails_leaves_everything_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def write_and_fail() -> None:
        with replacing(tmp_path / "a") as file:
            file.write(b"new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert [each.name for each in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_file_is_read_whole_and_unpacked_where_its_name_says_so(tmp_path: Path) -> None:
    text = bytes(range(256)) * 9000
    (tmp_path / "a").write_bytes(text)
    (tmp_path / "a.gz").write_bytes(gzip.compress(text))
    for name in ("a", "a.gz"):
        assert contents(tmp_path / name, len(text)) == text


def test_a_file_that_holds_too_much_is_refused_unread(tmp_path: Path) -> None:
    """A small packed file may hold any amount, and some files have no end."""
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(50_000_000)))
    for path in (tmp_path / "bomb.gz", Path("/dev/zero")):
        with pytest.raises(
            BadInput, match=r"(bomb\.gz|/dev/zero) holds more than 2,000,000 bytes; is it the right file"
        ):
            contents(path, 2_000_000)


WHOLE = gzip.compress(b"x" * 999)


@pytest.mark.parametrize(
    "content",
    [b"no gzip", WHOLE[:-9], WHOLE[:10] + b"y" * 9],
    ids=["no gzip", "cut off", "no deflate"],
)
def test_what_cannot_be_unpacked_cannot_be_read(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(content)
    with pytest.raises(OSError, match="no whole gzip file"):
        contents(tmp_path / "a.gz", 1000)
