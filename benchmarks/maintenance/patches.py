"""A patch as `git diff` prints it: what it changes, how much that is, and the tree after it.

It reads what `git diff` writes about text files: changed, new, deleted and renamed ones. No git is needed. A hunk goes
where its old lines stand, nearest to where the patch says, and nowhere else: no line of context is guessed.
Next: `drills.py` (whose patches these are).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from shared.errors import BadInput
from shared.files import replacing

_FILE: Final = re.compile(r"diff --git a/(.+) b/(.+)\n")
_HUNK: Final = re.compile(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_ABOUT: Final = ("index ", "old mode ", "new mode ", "similarity index ", "rename from ", "rename to ", "--- ", "+++ ")
_NO_END: Final = "\\ No newline"
NO_END: Final = "a file does not end with a line break; end it with one and write the patch again"


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines in a row, each with its mark (" ", "-" or "+"); `start` is the first one's number in the old file."""

    start: int
    lines: tuple[str, ...]

    def side(self, marks: str) -> list[str]:
        """The lines with these marks, without them."""
        return [line[1:] for line in self.lines if line[0] in marks]


@dataclass(slots=True)
class Change:
    """What a patch does to one file. `old` is None for a new file, `new` for a deleted one."""

    old: str | None
    new: str | None
    hunks: list[Hunk] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        return [path for path in (self.old, self.new) if path is not None]

    @property
    def added(self) -> int:
        return sum(len(hunk.side("+")) for hunk in self.hunks)

    @property
    def removed(self) -> int:
        return sum(len(hunk.side("-")) for hunk in self.hunks)

    def before(self, root: Path) -> str:
        """The file's text in the tree, empty for a new file. Raises `DoesNotApply`."""
        if self.new not in (None, self.old) and (root / str(self.new)).exists():
            raise DoesNotApply(f"{self.new} is there already")
        if self.old is None:
            return ""
        try:
            return (root / self.old).read_bytes().decode()
        except FileNotFoundError:
            raise DoesNotApply(f"{self.old} is not there") from None

    def after(self, root: Path) -> str:
        """The file's text with the change made. Raises `DoesNotApply` naming file and hunk."""
        lines, shift = _lines(self.before(root)), 0
        for number, hunk in enumerate(self.hunks, 1):
            old, new = hunk.side(" -"), hunk.side(" +")
            due = max(0, hunk.start - 1 + shift)
            places = [at for at in range(len(lines) - len(old) + 1) if lines[at : at + len(old)] == old]
            if not places:
                raise DoesNotApply(f"{self.paths[0]}: the lines of hunk {number} are not there")
            at = min(places, key=lambda place: abs(place - due))
            lines[at : at + len(old)] = new
            shift = at - (hunk.start - 1) + len(new) - len(old)
        return "".join(lines)


class DoesNotApply(Exception):
    """The tree does not hold what a patch was made for."""


def read_patch(file: Path) -> list[Change]:
    """The changes of a patch, none for an empty file. Raises `BadInput` naming file and line."""
    try:
        lines = _lines(file.read_bytes().decode())
    except FileNotFoundError:
        raise BadInput(f"{file} is missing; where nothing has to change, leave an empty file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} cannot be read ({error})") from None
    changes: list[Change] = []
    numbered = iter(enumerate(lines, 1))
    for number, line in numbered:
        if named := _FILE.fullmatch(line):
            changes.append(Change(named[1], named[2]))
        elif changes and (hunk := _HUNK.match(line)):
            sizes = int(hunk[2] or 1), int(hunk[3] or 1)
            changes[-1].hunks.append(Hunk(int(hunk[1]), tuple(_body(numbered, sizes, file, number))))
        elif changes and line.startswith("new file mode "):
            changes[-1].old = None
        elif changes and line.startswith("deleted file mode "):
            changes[-1].new = None
        elif changes and line.startswith(_NO_END):
            raise BadInput(f"{file} line {number}: {NO_END}")
        elif not changes or not line.startswith(_ABOUT):
            raise BadInput(
                f"{file} line {number}: this is no line that `git diff` prints of a text file; write the patch with it"
            )
    return changes


def _body(numbered: Iterator[tuple[int, str]], sizes: tuple[int, int], file: Path, begun: int) -> Iterator[str]:
    """The lines of a hunk, which its head counts."""
    old, new = sizes
    while old > 0 or new > 0:
        number, line = next(numbered, (begun, ""))
        if line.startswith(_NO_END):
            raise BadInput(f"{file} line {number}: {NO_END}")
        if line[:1] not in (" ", "-", "+") or not line:
            raise BadInput(
                f"{file} line {number}: the hunk of line {begun} is cut off; write the patch with `git diff`"
            )
        old -= line[0] in " -"
        new -= line[0] in " +"
        yield line


def _lines(text: str) -> list[str]:
    """Broken where git breaks them, at line feeds alone; each with its own."""
    return list(io.StringIO(text, newline="\n"))


def apply(changes: list[Change], root: Path) -> None:
    """Make the changes in the tree: all, or none where one does not apply. Raises `DoesNotApply`."""
    texts = [change.after(root) for change in changes]
    for change in changes:
        if change.old is not None and change.old != change.new:
            (root / change.old).unlink()
    for change, text in zip(changes, texts, strict=True):
        if change.new is not None:
            target = root / change.new
            target.parent.mkdir(parents=True, exist_ok=True)
            with replacing(target) as out:
                out.write(text.encode())
