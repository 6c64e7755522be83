"""The HTTP backend: the table of `wire.py`, and what is its own: the pool, the parser, the limits, the base URL."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.backends import http, openai_dialect
from shared.backends.http import HttpBackend, ServerSentEvents
from shared.backends.openai_dialect import Assembly, Namesake, error_code, retry_after_s
from shared.clock import run as run_loop
from shared.contract import Backend, Identity
from shared.errors import BackendRefused, BadAnswer, BadInput
from tests.backends.wire import ANSWER, KEY, REQUEST, WireTests, collect, run
from tests.openai_server import OpenAIServer


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSOVER_API_KEY", KEY)


class TestHttp(WireTests):
    @staticmethod
    def make(base_url: str, model: str, *, silence_s: float = 60.0, logprobs: bool = False) -> Backend:
        return HttpBackend(base_url, model, silence_s=silence_s, logprobs=logprobs)


def test_calls_beyond_the_pool_wait_their_turn() -> None:
    async def main() -> None:
        async with OpenAIServer() as server:
            backend = HttpBackend(server.url, "ok", connections=2)
            await asyncio.gather(*(backend.complete(REQUEST) for _ in range(16)))
            assert server.connections == 2
            assert server.most_in_flight <= 2
            await backend.aclose()

    run(main)


def test_the_identity_is_the_address_without_credentials_and_trailing_slash() -> None:
    backend = HttpBackend("https://me:pass%20word@Example.com:8443/v1/", "m", api_key="")
    assert backend.identity == Identity("http", "m", "https://example.com:8443/v1")
    assert "pass" not in repr(backend.identity)


@pytest.mark.parametrize(
    "base_url",
    ["", "example.com/v1", "ftp://example.com", "http://", "http://h:port/v1", f"http://h/v1?key={KEY}", "http://h/#x"],
)
def test_what_is_no_base_url_is_refused_unquoted(base_url: str) -> None:
    with pytest.raises(BadInput, match="must be like https://host/v1") as caught:
        HttpBackend(base_url, "m")
    assert KEY not in str(caught.value)


def test_two_kinds_of_credentials_are_refused() -> None:
    with pytest.raises(BadInput, match="only one"):
        HttpBackend(f"http://user:{KEY}@host/v1", "m", api_key="other")


def test_credentials_in_the_url_are_sent_as_such() -> None:
    async def main() -> None:
        async with OpenAIServer() as server:
            backend = HttpBackend(server.url.replace("//", "//user:word@"), "ok", api_key="")
            await backend.complete(REQUEST)
            await backend.aclose()
            assert server.headers[0]["Authorization"] == "Basic dXNlcjp3b3Jk"

    run(main)


def test_no_key_means_no_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CROSSOVER_API_KEY")

    async def main() -> None:
        async with OpenAIServer() as server:
            backend = HttpBackend(server.url, "ok")
            await backend.complete(REQUEST)
            await backend.aclose()
            assert "Authorization" not in server.headers[0]

    run(main)


def test_the_remedy_names_the_variable_that_holds_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)

    async def main() -> None:
        async with OpenAIServer() as server:
            backend = HttpBackend(server.url, "401", api_key_env="MY_KEY")
            with pytest.raises(BackendRefused, match=r"\(invalid_api_key\).* MY_KEY$"):
                await backend.complete(REQUEST)
            await backend.aclose()

    run(main)


def test_a_redirect_is_not_followed_with_the_key() -> None:
    async def main() -> None:
        async with OpenAIServer() as server:
            backend = HttpBackend(server.url, "307")
            with pytest.raises(BackendRefused, match="redirect"):
                await backend.complete(REQUEST)
            await backend.aclose()
            assert len(server.bodies) == 1

    run(main)


@pytest.mark.parametrize("limit", ["MAX_ANSWER_BYTES", "MAX_LINE_BYTES"])
def test_a_body_without_end_is_cut_off(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, limit, 2**16)

    async def main() -> None:
        async with OpenAIServer() as server:
            backend = HttpBackend(server.url, "endless")
            with pytest.raises(BadAnswer, match="longer than 65536 bytes"):
                await collect(backend)
            if limit == "MAX_ANSWER_BYTES":
                with pytest.raises(BadAnswer, match="longer than 65536 bytes"):
                    await backend.complete(REQUEST)
            await server.left.wait()
            await backend.aclose()

    run(main)


def test_a_stream_whose_body_ends_late_keeps_its_connection() -> None:
    async def main() -> None:
        async with OpenAIServer() as server:
            backend = HttpBackend(server.url, "late-end")
            for _ in range(3):
                assert (await collect(backend))[1].text == ANSWER
            assert server.connections == 1
            await backend.aclose()

    run(main)


def test_a_stream_whose_body_never_ends_is_an_answer_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LAST_BYTES_S", 0.01)

    async def main() -> None:
        async with OpenAIServer() as server:
            backend = HttpBackend(server.url, "no-end")
            assert (await collect(backend))[1].text == ANSWER
            await server.left.wait()
            await backend.aclose()

    run(main)


def test_a_prompt_of_two_megabytes_is_sent_whole() -> None:
    async def main() -> None:
        async with OpenAIServer() as server:
            backend = HttpBackend(server.url, "ok")
            message = type(REQUEST.messages[0])("user", "word " * 400_000)
            await backend.complete(type(REQUEST)((message,)))
            await backend.aclose()
            assert server.bodies[0]["messages"][0]["content"] == message.content

    run(main)


def test_a_closed_backend_opens_again_when_asked() -> None:
    async def main() -> None:
        async with OpenAIServer() as server:
            backend = HttpBackend(server.url, "ok")
            for _ in range(2):
                assert (await backend.complete(REQUEST)).text == ANSWER
                await backend.aclose()
            await backend.aclose()

    run(main)


@given(st.lists(st.binary(max_size=20).filter(lambda data: not set(data) & set(b"\r\n")), max_size=5), st.data())
def test_events_do_not_depend_on_how_the_bytes_are_cut(events: list[bytes], data: st.DataObject) -> None:
    end = data.draw(st.sampled_from([b"\n", b"\r\n"]))
    stream = b"".join(b": comment" + end + b"event: x" + end + b"data: " + event + end + end for event in events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    parser = ServerSentEvents()
    found = [event for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True) for event in parser.feed(stream[a:b])]
    assert found == events


def test_data_of_several_lines_is_one_event() -> None:
    assert ServerSentEvents().feed(b"data:{\ndata: }\n\n\n") == [b"{\n}"]


@pytest.mark.parametrize(
    "payload",
    [
        [],
        {},
        {"choices": {}},
        {"choices": [None]},
        {"choices": [{"message": None}]},
        {"choices": [{"message": {"content": 3}}]},
        {"choices": [{"message": {"content": "half \ud83d"}}]},
        {"choices": [{"message": {"content": "x"}, "logprobs": {"content": [{"logprob": "low"}]}}]},
        {"choices": [{"message": {"content": "x"}, "logprobs": {"content": [{"logprob": float("nan")}]}}]},
        {"choices": [{"message": {"content": "x"}}], "usage": []},
        {"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": -1}},
        {"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": True}},
        {"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": 1.5}},
        {"choices": [{"message": {"content": "x"}, "finish_reason": "tool_calls"}]},
        {"error": {"message": "no"}},
    ],
)
def test_a_body_that_is_no_answer_is_a_bad_answer(payload: Any) -> None:
    with pytest.raises(BadAnswer, match=r"^m at h: what came back .*; "):
        Assembly("m", "m at h", Namesake("m")).add(payload, "message")


def test_a_stream_without_end_is_cut_off_whoever_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_dialect, "MOST_CHARS", 10)
    answer = Assembly("m", "m", Namesake("m"))
    answer.add({"choices": [{"delta": {"content": "x" * 10}}]}, "delta")
    with pytest.raises(BadAnswer, match="longer than 10 characters"):
        answer.add({"choices": [{"delta": {"content": "x"}}]}, "delta")


@pytest.mark.parametrize(
    ("names", "fit"),
    [
        (["m", "m", None, ""], [True] * 4),
        (["m-2026-01-01", "m-2026-02-02", "other"], [True] * 3),  # an alias is free to change
        (["m", "other", "m", "other"], [True, False, True, False]),
        (["m-2026-01-01", "m", "m-2026-01-01"], [True, True, False]),
        (["provider/m", "m", "other/m", "m/other"], [True, True, True, False]),
        (["m", 3, ["other"]], [True] * 3),
    ],
)
def test_only_an_endpoint_that_repeats_the_name_is_held_to_it(names: list[Any], fit: list[bool]) -> None:
    namesake = Namesake("m")
    assert [namesake.fits(name) for name in names] == fit


@pytest.mark.parametrize(
    ("reason", "means"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("eos", "unknown"),
        (None, "unknown"),
    ],
)
def test_finish_reasons_are_mapped(reason: str | None, means: str) -> None:
    answer = Assembly("m", "m", Namesake("m"))
    answer.add({"choices": [{"message": {"content": "x"}, "finish_reason": reason}]}, "message")
    assert answer.complete(seconds=0.1).finish_reason == means


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("3", 3.0),
        ("0.5", 0.5),
        ("-4", 0.0),
        ("inf", None),
        ("nan", None),
        ("soon", None),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 30.0),  # virtual time begins at midnight
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str | None, seconds: float | None) -> None:
    async def main() -> None:
        assert retry_after_s(text) == seconds

    run_loop(main(), virtual=True)


@pytest.mark.parametrize("word", ["two words", KEY, "x" * 60, 7, None, "hf_3456"])
def test_an_error_code_that_could_be_a_key_or_a_sentence_is_not_repeated(word: Any) -> None:
    assert error_code({"error": {"code": word}}) == ""
    assert error_code({"error": word}) == ""
    assert error_code(word) == ""
