"""What every backend that speaks OpenAI's dialect over a wire must do: run by `test_http` and `test_litellm`."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contract import Backend, Completion, Message, Request, Usage
from shared.errors import BackendError, BackendRefused, BackendUnavailable, BadAnswer
from tests.openai_server import OpenAIServer

PROMPT = "Where does Moneypenny live? Tell nobody."
ANSWER = "Paris is it."
KEY = "sk-secret-0123456789"
REQUEST = Request((Message("user", PROMPT),))

FAILURES: dict[str, tuple[type[BackendError], str]] = {
    "400": (BackendRefused, "400"),
    "401": (BackendRefused, "environment variable"),
    "403": (BackendRefused, "may use this model"),
    "404": (BackendRefused, "name and the base URL"),
    "422": (BackendRefused, "422"),
    "408": (BackendUnavailable, "408"),
    "429": (BackendUnavailable, "429"),
    "500": (BackendUnavailable, "500"),
    "503": (BackendUnavailable, "503"),
    "hangs": (BackendUnavailable, "in time"),
    "stalls": (BackendUnavailable, "in time"),
    "cut": (BackendUnavailable, "broke the connection"),
    "stops-early": (BadAnswer, "came back"),
    "malformed": (BadAnswer, "came back"),
    "html": (BadAnswer, "came back"),
    "empty": (BadAnswer, "came back"),
    "silent": (BadAnswer, "no text"),  # the blank 200 of an overlong prompt
    "error-event": (BadAnswer, "came back"),
    "tool-call": (BadAnswer, "calls a tool"),
}
RETRY_AFTER_S = {"429": 7.0, "503": 2.5}


class Make(Protocol):
    def __call__(self, base_url: str, model: str, *, silence_s: float = 60.0, logprobs: bool = False) -> Backend: ...


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """One scenario in a loop of its own, bounded: a test that hangs is a failure."""

    async def bounded() -> None:
        async with asyncio.timeout(20):
            await main()

    asyncio.run(bounded())


async def collect(backend: Backend, request: Request = REQUEST) -> tuple[list[str], Completion]:
    """The pieces and the completion, which must come last and once."""
    *pieces, last = [item async for item in backend.stream(request)]
    assert isinstance(last, Completion)
    assert all(isinstance(piece, str) for piece in pieces)
    return [str(piece) for piece in pieces], last


async def whole(backend: Backend) -> Completion:
    return await backend.complete(REQUEST)


async def streamed(backend: Backend) -> Completion:
    return (await collect(backend))[1]


WAYS: list[Callable[[Backend], Awaitable[Completion]]] = [whole, streamed]


class WireTests:
    """Subclasses say how to make a backend for a model of the test server."""

    make: Make

    @pytest.mark.parametrize("ask", WAYS)
    def test_an_answer_comes_with_usage_reason_and_time(self, ask: Callable[[Backend], Awaitable[Completion]]) -> None:
        async def main() -> None:
            async with OpenAIServer() as server:
                backend = self.make(server.url, "ok")
                completion = await ask(backend)
                await backend.aclose()
            assert completion.text == ANSWER
            assert completion.usage == Usage(7, 3)
            assert (completion.finish_reason, completion.timing) == ("stop", "measured")
            assert completion.model == backend.identity.model
            assert completion.seconds is not None
            assert completion.seconds > 0
            if ask is streamed:
                assert completion.first_token_s is not None
                assert 0 < completion.first_token_s <= completion.seconds

        run(main)

    @pytest.mark.parametrize("ask", WAYS)
    def test_usage_that_was_not_reported_stays_unknown(self, ask: Callable[[Backend], Awaitable[Completion]]) -> None:
        async def main() -> None:
            async with OpenAIServer() as server:
                backend = self.make(server.url, "no-usage")
                assert (await ask(backend)).usage == Usage(None, None)
                await backend.aclose()

        run(main)

    @pytest.mark.parametrize("ask", WAYS)
    def test_a_cut_off_answer_says_so(self, ask: Callable[[Backend], Awaitable[Completion]]) -> None:
        async def main() -> None:
            async with OpenAIServer() as server:
                backend = self.make(server.url, "too-long")
                assert (await ask(backend)).finish_reason == "length"
                await backend.aclose()

        run(main)

    @pytest.mark.parametrize("ask", WAYS)
    @pytest.mark.parametrize("model", FAILURES)
    def test_every_failure_is_typed_and_quotes_nothing(
        self,
        ask: Callable[[Backend], Awaitable[Completion]],
        model: str,
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        expected, says = FAILURES[model]
        caplog.set_level("DEBUG")
        for name in ("LiteLLM", "LiteLLM Proxy", "LiteLLM Router"):
            caplog.set_level("DEBUG", logger=name)

        async def main() -> None:
            async with OpenAIServer(*ANSWER.split(" ")) as server:
                backend = self.make(server.url, model, silence_s=0.05)
                with pytest.raises(expected, match=says) as caught:
                    await ask(backend)
                await backend.aclose()
                assert server.headers[-1]["Authorization"] == f"Bearer {KEY}"
                assert len(server.bodies) == 1  # nothing is retried behind the pipeline's back
            assert type(caught.value) is expected
            if isinstance(caught.value, BackendUnavailable):
                assert caught.value.retry_after_s == RETRY_AFTER_S.get(model)
            shown = "".join(traceback.format_exception(caught.value))
            logged = "".join(f"{record.getMessage()}{record.args}{record.exc_text}" for record in caplog.records)
            for text in (shown, logged, *capfd.readouterr()):
                assert KEY not in text
                assert "Moneypenny" not in text
                assert "Paris" not in text

        run(main)

    @pytest.mark.parametrize("ask", WAYS)
    def test_a_good_answer_leaves_nothing_in_the_logs(
        self,
        ask: Callable[[Backend], Awaitable[Completion]],
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        caplog.set_level("DEBUG")
        caplog.set_level("DEBUG", logger="LiteLLM")

        async def main() -> None:
            async with OpenAIServer() as server:
                backend = self.make(server.url, "ok")
                await ask(backend)
                await backend.aclose()
            logged = "".join(f"{record.getMessage()}{record.args}{record.exc_text}" for record in caplog.records)
            for text in (logged, *capfd.readouterr()):
                assert not any(secret in text for secret in (KEY, "Moneypenny", "Paris"))

        run(main)

    @pytest.mark.parametrize("ask", WAYS)
    def test_a_port_where_nobody_listens_is_unavailable(self, ask: Callable[[Backend], Awaitable[Completion]]) -> None:
        async def main() -> None:
            async with OpenAIServer() as server:
                url = server.url
            backend = self.make(url, "ok")
            with pytest.raises(BackendUnavailable):
                await ask(backend)
            await backend.aclose()

        run(main)

    def test_a_host_name_that_does_not_resolve_is_unavailable(self) -> None:
        async def main() -> None:
            backend = self.make("http://nowhere.invalid/v1", "ok")
            with pytest.raises(BackendUnavailable):
                await backend.complete(REQUEST)
            await backend.aclose()

        run(main)

    def test_only_the_fields_that_are_set_are_sent(self) -> None:
        full = Request(
            (Message("system", "Be brief."), Message("user", PROMPT)),
            max_tokens=9,
            temperature=0.0,
            top_p=0.5,
            seed=3,
            stop=("\n", "END"),
            response_format='{"type": "json_object"}',
            tools='[{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]',
        )

        async def main() -> None:
            async with OpenAIServer() as server:
                backend = self.make(server.url, "ok")
                await backend.complete(REQUEST)
                await backend.complete(full)
                await collect(backend, full)
                await backend.aclose()
            bare, complete, stream = server.bodies
            assert bare == {"model": "ok", "messages": [{"role": "user", "content": PROMPT}], "max_tokens": 256}
            assert complete == {
                "model": "ok",
                "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": PROMPT}],
                "max_tokens": 9,
                "temperature": 0.0,
                "top_p": 0.5,
                "seed": 3,
                "stop": ["\n", "END"],
                "response_format": {"type": "json_object"},
                "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
            }
            assert stream == complete | {"stream": True, "stream_options": {"include_usage": True}}

        run(main)

    def test_log_probabilities_are_asked_for_only_where_wanted(self) -> None:
        async def main() -> None:
            async with OpenAIServer() as server:
                backend = self.make(server.url, "logprobs", logprobs=True)
                assert (await backend.complete(REQUEST)).logprobs == (-0.5, -1.0)
                assert (await collect(backend))[1].logprobs == (-0.5, -1.0)
                assert all(body["logprobs"] is True for body in server.bodies)
                await backend.aclose()

        run(main)

    def test_150_identical_chunks_are_an_answer_like_any_other(self) -> None:
        async def main() -> None:
            async with OpenAIServer() as server:
                backend = self.make(server.url, "identical-150")
                pieces, completion = await collect(backend)
                await backend.aclose()
            assert pieces == ["again "] * 150
            assert completion.text == "again " * 150

        run(main)

    @pytest.mark.parametrize("model", ["no-done", "split"])
    def test_streams_that_end_or_arrive_oddly_are_whole(self, model: str) -> None:
        async def main() -> None:
            async with OpenAIServer("Zürich", " 東京", " 🏔️\r\n", "data: [DONE]\n\n") as server:
                backend = self.make(server.url, model)
                assert (await collect(backend))[1].text == server.text
                await backend.aclose()

        run(main)

    def test_any_text_in_any_pieces_comes_back_exact(self) -> None:
        @settings(max_examples=40, deadline=None)
        @given(st.lists(st.text(min_size=1), min_size=1, max_size=8))
        def check(texts: list[str]) -> None:
            async def main() -> None:
                async with OpenAIServer(*texts) as server:
                    backend = self.make(server.url, "ok")
                    pieces, completion = await collect(backend)
                    assert pieces == texts
                    assert completion.text == "".join(texts)
                    assert (await backend.complete(REQUEST)).text == "".join(texts)
                    await backend.aclose()

            run(main)

        check()

    def test_closing_a_stream_closes_its_connection(self) -> None:
        async def main() -> None:
            async with OpenAIServer() as server:
                backend = self.make(server.url, "stalls")
                stream = backend.stream(REQUEST)
                assert await anext(stream) == "Paris"
                await stream.aclose()
                await server.left.wait()  # while the backend is still open
                await backend.aclose()

        run(main)

    @pytest.mark.parametrize("model", ["hangs", "stalls"])
    @pytest.mark.parametrize("ask", WAYS)
    def test_cancelling_a_call_closes_its_connection(
        self, ask: Callable[[Backend], Awaitable[Completion]], model: str
    ) -> None:
        async def main() -> None:
            async with OpenAIServer() as server:
                backend = self.make(server.url, model)
                call = asyncio.ensure_future(ask(backend))
                await server.arrived.wait()
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call
                await server.left.wait()
                await backend.aclose()

        run(main)

    def test_32_calls_are_in_flight_at_once(self) -> None:
        async def main() -> None:
            async with OpenAIServer() as server:
                backend = self.make(server.url, "together")
                ways = [WAYS[each % 2](backend) for each in range(32)]
                completions = await asyncio.gather(*ways)
                assert {each.text for each in completions} == {ANSWER}
                assert (server.most_in_flight, server.connections) == (32, 32)
                await backend.aclose()

        run(main)

    def test_a_connection_serves_again(self) -> None:
        async def main() -> None:
            async with OpenAIServer() as server:
                backend = self.make(server.url, "ok")
                for ask in WAYS * 5:
                    assert (await ask(backend)).text == ANSWER
                assert (server.connections, len(server.bodies)) == (1, 10)
                await backend.aclose()

        run(main)

    def test_a_backend_can_follow_one_that_was_closed(self) -> None:
        async def main() -> None:
            async with OpenAIServer() as server:
                for _ in range(2):
                    backend = self.make(server.url, "ok")
                    assert (await backend.complete(REQUEST)).text == ANSWER
                    await backend.aclose()
                assert server.connections == 2

        run(main)
