"""Running services: what they are sent, what is read out of their answers, and what is said when it cannot be."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.scenario import load
from benchmarks.systems import Http
from benchmarks.targets.http import at_path, check_environment, open_http
from benchmarks.targets.target import Reply
from benchmarks.workloads.traffic import Asked
from benchmarks.workloads.workload import Item
from shared import clock
from shared.contract import Message, Request, Usage
from shared.errors import BadAnswer, BadInput
from tests.targets.endpoint import Endpoint, serving

ITEM = Item(
    id="s3", group="g", task="sums", input="1 + 2", profile=None, reference=3, author="a", source="own", licence="x"
)
REQUEST = Request((Message("system", "Add."), Message("user", "1 + 2")), task="sums", deadline_s=5.0)
PATHS = {
    "text": "result.answers.0.text", "input_tokens": "usage.in", "output_tokens": "usage.out", "stage": "result.from",
}  # fmt: skip


@pytest.fixture(scope="module")
def served() -> Iterator[Endpoint]:
    with serving(Endpoint()) as endpoint:
        yield endpoint


def ask(system: Http, request: Request = REQUEST, times: int = 1) -> list[Reply]:
    async def asked() -> list[Reply]:
        target = open_http("direct", system, request.deadline_s)
        try:
            return [await target.ask(Asked(number, ITEM, repeat=False), request) for number in range(times)]
        finally:
            await target.aclose()

    return clock.run(asked())


def endpoint_at(url: str, **fields: Any) -> Http:
    return Http.model_validate({"kind": "http", "url": url, "body": {"q": "{{input}}"}, "response": PATHS} | fields)


def test_an_openai_api_sees_the_whole_prompt(served: Endpoint) -> None:
    system = Http.model_validate(
        {"kind": "http", "base_url": f"{served.url}/v1", "model": "m", "price": {"input": 1.0, "output": 2.0}}
    )
    (reply,) = ask(system)
    assert (reply.text, reply.error, reply.steps, reply.overhead_s) == ("3", None, None, None)
    assert reply.usage == Usage(7, 3)
    assert reply.cost_usd == pytest.approx(13e-6)
    assert reply.latency_s is not None
    assert [message["role"] for message in served.asked[-1]["messages"]] == ["system", "user"]


def test_an_openai_api_that_is_none_is_an_error_of_the_request(served: Endpoint) -> None:
    (reply,) = ask(Http(kind="http", base_url=f"{served.url}/html", model="m"))
    assert reply.text is None
    assert reply.error is not None


def test_the_key_comes_from_the_variable_that_is_named(served: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    system = Http(kind="http", base_url=f"{served.url}/v1", model="m", api_key_env="GATEWAY_KEY")
    monkeypatch.setenv("CROSSOVER_API_KEY", "another")
    monkeypatch.setenv("GATEWAY_KEY", "k\n")
    ask(system)
    assert served.headers[-1]["Authorization"] == "Bearer k"


def test_a_template_becomes_the_body_and_paths_lead_into_the_answer(
    served: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVICE_KEY", "k\n")
    body = {"q": "{{input}}", "of": ["{{task}}/{{id}}", 7, None, {"all": "{{messages}}"}], "key": "${SERVICE_KEY}"}
    system = endpoint_at(f"{served.url}/answer", headers={"X-Key": "Bearer ${SERVICE_KEY}"}, body=body)
    first, second = sorted(ask(system, times=2), key=lambda reply: str(reply.steps))
    messages = [{"role": "system", "content": "Add."}, {"role": "user", "content": "1 + 2"}]
    assert served.asked[-1] == {"q": "1 + 2", "of": ["sums/s3", 7, None, {"all": messages}], "key": "k"}
    assert served.headers[-1]["X-Key"] == "Bearer k"
    assert first.text == second.text == "3"
    assert first.steps is not None
    assert second.steps is not None
    assert [first.steps[0].kind, second.steps[0].kind] == ["cache", "large"]
    assert first.steps[0].completion is None
    assert second.steps[0].completion is not None
    assert second.steps[0].completion.usage == Usage(10, 2)
    assert first.cost_usd is None, "no price and no path to a cost"


def test_a_body_may_be_json_in_a_text_and_a_url_may_hold_the_input(served: Endpoint) -> None:
    ask(endpoint_at(f"{served.url}/answer", body='{"q": "{{ input }}"}'))
    assert served.asked[-1] == {"q": "1 + 2"}
    ask(endpoint_at(f"{served.url}/answer?q={{{{input}}}}", body=None, method="GET"))
    assert served.asked[-1] == {"q": "1 + 2"}


def test_costs_come_from_the_answer_or_else_from_the_price(served: Endpoint) -> None:
    told = endpoint_at(f"{served.url}/answer", response=PATHS | {"cost_usd": "usage.cost"}, price={"per_call": 1.0})
    assert ask(told)[0].cost_usd == 0.25
    priced = endpoint_at(f"{served.url}/answer", response=PATHS | {"cost_usd": "usage.nothing"}, price={"per_call": 1})
    assert ask(priced)[0].cost_usd == 1.0


def test_an_answer_out_of_a_cache_has_no_tokens_to_pay(served: Endpoint) -> None:
    by_token = {"input": 1.0, "output": 2.0}
    replies = ask(endpoint_at(f"{served.url}/answer", price=by_token), times=2)
    costs = {reply.steps[0].kind: reply.cost_usd for reply in replies if reply.steps}
    assert costs == {"cache": 0.0, "large": pytest.approx(14e-6)}


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("html", "answered text/html, not JSON; is the URL that of the API?"),
        ("markup", "answered markup, not JSON; is the URL"),
        ("half", "response path `result.answers.0.text` leads nowhere: `result.answers` is a list of 0"),
        ("text", "response path `result.answers.0.text` leads nowhere: the answer is a number"),
        ("404", "answered 404; check the URL"),
        ("401", "answered 401; check its key in the headers"),
        ("503", "answered 503; try again, or look into its log"),
        ("307", "answered 307, a redirect, which is not followed"),
    ],
)
def test_what_is_no_answer_is_said_in_the_reply(served: Endpoint, path: str, error: str) -> None:
    (reply,) = ask(endpoint_at(f"{served.url}/{path}"))
    assert reply.text is None
    assert error in str(reply.error)
    assert "Sign in" not in str(reply.error)


def test_stages_and_counts_that_are_none_are_errors(served: Endpoint) -> None:
    (stage,) = ask(endpoint_at(f"{served.url}/answer", response=PATHS | {"stage": "result.answers.0.text"}))
    assert "response.stage: stage is none of cache, small, large" in str(stage.error)
    (count,) = ask(endpoint_at(f"{served.url}/answer", response=PATHS | {"input_tokens": "result"}))
    assert "response.input_tokens: `result` is an object, not a whole number" in str(count.error)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (r'{"a": "\ud800"}', "response.text: `a` is a text with half a character"),
        (r'{"a": ["\ud800"]}', "response.text: `a` is a text with half a character"),
        (r'{"\ud800": "a"}', "leads nowhere: the answer has the keys ?"),
        (r'{"a": "b", "n": "\ud800"}', "response.model: `n` is a text with half a character"),
        ('{"a": "b", "usd": 1e999}', "response.cost_usd: `usd` is a number, not a number from 0 to 1e+15"),
        ('{"a": "b", "usd": 1' + 400 * "0" + "}", "response.cost_usd: `usd` is a number, not"),
        (
            '{"a": "b", "in": 1' + 400 * "0" + "}",
            "response.input_tokens: `in` is a number, not a whole number from 0 to",
        ),
        ('{"a": "b", "in": 1' + 5000 * "0" + "}", "the answer is no JSON"),
    ],
)
def test_what_no_report_could_hold_is_an_error_of_the_request(served: Endpoint, answer: str, error: str) -> None:
    paths = {"text": "a", "model": "n", "cost_usd": "usd", "input_tokens": "in"}
    served.raw = answer
    (reply,) = ask(endpoint_at(f"{served.url}/raw", response=paths, price={"input": 1.0, "output": 1.0}))
    assert reply.text is None
    assert error in str(reply.error)
    str(reply.error).encode()


def test_tokens_that_there_cannot_be_are_an_error_of_the_request(served: Endpoint) -> None:
    served.raw = json.dumps(
        {"choices": [{"message": {"content": "3"}}], "usage": {"prompt_tokens": 10**400, "completion_tokens": 1}}
    )
    system = {"kind": "http", "base_url": f"{served.url}/raw", "model": "m", "price": {"input": 1.0, "output": 1.0}}
    (reply,) = ask(Http.model_validate(system))
    assert "counts its tokens in something other than whole numbers from 0 to 1,000,000,000,000" in str(reply.error)


def test_a_deadline_ends_the_wait(served: Endpoint) -> None:
    (reply,) = ask(endpoint_at(f"{served.url}/hangs"), Request(REQUEST.messages, deadline_s=0.1))
    assert "no complete answer within 0.1 s" in str(reply.error)


def test_nobody_there_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    (reply,) = ask(endpoint_at(f"http://127.0.0.1:{port}/"))
    assert "cannot be connected to" in str(reply.error)


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('url = "http://a/{{input}}"\nheaders = { X-Key = "Bearer ${SERVICE_KEY}" }', "headers.X-Key"),
        ('url = "http://a/"\nbody = { q = "{{input}}", k = ["${SERVICE_KEY}"] }', "body"),
        ('model = "m"\napi_key_env = "SERVICE_KEY"\nbase_url = "http://a/v1"', "api_key_env"),
    ],
)
def test_an_unset_variable_is_named_with_file_line_and_key(
    line: str, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    response = "" if "base_url" in line else 'response.text = "a"\n'
    (tmp_path / "mine.toml").write_text(f'[direct]\nkind = "http"\n{line}\n{response}')
    scenario = load(tmp_path / "mine.toml")
    monkeypatch.delenv("SERVICE_KEY", raising=False)
    with pytest.raises(BadInput) as caught:
        check_environment(scenario)
    where = f"mine.toml line 4: key `direct.{key}`: the environment variable SERVICE_KEY "
    assert f"{where}is not set" in str(caught.value)
    monkeypatch.setenv("SERVICE_KEY", "a\nb")
    with pytest.raises(BadInput) as caught:
        check_environment(scenario)
    assert f"{where}holds a line break" in str(caught.value)
    monkeypatch.setenv("SERVICE_KEY", "k\n")
    check_environment(scenario)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.from_regex(r"[a-z]+", fullmatch=True), inner),
    max_leaves=8,
)


@given(values, st.data())
@settings(max_examples=50)
def test_every_path_that_is_there_leads_to_its_value_and_no_other_does(value: Any, data: st.DataObject) -> None:
    node, path = value, list[str]()
    while isinstance(node, dict | list) and node:
        key = data.draw(st.sampled_from(list(node) if isinstance(node, dict) else range(len(node))))
        node, path = node[key], [*path, str(key)]
    if path:
        assert at_path(value, ".".join(path)) == node
    with pytest.raises(BadAnswer, match="leads nowhere"):
        at_path(value, ".".join([*path, "NOT"]))
    assert at_path(value, ".".join([*path, "NOT"]), missing_is_null=True) is None
