"""Each kind of arm compared end to end, as the command does it: the table, the report and its schema, exit codes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from benchmarks.cli import main
from benchmarks.report import document, quality_text, terminal
from tests.targets.endpoint import Endpoint, serving, write_workload

SCHEMAS = Path(document.__file__).parent


@pytest.fixture(scope="module")
def served() -> Iterator[Endpoint]:
    with serving(Endpoint()) as endpoint:
        yield endpoint


def scenario(folder: Path, text: str) -> Path:
    file = folder / "mine.toml"
    file.write_text(text)
    if not (folder / "sums").exists():
        write_workload(folder / "sums")
    return file


def compared(file: Path, *options: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The report and its rows, both held against their schemas."""
    out = file.parent / "out"
    assert main(["compare", str(file), "--out", str(out), *options]) == 0
    report = json.loads((out / "report.json").read_text())
    rows = [json.loads(line) for line in (out / "requests.jsonl").read_text().splitlines()]
    jsonschema.validate(report, json.loads((SCHEMAS / "report.schema.json").read_text()))
    of_a_row = jsonschema.Draft202012Validator(json.loads((SCHEMAS / "request.schema.json").read_text()))
    for row in rows[:200]:
        of_a_row.validate(row)
    unmeasured(report)
    return report, rows


def on_one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed, however it was wrapped; it is fewer than forty lines of at most 80 columns, paths aside."""
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) < 40
    assert max(len(line) for line in lines if "/" not in line) <= 80
    return " ".join(" ".join(lines).split())


def scores(quality: dict[str, Any]) -> tuple[Any, Any]:
    return quality["legacy"]["score"], quality["direct"]["score"]


def unmeasured(report: dict[str, Any]) -> None:
    """Every null has the word unknown or belongs to too small a sample, and no figure has that word."""

    def walk(value: Any, pointer: str) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, f"{pointer}/{key}")
        elif not isinstance(value, str | list) and pointer.rpartition("/")[2] not in ("questions", "requests"):
            word = terminal.nearest(report["standing"], pointer)
            few = pointer.startswith("/latency/") and {"p50", "p95", "p99", "p999"} & set(pointer.split("/"))
            assert (value is None) <= (word == "unknown" or bool(few)), pointer
            assert (word == "unknown") <= (value is None), pointer

    for part in ("maintenance", "quality", "latency", "cost"):
        walk(report[part], f"/{part}")


GATEWAY = """[traffic]
workload = "sums"
[legacy]
kind = "http"
base_url = "{url}/v1"
model = "support-bot"
price = {{ input = 1.0, output = 2.0 }}
[direct]
model = "{direct}"
price = {{ per_call = 0.001 }}
"""


def test_a_gateway_beside_the_built_in_pipeline(
    served: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = scenario(tmp_path, GATEWAY.format(url=served.url, direct=f"http:{served.url}/v1#fast"))
    report, rows = compared(file)
    assert scores(report["quality"]["questions_like_these"]) == (1.0, 1.0)
    assert report["maintenance"]["legacy"]["lines"] is None
    assert report["maintenance"]["direct"]["lines"] > 0
    assert report["cost"]["legacy"]["hit_rate"] is None
    assert report["cost"]["legacy"]["usd_per_answer"] == pytest.approx(13e-6)
    assert report["cost"]["direct"]["usd_per_answer"] == pytest.approx(0.001)
    assert report["standing"]["/latency/legacy"] == "measured"
    assert {row["steps"] is None for row in rows if row["arm"] == "legacy"} == {True}
    told = on_one_line(capsys)
    assert "Prices: legacy.call own, $1 in, $2 out per Mtok; direct.call" in told
    assert "legacy of kind http, direct of kind builtin" in told
    assert "not measured" in told
    assert f"legacy asks support-bot (http) at {served.url}/v1" in told
    assert "$0.001 a call" in told
    assert report["provenance"]["prices"]["direct.call"]["source"] == "given in the scenario file"
    assert main(["explain", str(tmp_path / "out"), "0"]) == 0
    assert "steps not told" in capsys.readouterr().out


def test_a_gateway_beside_any_litellm_model(served: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("OPENAI_API_BASE", f"{served.url}/v1")
    file = scenario(tmp_path, GATEWAY.format(url=served.url, direct="litellm:openai/any"))
    report, _ = compared(file, "--limit", "4")
    assert scores(report["quality"]["questions_like_these"]) == (1.0, 1.0)
    assert report["provenance"]["models"]["direct.call"]["provider"] == "litellm"


HOME_MADE = """[traffic]
workload = "sums"
[legacy]
kind = "http"
url = "{url}/answer"
body = {{ q = "{{{{input}}}}" }}
[legacy.response]
text = "result.answers.0.text"
input_tokens = "usage.in"
output_tokens = "usage.out"
cost_usd = "usage.cost"
stage = "result.from"
[direct]
kind = "python"
callable = "mine:{function}"
"""
MODULE = """
def sync(text):
    return str(sum(map(int, text.split(" + "))))

async def later(input, task):
    assert task == "sums"
    return {"output": sync(input), "stage": "call", "cost_usd": 0.5, "model": "mine"}

def broken(text):
    raise KeyError(text)

asked = []

def huge(text):
    asked.append(text)
    return {"output": sync(text), "cost_usd": 1e300 if len(asked) % 2 == 0 else 0.0}
"""


@pytest.mark.parametrize(("function", "usd"), [("sync", None), ("later", 0.5)])
def test_a_home_made_endpoint_beside_a_function(
    served: Endpoint, tmp_path: Path, function: str, usd: float | None, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.py").write_text(MODULE)
    report, _ = compared(scenario(tmp_path, HOME_MADE.format(url=served.url, function=function)))
    assert scores(report["quality"]["questions_like_these"]) == (1.0, 1.0)
    assert report["cost"]["legacy"]["usd_per_answer"] == 0.25
    assert 0.4 < report["cost"]["legacy"]["hit_rate"] < 0.6
    assert report["standing"]["/cost/legacy/usd_per_answer"] == "vendor-claimed"
    assert report["cost"]["direct"]["usd_per_answer"] == usd
    assert report["latency"]["direct"]["mean"] > 0
    told = on_one_line(capsys)
    assert "legacy.call" not in told, "it reported its cost"
    assert ("Prices: direct.call not known" in told) == (usd is None)


def test_a_reported_cost_is_the_systems_claim_whatever_price_is_given(
    served: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.py").write_text(MODULE)
    text = HOME_MADE.format(url=served.url, function="later") + "price = { per_call = 0.001 }\n"
    price = "[legacy]\nprice = { input = 1.0, output = 2.0 }\n"
    report, _ = compared(scenario(tmp_path, text.replace("[legacy]\n", price)))
    assert report["cost"]["legacy"]["usd_per_answer"] == 0.25
    for pointer in ("legacy/usd_per_answer", "direct/usd_per_answer", "break_even/price/value"):
        value = report["cost"]
        for part in pointer.split("/"):
            value = value[part]
        assert report["standing"][f"/cost/{pointer}"] == ("unknown" if value is None else "vendor-claimed")
    told = capsys.readouterr().out
    assert "vendor-claimed" in told
    assert "Prices" not in told


@pytest.mark.parametrize(
    ("path", "message"),
    [("html", "answered text/html, not JSON; is the URL that of the API?"), ("404", "answered 404")],
)
def test_a_wrong_url_stops_after_three_failures(
    served: Endpoint, tmp_path: Path, path: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.py").write_text(MODULE)
    file = scenario(tmp_path, HOME_MADE.format(url=served.url, function="sync").replace("/answer", f"/{path}"))
    before = len(served.asked)
    assert main(["compare", str(file), "--out", str(tmp_path / "out")]) == 2
    assert len(served.asked) == before + 3
    told = capsys.readouterr().err
    assert told.startswith("crossover: the first 3 requests to legacy all failed alike: ")
    assert message in told


def test_a_paid_model_of_the_built_in_pipeline_stops_too(
    served: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = scenario(tmp_path, GATEWAY.format(url=served.url, direct=f"http:{served.url}/html#m"))
    assert main(["compare", str(file), "--out", str(tmp_path / "out")]) == 2
    assert "the first 3 requests to direct all failed alike" in capsys.readouterr().err
    rows = (tmp_path / "out" / "requests.jsonl").read_text().splitlines()
    assert [json.loads(row)["arm"] for row in rows].count("direct") == 3, "what was paid for is kept"


def test_rows_go_with_the_report_of_the_same_run(
    served: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = scenario(tmp_path, GATEWAY.format(url=served.url, direct=f"http:{served.url}/v1#fast"))
    compared(file)
    out = tmp_path / "out"
    before = {each: each.read_text() for each in sorted(out.iterdir())}
    told = document.row_document
    monkeypatch.setattr(document, "row_document", lambda row: told(row) | {"text": "\ud800"})
    with pytest.raises(UnicodeEncodeError):
        main(["compare", str(file), "--out", str(out)])
    assert {each: each.read_text() for each in sorted(out.iterdir())} == before, "neither was replaced"
    monkeypatch.undo()
    text = file.read_text().replace("/v1#fast", "/html#fast")
    file.write_text(text)
    assert main(["compare", str(file), "--out", str(out)]) == 2
    assert [each.name for each in out.iterdir()] == ["requests.jsonl"], "the report was of other rows"
    capsys.readouterr()


def test_answers_that_no_report_could_hold_fail_alone(served: Endpoint, tmp_path: Path) -> None:
    text = HOME_MADE.format(url=served.url, function="huge").replace("[direct]", "[direct]\nprice = { per_call = 0 }")
    (tmp_path / "mine.py").write_text(MODULE)
    report, rows = compared(scenario(tmp_path, text))
    assert report["quality"]["failed"]["direct"] == len(rows) // 4
    assert {row["error"] for row in rows} == {
        None,
        "returned `cost_usd` as 1e+300; it must be a number from 0 to 1e+15",
    }


def test_a_function_that_always_raises_stops_too(
    served: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.py").write_text(MODULE)
    file = scenario(tmp_path, HOME_MADE.format(url=served.url, function="broken"))
    assert main(["compare", str(file), "--out", str(tmp_path / "out")]) == 2
    assert "the first 3 requests to direct all failed alike" in capsys.readouterr().err


def test_a_bound_needs_a_price_of_every_system_that_may_cost(
    served: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.py").write_text(MODULE)
    file = scenario(tmp_path, HOME_MADE.format(url=served.url, function="sync"))
    assert main(["compare", str(file), "--out", str(tmp_path / "out"), "--max-usd", "1"]) == 2
    assert "--max-usd cannot be kept: no price is known for mine:sync" in capsys.readouterr().err


def test_a_bound_is_kept_for_a_service(served: Endpoint, tmp_path: Path) -> None:
    file = scenario(tmp_path, GATEWAY.format(url=served.url, direct=f"http:{served.url}/v1#fast"))
    report, rows = compared(file, "--max-usd", "0.0105")
    spent = sum(row["cost_usd"] for row in rows)
    assert 0.008 < spent <= 0.0105
    assert "--max-usd" in report["provenance"]["stopped"]


def write_log(file: Path, rows: list[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


LOGS = '[legacy]\nkind = "log"\npath = "a.jsonl"\n[direct]\nkind = "log"\npath = "b.jsonl"\n'


def test_two_logs_of_ten_thousand_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_log(
        tmp_path / "a.jsonl",
        [
            {
                "id": f"r{number}", "input": f"question {number % 4000}", "output": "yes" if number % 5 else "no",
                "expected": "yes", "latency_ms": 5 if number % 3 == 0 else 700, "cost_usd": 0.001,
                "stage": "cache" if number % 3 == 0 else "large", "input_tokens": 90, "output_tokens": 3,
            }
            for number in range(10_000)
        ],
    )  # fmt: skip
    write_log(
        tmp_path / "b.jsonl",
        [{"id": f"r{number}", "output": "yes", "latency_ms": 40} for number in range(10, 10_010)],
    )
    begun = time.monotonic()
    report, rows = compared(scenario(tmp_path, LOGS))
    assert time.monotonic() - begun < 30
    assert report["quality"]["requests"] == 9_990
    assert report["quality"]["questions"] == 4_000
    assert scores(report["quality"]) == (pytest.approx(0.8), 1.0)
    assert report["cost"]["legacy"]["hit_rate"] == pytest.approx(1 / 3, abs=1e-3)
    assert report["cost"]["legacy"]["calls_per_answer"] is None, "a stage says who answered, not how many were asked"
    assert report["latency"]["direct"]["p99"] == 0.04
    assert report["cost"]["direct"]["usd_per_answer"] is None
    words = {
        word for pointer, word in report["standing"].items() if pointer not in ("/quality/margin", "/cost/acceptable")
    }
    assert words == {"recorded", "unknown"}
    told = on_one_line(capsys)
    assert "36" not in report["provenance"]["notes"]
    assert "60% repeats as logged" in told
    assert "10 of 10000 requests are in b.jsonl only and are left out" in told
    assert len(rows) == 2 * 9_990


def test_failed_requests_that_tell_nothing_leave_the_figures_of_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[dict[str, Any]] = [
        {
            "id": number, "input": f"question {number}", "output": "yes", "expected": "yes", "cost_usd": 0.5,
            "stage": "cache" if number % 2 else "large", "input_tokens": 90, "output_tokens": 10,
        }
        for number in range(40)
    ]  # fmt: skip
    write_log(
        tmp_path / "a.jsonl", [*rows[:-1], {"id": 39, "input": "question 39", "stage": "cache", "error": "Timeout"}]
    )
    write_log(tmp_path / "b.jsonl", [{key: row[key] for key in row if key != "cost_usd"} for row in rows])
    report, _ = compared(scenario(tmp_path, LOGS))
    cost = report["cost"]
    assert (cost["legacy"]["costed"], cost["legacy"]["told"], cost["direct"]["told"]) == (39, 39, 40)
    assert cost["legacy"]["usd_per_answer"] == pytest.approx(0.5)
    assert cost["legacy"]["hit_rate"] == pytest.approx(19 / 39)
    assert cost["legacy"]["calls_per_answer"] is None
    assert (cost["direct"]["costed"], cost["direct"]["usd_per_answer"]) == (0, None)
    told = on_one_line(capsys)
    assert "Cost of legacy: over 39 of 40 requests; the others failed and do not tell it." in told
    assert "Hit rate of legacy: over 39 of 40 requests" in told
    del rows[0]["cost_usd"]
    write_log(tmp_path / "a.jsonl", rows)
    report, _ = compared(scenario(tmp_path, LOGS))
    assert (report["cost"]["legacy"]["costed"], report["cost"]["legacy"]["usd_per_answer"]) == (0, None)


def test_a_log_without_texts_has_no_quality(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"id": number, "input": f"question {number}", "expected": "yes", "latency_ms": 9} for number in range(30)]
    write_log(tmp_path / "a.jsonl", [*rows[:-1], rows[-1] | {"error": "Timeout"}])
    write_log(tmp_path / "b.jsonl", [row | {"output": "yes"} for row in rows])
    report, _ = compared(scenario(tmp_path, LOGS))
    assert scores(report["quality"]["questions_like_these"]) == (None, 1.0)
    assert report["quality"]["right"] is None
    told = on_one_line(capsys)
    assert "Quality of legacy is not measured: the texts of its answers were not all kept." in told
    assert "Latency rests on 29 of 29 of legacy's, 29 of 30 of direct's answers: those that both gave" in told


@pytest.mark.parametrize(("small", "direct"), [("0.8", "0.9"), ("0.8", "1"), ("0", "1")])
def test_outcomes_between_right_and_wrong_are_compared_by_which_is_higher(
    small: str, direct: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"What is {number} in words?,{small},{direct}" for number in range(60)]
    (tmp_path / "graded.csv").write_text("\n".join(["q,a,b", *lines]))
    options = ["--prompt", "q", "--small", "a", "--direct", "b", "--out", str(tmp_path / "graded")]
    assert main(["import", str(tmp_path / "graded.csv"), *options]) == 0
    capsys.readouterr()
    report, _ = compared(tmp_path / "graded" / "scenario.toml")
    quality, told = report["quality"], on_one_line(capsys)
    counts = " ".join(quality_text.details(quality))
    count = quality["scored"]
    assert " own models: " in told
    assert f"over {count} questions of graded" in told
    higher = {"legacy": 0, "direct": count, "equal": 0}
    assert quality["higher"] == (None if small == "0" else higher)
    assert (f"legacy higher on 0, direct higher on {count}, equal on 0." in counts) == (small != "0")
    assert ("Right answers, by question" in counts) == (small == "0")
    assert ("Right answers (a score of 1), by question" in counts) == ((small, direct) == ("0.8", "1"))


def test_two_logs_of_nothing_but_ids_and_latencies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        write_log(tmp_path / f"{name}.jsonl", [{"id": number, "latency_ms": number} for number in range(40)])
    report, rows = compared(scenario(tmp_path, LOGS))
    assert report["quality"]["right"] is None
    assert scores(report["quality"]["questions_like_these"]) == (None, None)
    assert {row["score"] for row in rows} == {None}
    assert "Quality is not measured: there is no reference, or" in capsys.readouterr().out
    assert main(["explain", str(tmp_path / "out"), "7"]) == 0
    assert "cause: not known: no reference" in capsys.readouterr().out


def test_yesterdays_log_is_asked_of_another_system(served: Endpoint, tmp_path: Path) -> None:
    write_log(
        tmp_path / "a.jsonl",
        [{"id": number, "input": f"{number} + 1", "output": "3", "expected": number + 1} for number in range(5)],
    )
    text = '[legacy]\nkind = "log"\npath = "a.jsonl"\n[direct]\n'
    report, _ = compared(scenario(tmp_path, f'{text}kind = "http"\nbase_url = "{served.url}/v1"\nmodel = "m"\n'))
    assert scores(report["quality"]["questions_like_these"]) == (pytest.approx(0.2), 1.0)
    assert served.asked[-1]["messages"] in [[{"role": "user", "content": f"{number} + 1"}] for number in range(5)]
    report, _ = compared(scenario(tmp_path, f'{text}model = "http:{served.url}/v1#m"\n'))
    assert scores(report["quality"])[1] == 1.0


def test_serving_needs_a_built_in_pipeline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "direct", str(scenario(tmp_path, LOGS))]) == 2
    assert 'direct is of kind = "log", and only the built-in pipelines can be served' in capsys.readouterr().err
