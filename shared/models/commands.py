"""What `crossover models` does: plain text on stdout, progress on stderr where that is a terminal, an exit code.

0: done. 2: at least one model could not be had, verified or burnt; the others were done all the same.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from shared.errors import BadInput
from shared.models import pull
from shared.models.catalogue import catalogue, find

REDRAW_S: Final = 0.1


class ProgressLine:
    """A `Progress` that keeps one line of a terminal up to date, and is silent elsewhere."""

    def __init__(self) -> None:
        self._drawn_at = 0.0
        self._label = ""
        self._begun_at = 0.0
        self._begun_bytes = 0

    def __call__(self, label: str, done_bytes: int, total_bytes: int) -> None:
        now = time.monotonic()
        if not sys.stderr.isatty() or (label == self._label and now - self._drawn_at < REDRAW_S):
            return
        if label != self._label:
            self._begun_at, self._begun_bytes = now, done_bytes
        self._drawn_at, self._label = now, label
        share = f"{done_bytes / total_bytes:4.0%} of {total_bytes / 1e6:,.0f} MB" if total_bytes else ""
        rate = (done_bytes - self._begun_bytes) / (now - self._begun_at) if now > self._begun_at else 0.0
        if total_bytes and rate > 0:
            share += f", {rate / 1e6:,.1f} MB/s, {(total_bytes - done_bytes) / rate:,.0f} s left"
        print(f"\r\033[K{label} {share}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._label and sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def list_models() -> int:
    """Every known model, and whether it is here."""
    print(f"models in {pull.models_dir()}")
    for model in catalogue().values():
        file = pull.models_dir() / model.file_name
        here = "here" if file.is_file() else "not here"
        made = f"burnt from {model.burnt_from}" if model.burnt_from else model.quantisation
        print(f"  {model.name:<20} {here:<9} {model.bytes / 1e6:>6,.0f} MB  {model.title}, {made}, {model.licence}")
    return 0


def pull_models(names: Iterable[str]) -> int:
    """Fetch the named models, or all where none is named, and verify them."""
    return _each(names or catalogue(), lambda name, progress: pull.pull(find(name), progress))


def verify_models(names: Iterable[str]) -> int:
    """Read the named models, or all that are here where none is named, and compare their SHA-256."""
    directory = pull.models_dir()
    here = [model.name for model in catalogue().values() if (directory / model.file_name).is_file()]
    return _each(names or here, lambda name, progress: pull.verify(find(name), progress))


def burn_model(name: str, ffn_bits: int, rest_bits: int, out: Path | None = None) -> int:
    """Burn a model that is here to another number of bits. Writes to the models' directory unless `out` is given."""
    from shared.models.burn import burn

    def work(name: str, progress: ProgressLine) -> Path:
        target = out or pull.models_dir() / f"{name}-burnt-{ffn_bits}-{rest_bits}.gguf"
        if target.exists():
            raise BadInput(f"{target} exists already; move it away or name another file")
        burn(pull.path(find(name)), target, ffn_bits=ffn_bits, rest_bits=rest_bits, progress=progress)
        return target

    return _each([name], work)


def _each(names: Iterable[str], work: Callable[[str, ProgressLine], Path]) -> int:
    code = 0
    for name in names:
        progress, begun = ProgressLine(), time.monotonic()
        try:
            file = work(name, progress)
        except BadInput as error:
            progress.clear()
            print(f"{name}: {error}", file=sys.stderr)
            code = 2
        except OSError as error:
            progress.clear()
            print(f"{name}: {error}; check the permissions and the free space there", file=sys.stderr)
            code = 2
        else:
            progress.clear()
            print(f"{name}: {file} ({time.monotonic() - begun:.1f} s)")
    return code
