"""Reading files within bounds, writing them so that nobody ever sees half of one, and knowing them by their hash."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from shared.errors import BadInput

CHUNK_BYTES: Final = 1 << 20
SETTINGS_BYTES: Final = 16 << 20
"""The most of a file of settings, or of an artefact, that is read."""
DATA_BYTES: Final = 512 << 20
"""The most of a file of data that is read at once."""


def contents(path: Path, most_bytes: int) -> bytes:
    """All of a file, unpacked where its name ends in .gz.

    Raises `BadInput` where that is more than `most_bytes`, and `OSError` where it cannot be read or unpacked.
    """
    chunks, size = [], 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                chunks.append(chunk)
                if (size := size + len(chunk)) > most_bytes:
                    raise BadInput(f"{path} holds more than {most_bytes:,} bytes; is it the right file?")
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise OSError(errno.EIO, f"it is no whole gzip file: {error}") from None
    return b"".join(chunks)


@contextmanager
def replacing(target: Path) -> Iterator[IO[bytes]]:
    """A file to write that takes the place of `target` once the block ends well, and vanishes if it does not."""
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
        scratch = Path(file.name)
        try:
            yield file.file
            file.flush()
            os.fsync(file.fileno())
            file.close()
            mask = os.umask(0)  # it can only be read by setting it
            os.umask(mask)
            scratch.chmod(0o666 & ~mask)
            scratch.replace(target)
        except BaseException:
            scratch.unlink(missing_ok=True)
            raise


def make_writable(out: Path) -> None:
    """The directory of `--out`, made where it is missing. Raises `BadInput` where nothing can be written to it."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise BadInput(f"--out {out} cannot be written ({error.strerror}); name a directory that can") from None


def sha256_of(path: Path, read: Callable[[int], None] = lambda _: None) -> str:
    """The file's SHA-256 in hex. `read` is told how many bytes each read gave."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            read(len(chunk))
    return digest.hexdigest()
