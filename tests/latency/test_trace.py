"""Traces: real files, read to the row; what cannot be used is refused with its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.latency.trace import Trace, columns_of, read
from shared.errors import BadInput

AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"


def written(folder: Path, text: str, name: str = "trace.csv") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_azure_is_known_by_its_header(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        AZURE + "2023-11-16 18:17:03.9799600,4808,10\r\n2023-11-16 18:17:04.0319600,3180,8\r\n"
        "2023-11-16 18:18:03.9799600,110,27\r\n",
    )
    trace = read(file)
    assert trace.times_s.tolist() == pytest.approx([0.0, 0.052, 60.0], abs=1e-6)
    assert trace.input_tokens is not None
    assert trace.input_tokens.tolist() == [4808, 3180, 110]
    assert trace.output_tokens is not None
    assert trace.output_tokens.tolist() == [10, 8, 27]


def test_other_columns_are_named(tmp_path: Path) -> None:
    file = written(tmp_path, '{"at": 1500, "in": 3}\n{"at": 2750, "in": 0}\n', "mine.jsonl")
    trace = read(file, columns_of("time_ms=at, input=in"))
    assert trace.times_s.tolist() == [0.0, 1.25]
    assert trace.output_tokens is None
    assert read(file, columns_of("time=at")).times_s.tolist() == [0.0, 1250.0]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("2023-11-16 18:00:02,1,1\n2023-11-16 18:00:01,1,1\n", r"line 3: TIMESTAMP is earlier .* sort the file"),
        ("2023-11-16 18:00:02,1,1\n,1,1\n", "line 3: TIMESTAMP is missing"),
        ("yesterday,1,1\n", "line 2: TIMESTAMP is neither a number nor a date"),
        ("nan,1,1\n", "line 2: TIMESTAMP is neither"),
        ("5,1,1\n2023-11-16 18:00:02,1,1\n", "line 3: TIMESTAMP is in another form"),
        ("5,-1,1\n", "line 2: ContextTokens is no number of tokens"),
        ("5,1.5,1\n", "line 2: ContextTokens is no number"),
        ("5,1,\n", "line 2: GeneratedTokens is no number"),
        ("5,1\n", "line 2: 2 columns"),
        ("", "has no rows"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_line(rows: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=said):
        read(written(tmp_path, AZURE + rows))


def test_unknown_columns(tmp_path: Path) -> None:
    file = written(tmp_path, "when,tokens\n1,2\n")
    with pytest.raises(BadInput, match=r"has no columns TIMESTAMP.*--columns time=COL"):
        read(file)
    with pytest.raises(BadInput, match=r"no column 'wen'; did you mean `when`"):
        read(file, columns_of("time=wen"))


@pytest.mark.parametrize("text", ["", "time", "time=", "tokens=a", "input=a", "time=a,time=b", "time=a,time_ms=b"])
def test_columns_that_say_nothing(text: str) -> None:
    with pytest.raises(BadInput, match="--columns"):
        columns_of(text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(gaps=st.lists(st.integers(0, 10**6), min_size=2, max_size=40), count=st.integers(1, 150))
def test_a_replay_repeats_the_rows_and_keeps_the_order(gaps: list[int], count: int) -> None:
    times = np.cumsum([0, *gaps[1:]]) / 1000
    trace = Trace(Path("t.csv"), times, np.arange(len(times)), None)
    if trace.rate is None:
        with pytest.raises(BadInput, match="came at one time"):
            trace.replay(len(times) + 1)
        return
    again = trace.replay(count)
    assert len(again.times_s) == count
    assert (np.diff(again.times_s) >= 0).all()
    assert again.input_tokens is not None
    assert again.input_tokens.tolist() == [number % len(times) for number in range(count)]
    assert again.times_s[: len(times)].tolist() == times[:count].tolist()


def test_a_rate_stretches_the_times(tmp_path: Path) -> None:
    trace = read(written(tmp_path, AZURE + "".join(f"{at},1,1\n" for at in (0, 1, 4))))
    assert trace.rate == 0.5
    assert trace.replay(rate=2.0).times_s.tolist() == [0.0, 0.25, 1.0]
    assert trace.replay(4, rate=0.5).times_s.tolist() == [0.0, 1.0, 4.0, 6.0]
