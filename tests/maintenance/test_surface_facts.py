"""What is counted in a file, on small files whose counts are known by hand."""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.maintenance import complexity
from benchmarks.maintenance.code_facts import Facts
from benchmarks.maintenance.complexity import BINS, Scored, distribution
from benchmarks.maintenance.trees import Source, Unreadable, code_lines, is_test, name_in, python_files, read
from shared.errors import BadInput


@pytest.fixture
def source(tmp_path: Path) -> Any:
    def write(text: str, name: str = "code.py") -> Source:
        file = tmp_path / name
        file.write_text(dedent(text))
        return read(file, name)

    return write


def facts(*sources: Source, own: frozenset[str] = frozenset()) -> dict[str, Any]:
    found = Facts(own)
    for each in sources:
        found.add(each)
    return found.result()


# Lines and files


def test_a_line_counts_where_it_holds_code(source: Any) -> None:
    text = '''
        """Docstring
        of two lines."""
        # comment

        x = """a text
        of two lines"""
        def f(a,
              b):  # three lines with the next
            "docstring"
            return a\x0c
    '''
    assert code_lines(source(text)) == 5


def test_text_that_other_line_breaks_split_counts_as_python_counts_it(source: Any) -> None:
    assert code_lines(source('x = "a\x1cb\u2028c"\ny = 1\n')) == 2


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"def f(:\n", "SyntaxError: invalid syntax, line 1"),
        (b"x = 1\nprint 'two'\n", "SyntaxError: Missing parentheses"),
        (b'x = "\xe9"\n', "SyntaxError: invalid or missing encoding declaration"),
        (b"# coding: klingon\n", "SyntaxError: unknown encoding"),
        (b"x = 1\0\n", "null bytes"),
        (b"x = " + b"(" * 300 + b")" * 300, "too many nested parentheses"),
    ],
)
def test_what_is_no_python_says_why_and_not_where_it_lies(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "bad.py"
    file.write_bytes(content)
    with pytest.raises(Unreadable, match=why) as caught:
        read(file, "bad.py")
    assert str(tmp_path) not in str(caught.value)


def test_other_encodings_and_doubtful_escapes_are_read(tmp_path: Path) -> None:
    file = tmp_path / "old.py"
    file.write_bytes(b'# -*- coding: latin-1 -*-\nx = "\xe9\\d"\n')
    assert code_lines(read(file, "old.py")) == 1


def test_the_files_of_a_tree_are_its_source(tmp_path: Path) -> None:
    for name in ("b.py", "a/c.py", "a/notes.txt", ".venv/d.py", "a/__pycache__/e.py", "node_modules/f.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".venv" / "empty").mkdir()
    assert [file.relative_to(tmp_path).as_posix() for file in python_files(tmp_path)] == ["a/c.py", "b.py"]
    assert python_files(tmp_path / "b.py") == [tmp_path / "b.py"]
    with pytest.raises(BadInput, match="missing"):
        python_files(tmp_path / "gone")
    with pytest.raises(BadInput, match="no Python file"):
        python_files(tmp_path / ".venv" / "empty")


@pytest.mark.parametrize("name", ["test_a.py", "x/a_test.py", "conftest.py", "tests/helpers.py", "a/tests/b/c.py"])
def test_a_test_is_known_by_its_name(name: str) -> None:
    assert is_test(name)


@pytest.mark.parametrize("name", ["testing.py", "latest.py", "contest.py", "protests/a.py", "attest/test.py"])
def test_other_names_are_no_tests(name: str) -> None:
    assert not is_test(name)


def test_a_name_of_any_bytes_can_be_printed_and_stays_its_own(tmp_path: Path) -> None:
    names = [name_in(tmp_path / os.fsdecode(b"a%c.py" % byte), tmp_path) for byte in (0xFE, 0xFF)]
    assert names == [r"a\xfe.py", r"a\xff.py"]


# Complexity

TANGLED = """
    class Both:
        @property
        @staticmethod
        def deep(a, b):
            for x in a:              # cyclomatic 2, cognitive 1
                if x and b:          # 3 and 4 (and), cognitive 2 for the nested if, 1 for the and
                    return x
            try:
                pass
            except ValueError:       # 5, cognitive 1
                pass

        def stub(self) -> int: ...

    def flat(a): return 1 if a else 2

    async def outer():
        def inner(y):
            return y or 1
        return inner
"""


def test_both_complexities_and_the_names_of_their_functions(source: Any) -> None:
    tangled = source(TANGLED)
    assert {(each.where, each.value) for each in complexity.cyclomatic(tangled)} == {
        ("code.py: Both.deep", 5),
        ("code.py: Both.stub", 1),
        ("code.py: flat", 2),
        ("code.py: outer", 1),
        ("code.py: outer.inner", 2),
    }
    assert {(each.where, each.value) for each in complexity.cognitive(tangled)} == {
        ("code.py: Both.deep", 5),
        ("code.py: Both.stub", 0),
        ("code.py: flat", 1),
        ("code.py: outer", 1),
    }


def test_comments_do_not_hide_a_function(source: Any) -> None:
    assert complexity.cognitive(source("def f(a):  # complexipy: ignore\n    return a or 1\n")) == [
        Scored(1, "code.py: f")
    ]


def test_what_is_nested_too_deeply_is_unreadable_and_no_traceback(source: Any) -> None:
    with pytest.raises(Unreadable, match="nested too deeply"):
        complexity.cyclomatic(source(f"def f(a): return a{'.b' * 450}\n"))


def test_no_function_has_no_complexity_rather_than_none_of_it() -> None:
    assert set(distribution([]).values()) == {None}


@given(st.lists(st.integers(0, 120), min_size=1))
def test_a_distribution_is_of_all_functions(values: list[int]) -> None:
    found = distribution([Scored(value, str(place)) for place, value in enumerate(values)])
    assert sum(found["histogram"].values()) == len(values)
    assert found["largest"] == max(values) == values[int(found["largest_in"])]
    assert found["median"] in values
    assert found["p90"] in values
    for share, key in ((0.5, "median"), (0.9, "p90")):
        assert sum(value <= found[key] for value in values) >= share * len(values)
        assert sum(value < found[key] for value in values) < share * len(values)
    assert len(found["histogram"]) == len(BINS)


# What the code touches


def test_settings_are_the_fields_of_classes_that_are_called_so(source: Any) -> None:
    one = source(
        """
        class Knobs(pydantic_settings.BaseSettings):
            model_config = {}
            depth: int = 3
            _hidden: int = 1
            KINDS: ClassVar[list[str]] = []
            OTHERS: "typing.ClassVar[int]" = 3

        @dataclass(frozen=True)
        class CacheConfig:
            ttl_s: float

            @property
            def old(self) -> bool: ...

        class PlainSettings:
            def __init__(self, host, *, port=80):
                self.host = host

        class Request(BaseModel):
            text: str
        """,
        "one.py",
    )
    two = source("class More(CacheConfig):\n    size: int\nclass Most(More):\n    most: int\n", "two.py")
    assert facts(two, one)["settings"] == [
        "CacheConfig.ttl_s", "Knobs.depth", "More.size", "Most.most", "PlainSettings.host", "PlainSettings.port",
    ]  # fmt: skip


def test_variables_are_found_however_they_are_read(source: Any) -> None:
    text = """
        import os
        from os import environ as env, getenv
        KEY: Final = "NAMED"
        os.environ["PLAIN"], env["ALIASED"], getenv("GOT"), os.environ.get("WITH", 1)
        env.get(KEY), os.getenv(key + "X")
        if "ASKED" in os.environ:
            os.environ["WRITTEN"] = "1"
        env.pop("POPPED", None)
        other.environ["NOT"], mapping.get("NEITHER")
    """
    assert facts(source(text))["environment"] == [
        "(computed)", "ALIASED", "ASKED", "GOT", "NAMED", "PLAIN", "POPPED", "WITH",
    ]  # fmt: skip


def test_stores_are_the_calls_that_open_one(source: Any) -> None:
    text = """
        import diskcache, webbrowser, sqlite3 as sql
        from redis import Redis
        diskcache.Cache("x"), sql.connect("y"), Redis(), Redis()
        open("f"), open("f", "rb"), open("f", "w"), path.open(), path.open("ab")
        path.open(mode="r+"), path.write_text("")
        webbrowser.open("a"), connect("z"), cache.Cache()
    """
    assert facts(source(text))["stores"] == {
        "diskcache.Cache": 1, "file opened for writing": 4, "redis.Redis": 2, "sqlite3.connect": 1,
    }  # fmt: skip


PROBES = """
    import sqlite3
    from contextlib import closing
    with closing(sqlite3.connect(path, timeout=1)) as one:
        faults = [fault for (fault,) in one.execute("PRAGMA quick_check(100)")]
        one.execute("begin immediate")
        one.execute("ROLLBACK")
"""


@pytest.mark.parametrize(
    ("text", "stores"),
    [
        (PROBES, 0),
        (PROBES + "    sqlite3.connect(path).execute('BEGIN')\n", 1),
        (PROBES + "        one.execute('CREATE TABLE t (a)')\n", 1),
        (PROBES + "        one.execute(statement)\n", 1),
        (PROBES + "        keep(one)\n", 1),
        (PROBES.replace("as one", ""), 1),
        ("import sqlite3\nwith sqlite3.connect(path) as one:\n    pass\n", 1),
        ("import sqlite3\nsqlite3.connect(':memory:')\n", 0),
    ],
)
def test_asking_a_database_how_it_is_keeps_nothing(source: Any, text: str, stores: int) -> None:
    assert sum(facts(source(text))["stores"].values()) == stores


def test_background_tasks_are_what_nobody_waits_for(source: Any) -> None:
    text = """
        import asyncio, threading
        asyncio.create_task(work()), loop.create_task(work()), threading.Thread(target=work)
        self._executor.submit(work), form.submit(), pool.submit(work), asyncio.to_thread(work)
        step.later("store", work)
    """
    assert facts(source(text))["background_tasks"] == {"Thread": 1, "create_task": 2, "submit": 2}


PIPELINE = """
    from shared.steps import Recorder
    async def run(self, request, step: Recorder):
        await step("cache", self.get(), limit_s=1, otherwise=None)
        async for text in step.stream("small", self.small, request, forgive=CrossoverError):
            yield text
        async for text in step.stream(kind, self.large, request, tries=2):
            yield text
        async for text in step.stream(kind, self.large, request, tries=tries):
            yield text
        async for text in step.stream(kind, self.large, request, tries=1):
            yield text
        step.later("store", self.put(), limit_s=1)
"""


def test_the_recorder_of_this_repo_hides_nothing(source: Any) -> None:
    found = facts(source(PIPELINE))
    assert found["external_calls"] == {"model: (computed)": 3, "model: small": 1}
    assert found["background_tasks"] == {"step.later": 1}
    assert found["handled"] == {
        "types": {"BackendUnavailable": 2, "CrossoverError": 1, "Exception": 2},
        "handlers": 5, "broad": 2, "bare": 0, "empty": 0,
    }  # fmt: skip


def test_external_calls_are_by_library_or_by_what_only_clients_have(source: Any) -> None:
    text = """
        import httpx, subprocess, urllib.request, litellm
        from openai import AsyncOpenAI
        httpx.AsyncClient(), httpx.AsyncClient(), httpx.ReadTimeout("x")
        subprocess.run([]), urllib.request.urlopen("u")
        client = AsyncOpenAI()
        client.chat.completions.create(), router.acompletion(), litellm.completion(), urllib.parse.quote("x")
    """
    assert facts(source(text), own=frozenset({"litellm"}))["external_calls"] == {
        "httpx.AsyncClient": 2, "model: acompletion": 1, "model: chat.completions.create": 1, "openai.AsyncOpenAI": 1,
        "subprocess.run": 1, "urllib.request.urlopen": 1,
    }  # fmt: skip


def test_what_only_prepares_a_call_is_none(source: Any) -> None:
    text = """
        import boto3, requests, urllib3
        from boto3.dynamodb.conditions import Attr
        Attr("x"), urllib3.Retry(3), requests.adapters.HTTPAdapter(), requests.Request("GET", "u")
        boto3.client("s3"), boto3.session.Session(), requests.get("u"), urllib3.PoolManager()
    """
    assert sorted(facts(source(text))["external_calls"]) == [
        "boto3.client", "boto3.session.Session", "requests.get", "urllib3.PoolManager",
    ]  # fmt: skip


def test_what_is_raised_and_how_it_is_handled(source: Any) -> None:
    text = """
        import contextlib, sqlite3
        try:
            raise BadInput("x")
        except (OSError, sqlite3.Error):
            raise
        except Exception as error:
            raise error
        except:
            ...
        with contextlib.suppress(KeyError):
            raise errors.Gone from None
    """
    found = facts(source(text))
    assert found["raised"] == {"(computed)": 1, "(the same again)": 1, "BadInput": 1, "errors.Gone": 1}
    assert found["handled"] == {
        "types": {"Exception": 1, "KeyError": 1, "OSError": 1, "sqlite3.Error": 1},
        "handlers": 4, "broad": 1, "bare": 1, "empty": 2,
    }  # fmt: skip
