"""Logs of LiteLLM and Langfuse: known by their fields, and read without making anything up."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cli import main


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


LITELLM: dict[str, Any] = {
    "id": "chatcmpl-1", "trace_id": "t", "session_id": "s-1", "call_type": "acompletion", "response_cost": 0.0000135,
    "status": "success", "prompt_tokens": 10, "completion_tokens": 20, "startTime": 1795575876.9,
    "endTime": 1795575877.1, "model": "gpt-4o-mini", "cache_hit": False, "error_str": None,
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Capital of Peru?"}],
    "response": {"choices": [{"message": {"role": "assistant", "content": "Lima"}}]},
}  # fmt: skip
SPEND: dict[str, Any] = {
    "request_id": "chatcmpl-2", "call_type": "completion", "spend": 0.0, "prompt_tokens": 0, "completion_tokens": 0,
    "startTime": "2026-11-25T03:00:00Z", "endTime": "2026-11-25T03:00:00.050Z", "request_duration_ms": 50, "model": "m",
    "cache_hit": "True", "messages": "{}", "response": '{"choices": [{"message": {"content": "Santiago"}}]}',
    "proxy_server_request": '{"messages": [{"role": "user", "content": "Capital of Chile?"}]}', "session_id": "",
    "status": "success",
}  # fmt: skip


def logged(name: str, rows: list[dict[str, Any]], *options: str) -> list[dict[str, Any]]:
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["import", name, "--out", "t", *options]) == 0
    return [json.loads(line) for line in Path("t/log.jsonl").read_text().splitlines()]


def test_a_litellm_log_is_known_by_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    failed = {**LITELLM, "id": "f", "status": "failure", "response": None, "error_str": "the prompt was",
              "error_information": {"error_class": "RateLimitError"}, "response_cost": 0.0}  # fmt: skip
    tool = {**LITELLM, "id": "x", "response": {"choices": [{"message": {"content": None}}]}}
    entries = logged("l.jsonl", [LITELLM, SPEND, failed, tool, {**LITELLM, "call_type": "aembedding"}, LITELLM])
    told = capsys.readouterr()
    assert "l.jsonl has the fields of a litellm log" in told.err
    assert "6 rows: 3 log entries, 0 exact duplicates, 1 that are no model calls, 2 rejected" in told.out
    assert entries[0] == {
        "id": "chatcmpl-1", "input": LITELLM["messages"], "output": "Lima", "latency_ms": pytest.approx(200, abs=0.01),
        "cost_usd": 0.0000135, "stage": "call", "model": "gpt-4o-mini", "input_tokens": 10, "output_tokens": 20,
        "timestamp": "2026-11-25T03:04:36.900000+00:00", "session_id": "s-1",
    }  # fmt: skip
    assert entries[1] == {
        "id": "chatcmpl-2", "input": "Capital of Chile?", "output": "Santiago", "latency_ms": 50, "cost_usd": 0.0,
        "stage": "cache", "model": "m", "timestamp": "2026-11-25T03:00:00+00:00",
    }  # fmt: skip
    assert entries[2]["error"] == "RateLimitError"
    assert {"output", "stage"}.isdisjoint(entries[2])
    assert entries[2]["cost_usd"] == 0
    assert main(["check", "t/scenario.toml"]) in (0, 2)  # 2 where the local model has not been fetched


LANGFUSE: dict[str, Any] = {
    "id": "obs-1", "traceId": "trace-1", "type": "GENERATION", "model": "gpt-4o-mini", "level": "DEFAULT",
    "startTime": "2025-04-12T10:23:14.512Z", "endTime": "2025-04-12T10:23:16.108Z",
    "input": [{"role": "user", "content": "Summarize."}], "output": {"role": "assistant", "content": "It asks."},
    "usage": {"input": 412, "output": 87, "total": 499, "unit": "TOKENS"}, "totalCost": 0.000183,
}  # fmt: skip
BLOB: dict[str, Any] = {
    "id": "obs-2", "trace_id": "trace-2", "project_id": "p", "type": "GENERATION", "session_id": "s", "level": "ERROR",
    "start_time": "2024-05-29 13:46:19.963000", "end_time": None, "latency": None, "input": "Why?", "output": "",
    "provided_model_name": "m", "usage_details": {"input": 5, "output": 0}, "total_cost": 0,
}  # fmt: skip


def test_langfuse_logs_from_the_screen_and_from_blob_storage() -> None:
    entries = logged("l.jsonl", [LANGFUSE, {**LANGFUSE, "id": "span", "type": "SPAN"}, BLOB])
    assert entries == [
        {
            "id": "obs-1", "input": "Summarize.", "output": "It asks.", "latency_ms": pytest.approx(1596),
            "cost_usd": 0.000183, "model": "gpt-4o-mini", "input_tokens": 412, "output_tokens": 87,
            "timestamp": "2025-04-12T10:23:14.512000+00:00", "session_id": "trace-1",
        },
        {
            "id": "obs-2", "input": "Why?", "model": "m", "input_tokens": 5, "error": "failed", "session_id": "s",
            "timestamp": "2024-05-29T13:46:19.963000+00:00",
        },
    ]  # fmt: skip


def test_a_langfuse_csv_holds_json_in_its_cells() -> None:
    cells = [json.dumps(cell) if isinstance(cell, dict | list) else cell for cell in LANGFUSE.values()]
    with Path("l.csv").open("w", newline="") as file:
        csv.writer(file).writerows([list(LANGFUSE), cells])
    assert main(["import", "l.csv", "--from", "langfuse"]) == 0
    entry = json.loads(Path("l/log.jsonl").read_text())
    assert (entry["output"], entry["input_tokens"], entry["latency_ms"]) == ("It asks.", 412, pytest.approx(1596))


def test_a_responses_call_is_answered_by_its_first_message() -> None:
    said = [{"type": "message", "content": [{"type": "output_text", "text": text}]} for text in ("Quito", "no")]
    row = {
        **SPEND, "call_type": "aresponses", "messages": "null",
        "proxy_server_request": json.dumps({"input": [{"role": "user", "content": "Capital of Ecuador?"}]}),
        "response": json.dumps({"output": [{"type": "reasoning", "summary": []}, *said]}),
    }  # fmt: skip
    (entry,) = logged("l.jsonl", [row])
    assert (entry["input"], entry["output"]) == ("Capital of Ecuador?", "Quito")


def test_two_imported_logs_compare() -> None:
    for name, answer in (("a.jsonl", "Lima"), ("b.jsonl", "Cusco")):
        rows = [
            {**LITELLM, "id": f"r{n}", "response": {"choices": [{"message": {"content": answer}}]}} for n in range(9)
        ]
        Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert main(["import", name]) == 0
    Path("both.toml").write_text(
        '[legacy]\nkind = "log"\npath = "a/log.jsonl"\n[direct]\nkind = "log"\npath = "b/log.jsonl"\n'
    )
    assert main(["compare", "both.toml", "--out", "results"]) == 0


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"id": None}, "no id"),
        ({"messages": None}, "let it store prompts"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]}, "no text"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "not from system, user or assistant"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "the last message is not from the user"),
        ({"response": None}, "no answer that is a text"),
        ({"response": "null"}, "no answer that is a text"),
        ({"response": {"output": [{"type": "function_call", "name": "f"}]}}, "no answer that is a text"),
        ({"messages": "null"}, "let it store prompts"),
    ],
)
def test_log_rows_that_cannot_be_used(changed: dict[str, Any], says: str) -> None:
    logged("l.jsonl", [{**LITELLM, "id": "good"}, LITELLM | changed])
    (line,) = Path("t/rejected.ndjson").read_text().splitlines()
    rejected = json.loads(line)
    assert rejected["line"] == 2
    assert says in rejected["reason"]
