"""The Python files of a tree, read: what of it is source and what is tests, and which files could not be read.

Nothing is imported or run. A file that cannot be read is named with its reason and left out of every figure: it never
counts as a file of nothing. Next: `complexity.py` and `code_facts.py` (what is counted in a file).
"""

from __future__ import annotations

import ast
import io
import os
import tokenize
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.errors import BadInput

NOT_SOURCE: Final = frozenset({"__pycache__", "node_modules", "site-packages"})
"""Folders that hold no source of the tree they lie in; nor do those whose name begins with a dot."""
QUIET: Final = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING,
    tokenize.ENDMARKER,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """One file: its name within the tree, its text, its syntax tree and every node of that."""

    name: str
    text: str
    nodes: tuple[ast.AST, ...]

    @property
    def tree(self) -> ast.AST:
        return self.nodes[0]


class Unreadable(Exception):
    """No Python that this Python reads; says why."""


def python_files(path: Path) -> list[Path]:
    """The Python files under a folder, or the one that `path` is, in order of their names.

    Raises `BadInput` where there is none.
    """
    if path.is_file() and path.suffix == ".py":
        return [path]
    if not path.exists():
        raise BadInput(f"{path} is missing; name a folder with Python files, or one such file")
    files = [file for file in path.rglob("*.py") if file.is_file() and _is_source(file.relative_to(path))]
    if not files:
        raise BadInput(f"{path} holds no Python file; name a folder that does")
    return sorted(files)


def _is_source(name: Path) -> bool:
    return not any(part in NOT_SOURCE or part.startswith(".") for part in name.parts)


def is_test(name: str) -> bool:
    """Whether a file is a test, by its name: `test_*.py`, `*_test.py`, `conftest.py`, or any in a folder `tests`."""
    *folders, file = Path(name).parts
    named = file.startswith("test_") or file.endswith("_test.py") or file == "conftest.py"
    return named or "tests" in folders


def name_in(file: Path, root: Path) -> str:
    """The file's name within the tree, with slashes; bytes of it that are no text are written out."""
    return printable(Path(os.path.relpath(file, root)).as_posix())


def printable(name: str) -> str:
    """A file's name as text that can be printed: bytes that are no UTF-8 become `\\xNN`."""
    return os.fsencode(name).decode(errors="backslashreplace")


def read(file: Path, name: str) -> Source:
    """Raises `Unreadable`."""
    try:
        with tokenize.open(file) as opened:
            text = opened.read()
        with warnings.catch_warnings(action="ignore"):  # about the text, not about us
            tree = ast.parse(text)
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise Unreadable(_why(error)) from None
    return Source(name, text, tuple(ast.walk(tree)))


def _why(error: BaseException) -> str:
    """The kind of an error and its first line, without the path of the file."""
    told = error.msg.partition(" for '")[0] if isinstance(error, SyntaxError) else str(error).partition("\n")[0]
    if isinstance(error, OSError):
        told = error.strerror or told
    line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
    return f"{type(error).__name__}: {told}{line}"


def code_lines(source: Source) -> int:
    """Lines with at least one token that is neither comment nor docstring. Raises `Unreadable`.

    Evidence: size is one of the two measures that tracked effort where the same changes were made to four systems that
    do the same (Sjoberg, Anda and Mockus 2012). Weakness: a long line counts as a short one, and code written to be
    read takes more lines than code that is not: compare trees of one style, as a formatter makes it.
    """
    docstrings = set[int]()
    for node in source.nodes:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            docstrings.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = set[int]()
    try:
        for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
            if token.type not in QUIET:
                lines.update(range(token.start[0], token.end[0] + 1))
    except (tokenize.TokenError, SyntaxError) as error:
        raise Unreadable(_why(error)) from None
    return len(lines - docstrings)
