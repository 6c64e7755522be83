"""Label in the terminal: one key a pair."""

from __future__ import annotations

import json
import os
import select
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import zip_longest
from typing import Any, Final

from benchmarks.labelling.session import Choice, Session
from shared.errors import BadInput

KEYS: Final[Mapping[str, Choice]] = {"1": "left", "2": "right", "s": "same", "b": "both_bad", "k": "skip"}
HELP: Final = "1 left is better, 2 right is better, s same, b both bad, k skip, u undo, q quit"
QUIET_S: Final = 0.25
"""Seconds without a key after a pair is shown: keys that were pressed before it, or are still held, say nothing."""
KEYS_AT_ONCE: Final = 64
SIDE_BY_SIDE: Final = 80
"""Columns of a terminal that holds two answers beside each other."""


def label(session: Session, sample: int | None) -> None:
    """Draw the sample where there is none, then ask until it is labelled or the reader quits.

    Raises `BadInput` where this is no terminal.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise BadInput("labelling needs a terminal; use --page for a page in the browser, or --status for the figures")
    session.begin(sample)
    with _single_keys():
        while pair := session.next():
            print(render(session.shown(pair), shutil.get_terminal_size().columns), flush=True)
            _wait_until_quiet()
            while (key := _key()) not in KEYS:
                if key in ("q", "\x04", ""):
                    return
                if key == "u":
                    if session.undo():
                        break
                    print("nothing to undo: no label was given since this was started")
            else:
                session.say(pair.request, KEYS[key])


def render(shown: Mapping[str, Any], width: int) -> str:
    """One pair as text: what comes from a model cannot steer the terminal."""
    lines = ["", f"pair {shown['done'] + 1} of {shown['sample']}, task {_safe(shown['task'])}"]
    lines += [f"earlier:   {_safe(user)} -> {_safe(assistant)}" for user, assistant in shown["history"]]
    lines.append(f"question:  {_safe(shown['question'])}")
    if shown["reference"] is not None:
        lines.append(f"reference: {_safe(json.dumps(shown['reference'], ensure_ascii=False))}")
    left, right = _safe(shown["left"]), _safe(shown["right"])
    if width < SIDE_BY_SIDE:
        return "\n".join([*lines, "", "[1] LEFT", left, "", "[2] RIGHT", right, ""])
    half = (width - 3) // 2
    columns = [_wrapped(text, half) for text in (f"[1] LEFT\n{left}", f"[2] RIGHT\n{right}")]
    beside = [f"{one:<{half}} | {other}" for one, other in zip_longest(*columns, fillvalue="")]
    return "\n".join([*lines, "", *beside, ""])


def _wrapped(text: str, width: int) -> list[str]:
    return [part for line in text.splitlines() for part in textwrap.wrap(line, width) or [""]]


def _safe(text: str) -> str:
    """Control characters are shown, not obeyed; line breaks stay."""
    return "".join(each if each == "\n" or each.isprintable() else repr(each)[1:-1] for each in text)


@contextmanager
def _single_keys() -> Iterator[None]:
    """Keys come at once, without Enter and without an echo."""
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _wait_until_quiet() -> None:
    import termios

    termios.tcflush(sys.stdin, termios.TCIFLUSH)
    while select.select([sys.stdin], [], [], QUIET_S)[0] and os.read(sys.stdin.fileno(), KEYS_AT_ONCE):
        pass


def _key() -> str:
    """One key; "" at the end of the input. Several bytes at once are an arrow, a paste or a held key, and no key."""
    print(HELP, flush=True)
    return os.read(sys.stdin.fileno(), KEYS_AT_ONCE).decode("ascii", "replace").lower()
