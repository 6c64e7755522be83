"""The comparison end to end on committed recordings: the report keeps its schema, its words and its arithmetic."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from benchmarks.compare import compare
from benchmarks.report import document, terminal
from benchmarks.report.explain import explain
from benchmarks.rows import HITS
from benchmarks.scenario import load
from shared.errors import BadInput

SCHEMAS = Path(document.__file__).parent


def numbers(value: Any, pointer: str = "") -> Iterator[tuple[str, float | None]]:
    """Every number and null of a report, with its JSON pointer."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from numbers(inner, f"{pointer}/{key}")
    elif value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        yield pointer, value


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("results")
    assert compare(load(), out) == 0
    return out


@pytest.fixture(scope="module")
def report(results: Path) -> Any:
    return json.loads((results / "report.json").read_text())


@pytest.fixture(scope="module")
def rows(results: Path) -> list[Any]:
    return [json.loads(line) for line in (results / "requests.jsonl").read_text().splitlines()]


def test_both_files_keep_their_schema(report: Any, rows: list[Any]) -> None:
    jsonschema.validate(report, json.loads((SCHEMAS / "report.schema.json").read_text()))
    of_a_row = jsonschema.Draft202012Validator(json.loads((SCHEMAS / "request.schema.json").read_text()))
    for row in rows:
        of_a_row.validate(row)


def test_every_question_is_asked_of_both_arms(report: Any, rows: list[Any]) -> None:
    asked = {arm: [row["request"] for row in rows if row["arm"] == arm] for arm in ("legacy", "direct")}
    assert sorted(asked["legacy"]) == sorted(asked["direct"]) == list(range(report["quality"]["requests"]))


def test_every_number_has_its_word_and_unknown_is_null(report: Any) -> None:
    for pointer, value in numbers({part: report[part] for part in ("maintenance", "quality", "latency", "cost")}):
        if pointer in ("/quality/questions", "/quality/requests") or pointer.endswith("/questions"):
            continue
        word = terminal.nearest(report["standing"], pointer)
        few = pointer.startswith("/latency/") and {"p50", "p95", "p99", "p999"} & set(pointer.split("/"))
        assert (value is None) <= (word == "unknown" or bool(few)), pointer
        assert (word == "unknown") <= (value is None), pointer


def test_the_figures_follow_from_the_rows(report: Any, rows: list[Any]) -> None:
    for arm in ("legacy", "direct"):
        mine = [row for row in rows if row["arm"] == arm]
        assert report["quality"][arm]["score"] == pytest.approx(sum(row["score"] for row in mine) / len(mine))
        hits = [row for row in mine if any(step["kind"] in HITS and step["outcome"] == "ok" for step in row["steps"])]
        assert report["cost"][arm]["hit_rate"] == pytest.approx(len(hits) / len(mine))
        calls = [step["call"] for row in mine for step in row["steps"] if step["call"]]
        assert report["cost"][arm]["calls_per_answer"] == pytest.approx(len(calls) / len(mine))
        for row in mine:
            here = sum(step["seconds"] for step in row["steps"] if step["call"]) + row["overhead_s"]
            calls = [step["call"] for step in row["steps"] if step["call"]]
            recorded = [call["seconds"] for call in calls if call["timing"] != "emulated"]  # those did not pass here
            if None in recorded:
                assert row["latency_s"] is None
            else:
                assert row["latency_s"] == pytest.approx(here + sum(recorded))
    right = report["quality"]["right"]
    assert sum(right.values()) == report["quality"]["questions"]


def test_exactly_the_repeats_come_from_the_cache(rows: list[Any]) -> None:
    """Except where the first answer was cut off and therefore not kept."""
    cut = {
        row["item"]
        for row in rows
        for step in row["steps"]
        if row["arm"] == "legacy" and step["kind"] == "store" and step["detail"].startswith("not stored")
    }
    for row in rows:
        if row["arm"] == "legacy" and row["item"] not in cut:
            found = {step["kind"] for step in row["steps"] if step["outcome"] == "ok"}
            assert bool(found & set(HITS)) == row["repeat"]  # out of the cache, or from a call that is under way


def test_the_direct_price_is_unknown_and_so_is_what_rests_on_it(report: Any) -> None:
    assert report["cost"]["direct"]["usd_per_answer"] is None
    assert report["standing"]["/cost/direct/usd_per_answer"] == "unknown"
    cost = report["cost"]
    tokens = cost["direct"]["input_tokens"] + cost["direct"]["output_tokens"]
    even = cost["break_even"]["price"]["value"]
    assert even * tokens / 1e6 == pytest.approx(
        cost["legacy"]["per_decision_usd"] * cost["direct"]["acceptable_answers"]
    )
    assert cost["difference_usd"]["estimate"] is None
    assert report["standing"]["/cost/vendor_claim"] == "vendor-claimed"


def test_the_table_shows_what_the_report_says(report: Any) -> None:
    table = terminal.table(report)
    for word in ("standing", "recorded", "measured", "emulated", "assumed", "not known", "Stand-ins", "In neither sum"):
        assert word in table
    for word in (
        "Verdict: KEEP",
        "Why, in this traffic",
        "Worse on",
        "Direct wins",
        "Drills: ",
        "Faults (",
        "advisories",
    ):
        assert word in table, "what a person decides by is not crowded out"
    assert len(table.splitlines()) <= terminal.LINES
    assert max(map(len, table.splitlines())) <= 80
    assert f"{report['quality']['questions_like_these']['legacy']['score']:.1%}" in table


def test_the_same_seed_gives_the_same_answers(rows: list[Any], tmp_path: Path) -> None:
    assert compare(load(), tmp_path) == 0
    again = [json.loads(line) for line in (tmp_path / "requests.jsonl").read_text().splitlines()]
    told = [(row["request"], row["arm"], row["text"], row["score"], row["cost_usd"]) for row in rows]
    assert told == [(row["request"], row["arm"], row["text"], row["score"], row["cost_usd"]) for row in again]


def test_explain_tells_a_requests_story(results: Path, rows: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    repeat = next(row for row in rows if row["repeat"])
    assert explain(results, str(repeat["request"])) == 0
    told = capsys.readouterr().out
    for part in ("question:", "reference:", "legacy:", "direct:", "step cache ok", "cause:", repeat["item"]):
        assert part in told
    assert explain(results, repeat["item"]) == 0
    assert "also asked as request" in capsys.readouterr().out


def test_a_number_is_a_requests_before_it_is_an_items(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    step: dict[str, Any] = {
        "task": "t",
        "group": "g",
        "text": "a",
        "error": None,
        "score": 1,
        "reason": "",
        "model": "m",
        "steps": None,
    }
    step |= {"latency_s": None, "cost_usd": None, "history": [], "question": "?", "reference": None, "repeat": False}
    items = ["2", "2", "b", "b", "9"]
    lines = [json.dumps(step | {"request": number, "item": item, "arm": "legacy"}) for number, item in enumerate(items)]
    (tmp_path / "requests.jsonl").write_text("\n".join(lines))
    for asked, story, also in (("2", "request 2: item b", "3"), ("9", "request 4: item 9", ""), ("0", "item 2", "1")):
        assert explain(tmp_path, asked) == 0
        told = capsys.readouterr().out
        assert story in told
        assert told.rpartition("also asked as request ")[2].strip() == also or not also


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 us"), (0.0099, "9900 us"), (0.00999999, "10.0 ms"), (0.01, "10.0 ms"), (0.99999, "1.00 s"), (2, "2.00 s")],
)
def test_a_time_is_rounded_before_its_unit_is_chosen(seconds: float, text: str) -> None:
    assert terminal.seconds_text(seconds) == text


def test_explain_names_what_is_missing(results: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no request or item 'x-1'; requests are numbered 0 to"):
        explain(results, "x-1")
    with pytest.raises(BadInput, match=r"requests\.jsonl is missing"):
        explain(tmp_path, "1")
    (tmp_path / "requests.jsonl").write_text('{"half": ')
    with pytest.raises(BadInput, match="line 1 is no row"):
        explain(tmp_path, "1")


def crossover(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120, check=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compare", "none.toml"), "none.toml is missing"),
        (("compare", "--preset", "x"), "preset 'x' is unknown"),
        (("compare", "--direct", "gpt-4o"), "write recorded:NAME"),
        (("compare", "priced.toml"), "price 'gpt4o' is unknown"),
        (("compare", "--direct", "recorded:gpt-4o"), "no test recording of 'gpt-4o'; there are "),
        (("compare", "--direct", "http:https://chips.example/v1#m", "--max-usd", "1"), "no price is known"),
        (("explain", "nowhere", "1"), "requests.jsonl is missing"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    priced = tmp_path / "priced.toml"
    priced.write_text('[direct]\nmodel = "recorded:qwen-0.5b"\nprice = "gpt4o"\n')
    done = crossover(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.startswith("crossover: ")
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == [priced]


def test_a_dry_run_asks_nobody_and_writes_nothing(tmp_path: Path) -> None:
    done = crossover("compare", "--direct", "litellm:gpt-4o-mini", "--dry-run", "--limit", "50", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "nothing was asked" in done.stdout
    assert "<= 50" in done.stdout
    assert "together: about $" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from benchmarks.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print({'litellm', 'sklearn', 'numpy', 'pydantic', 'aiohttp', 'fastapi', 'diskcache'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "set()"


def test_an_arm_that_answers_nothing_is_no_result(tmp_path: Path) -> None:
    """Nobody listens on that port: every direct call fails at once, which is neither fast nor 0 % quality."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        done = crossover("compare", "--direct", f"http:{url}#m", "--limit", "2", "--out", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "direct answered nothing of what both were asked" in done.stderr
    assert "BackendUnavailable" in done.stderr
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["requests.jsonl"]


def test_a_place_that_cannot_be_written_is_found_before_anything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    done = crossover("compare", "--out", "file/sub", cwd=tmp_path)
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


def test_an_interrupt_keeps_what_was_answered(tmp_path: Path) -> None:
    """A server that never answers stands in for long work; then Ctrl-C."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        place = f"http:http://127.0.0.1:{silent.getsockname()[1]}/v1#m"
        command = [sys.executable, "-m", "benchmarks", "compare", "--direct", place, "--out", "out"]
        with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
            try:
                connection, _ = silent.accept()
                with connection:
                    run.send_signal(signal.SIGINT)
                    _, told = run.communicate(timeout=60)
            finally:
                run.kill()
    assert run.returncode == 130, told
    assert "interrupted" in told
    assert "Traceback" not in told


@pytest.mark.live
def test_live_answers_with_the_real_models_and_says_measured(tmp_path: Path) -> None:
    from shared.models import pull
    from shared.models.catalogue import find

    for name in ("qwen-0.5b", "qwen-1.5b", "qwen-0.5b-burnt-3-6"):
        try:
            pull.path(find(name))
        except BadInput as missing:
            pytest.skip(str(missing))
    assert compare(load(live=True, limit=4), tmp_path) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert (
        report["standing"]["/latency/direct"]
        == report["standing"]["/quality/questions_like_these/legacy"]
        == "measured"
    )
    assert report["provenance"]["order"] == "one arm after the other"
    assert all(identity["provider"] == "local" for identity in report["provenance"]["models"].values())
