"""The local backend: how it renders, what it refuses, and, with the real models (`-m live`), what it really does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import clock
from shared.backends.local import LocalBackend, render_raw
from shared.contract import Completion, Message, Request, Role
from shared.errors import BackendRefused, BackendUnavailable, BadInput
from shared.models import pull
from shared.models.catalogue import find

SMALL = "smollm2-135m"
DIRECT = "qwen-0.5b"


def ask(*turns: tuple[str, str], **changes: Any) -> Request:
    settings: dict[str, Any] = {"temperature": 0.0, "max_tokens": 16} | changes
    return Request(tuple(Message(cast("Role", role), text) for role, text in turns), **settings)


CAPITAL = ask(
    ("system", "Answer with one word."),
    ("user", "Capital of Italy?"),
    ("assistant", "Rome"),
    ("user", "Capital of France?"),
)
LONG = ask(("user", "Count from one to two hundred in words."), max_tokens=400)

make: Callable[..., LocalBackend] = LocalBackend

# --- without a model ---


def test_a_conversation_is_rendered_as_text_to_be_continued() -> None:
    expected = "Answer with one word.\n\nCapital of Italy? => Rome\nCapital of France? =>"
    assert render_raw(CAPITAL.messages) == expected


@given(st.lists(st.sampled_from(["user", "assistant", "system"]), max_size=8), st.text(max_size=10))
def test_every_rendering_ends_where_the_model_goes_on(roles: list[str], text: str) -> None:
    messages = [Message(cast("Role", role), text) for role in roles] + [Message("user", text)]
    rendered = render_raw(messages)
    assert rendered.endswith(f"{text} =>")
    assert rendered.count(text) >= len(messages)


def test_a_name_that_is_neither_file_nor_model_lists_the_models() -> None:
    with pytest.raises(BadInput, match=r"'gpt-9' is neither a file nor a known model; .*smollm2-135m"):
        LocalBackend("gpt-9")


def test_a_model_that_is_not_here_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSOVER_MODELS", str(tmp_path))
    with pytest.raises(BadInput, match=r"qwen-1\.5b is not here; run: crossover models pull qwen-1\.5b"):
        LocalBackend("qwen-1.5b")


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"PK\x03\x04")
    with pytest.raises(BadInput, match=r"a\.gguf is not a GGUF file"):
        LocalBackend(tmp_path / "a.gguf")


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="needs the packages of the extra `local`")
    (tmp_path / "a.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(BadInput, match=r"a\.gguf could not be loaded: it is damaged"):
        LocalBackend(tmp_path / "a.gguf")


@pytest.mark.parametrize("setting", ["slots", "threads", "context"])
def test_settings_below_one_are_refused(setting: str) -> None:
    with pytest.raises(BadInput, match=f"{setting} is 0; it must be 1 or more"):
        make(SMALL, **{setting: 0})


# --- with the real models ---


def loaded(name: str, **settings: int) -> Iterator[LocalBackend]:
    pytest.importorskip("xllamacpp", reason="needs the packages of the extra `local`")
    try:
        pull.path(find(name))
    except BadInput as error:
        pytest.skip(str(error))
    backend = make(name, **settings)
    yield backend
    clock.run(backend.aclose())


@pytest.fixture(scope="module")
def small() -> Iterator[LocalBackend]:
    yield from loaded(SMALL)


@pytest.fixture(scope="module")
def direct() -> Iterator[LocalBackend]:
    yield from loaded(DIRECT)


@pytest.fixture(scope="module")
def shared_by_two() -> Iterator[LocalBackend]:
    yield from loaded(DIRECT, slots=2)


async def timed(work: Awaitable[Completion]) -> tuple[float, Completion]:
    begun = clock.now()
    completion = await work
    return clock.now() - begun, completion


async def collect(backend: LocalBackend, request: Request) -> list[str | Completion]:
    async with aclosing(backend.stream(request)) as items:
        return [item async for item in items]


@pytest.mark.live
def test_it_answers_and_says_what_it_cost(direct: LocalBackend) -> None:
    completion = clock.run(direct.complete(CAPITAL))
    assert completion.text == "Paris"
    assert completion.finish_reason == "stop"
    assert completion.timing == "measured"
    assert completion.usage.input_tokens is not None
    assert completion.usage.input_tokens > 20
    assert completion.usage.output_tokens == 2
    assert completion.first_token_s is not None
    assert completion.seconds is not None
    assert 0 < completion.first_token_s <= completion.seconds


@pytest.mark.live
def test_two_models_live_in_one_process(small: LocalBackend, direct: LocalBackend) -> None:
    async def main() -> tuple[Completion, Completion]:
        return await asyncio.gather(small.complete(CAPITAL), direct.complete(CAPITAL))

    assert [each.text for each in clock.run(main())] == ["Paris", "Paris"]
    assert small.identity.digest() != direct.identity.digest()
    assert (small.render, direct.render) == ("raw", "chat")


@pytest.mark.live
def test_its_identity_is_the_weights_and_the_rendering(small: LocalBackend) -> None:
    assert (small.identity.version, small.identity.template) == (find(SMALL).sha256, "1-raw")


@pytest.mark.live
def test_greedy_answers_repeat_exactly_whatever_was_asked_between(small: LocalBackend) -> None:
    first = clock.run(small.complete(CAPITAL))
    clock.run(small.complete(ask(("user", "Something else entirely"))))
    again = clock.run(small.complete(CAPITAL))
    assert (first.text, first.logprobs) == (again.text, again.logprobs)


@pytest.mark.live
@pytest.mark.parametrize("name", [SMALL, DIRECT])
def test_what_comes_before_the_last_message_is_read_once_and_changes_nothing(
    name: str, request: pytest.FixtureRequest
) -> None:
    backend: LocalBackend = request.getfixturevalue("small" if name == SMALL else "direct")
    before = [("system", "Answer with one word. " * 40), ("user", "Capital of Spain?"), ("assistant", "Madrid")]
    questions = [ask(*before, ("user", f"Capital of {land}?")) for land in ("Italy", "Italy", "Iceland", "France")]

    async def main() -> list[tuple[float, Completion]]:
        return [await timed(backend.complete(question)) for question in [*questions, CAPITAL, *reversed(questions)]]

    answers = clock.run(main())
    assert [(each.text, each.logprobs) for _, each in answers[:4]] == [
        (each.text, each.logprobs) for _, each in reversed(answers[5:])
    ]
    (first_s, first), (again_s, again) = answers[:2]
    assert first.text == again.text
    assert again_s < first_s / 2  # the long beginning was not read again
    assert first.seconds is not None
    assert first.seconds < first_s / 2  # and its reading is not part of the answer's seconds


@pytest.mark.live
def test_a_reading_that_is_broken_off_is_done_again(direct: LocalBackend) -> None:
    question = ask(("system", "Answer with one word. " * 60), ("user", "Capital of France?"))

    async def main() -> tuple[Completion, Completion]:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await direct.complete(question)
        once = await direct.complete(question)
        await direct.complete(CAPITAL)
        return once, await direct.complete(question)

    once, again = clock.run(main())
    assert (once.text, once.logprobs) == (again.text, again.logprobs)


@pytest.mark.live
def test_a_seed_repeats_a_sampled_answer_and_the_sample_number_changes_it(small: LocalBackend) -> None:
    async def texts() -> list[str]:
        request = {"temperature": 1.5, "seed": 5, "max_tokens": 12}
        story = ("user", "Tell a story about a fox and a hen")
        return [(await small.complete(ask(story, **request, sample=sample))).text for sample in (0, 0, 1)]

    first, again, other = clock.run(texts())
    assert first == again
    assert first != other


@pytest.mark.live
def test_log_probabilities_are_natural_and_one_a_token(direct: LocalBackend) -> None:
    completion = clock.run(direct.complete(ask(("user", "Count from one to twenty in words."), max_tokens=12)))
    assert completion.finish_reason == "length"
    assert completion.logprobs is not None
    assert len(completion.logprobs) == completion.usage.output_tokens == 12
    assert all(each <= 0 for each in completion.logprobs)
    assert min(completion.logprobs) > -5


@pytest.mark.live
def test_the_pieces_of_a_stream_add_up(small: LocalBackend, direct: LocalBackend) -> None:
    for backend in (small, direct):
        *pieces, last = clock.run(collect(backend, ask(("user", "Repeat: 🙂 ñandú 漢字 ok"), max_tokens=24)))
        assert isinstance(last, Completion)
        assert "".join(map(str, pieces)) == last.text
        assert last.text == clock.run(backend.complete(ask(("user", "Repeat: 🙂 ñandú 漢字 ok"), max_tokens=24))).text


@pytest.mark.live
def test_it_stops_at_what_it_is_told_to(direct: LocalBackend) -> None:
    counting = ("user", "Count: 1, 2, 3, 4, 5, 6, 7, 8, 9. Repeat that.")
    text = clock.run(direct.complete(ask(counting, max_tokens=40, stop=("5",)))).text
    assert "4" in text
    assert "5" not in text


@pytest.mark.live
def test_raw_answers_are_one_line_without_blanks_around(small: LocalBackend) -> None:
    text = clock.run(small.complete(CAPITAL)).text
    assert text == text.strip()
    assert "\n" not in text


@pytest.mark.live
def test_a_schema_is_followed(small: LocalBackend, direct: LocalBackend) -> None:
    properties = {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer"}}
    schema = {"type": "object", "properties": properties, "required": ["name", "age"], "additionalProperties": False}
    wanted = json.dumps({"type": "json_schema", "json_schema": {"name": "person", "schema": schema}})
    request = ask(("user", "Invent a person as JSON."), response_format=wanted, max_tokens=80)
    for backend in (small, direct):
        completion = clock.run(backend.complete(request))
        assert set(json.loads(completion.text)) == {"name", "age"}
        assert completion.logprobs is not None
        assert abs(len(completion.logprobs) - (completion.usage.output_tokens or 0)) <= 1


@pytest.mark.live
def test_two_slots_answer_at_once_and_the_third_waits(shared_by_two: LocalBackend) -> None:
    async def main() -> list[Completion]:
        request = ask(("user", "Count from one to twenty in words."), max_tokens=24)
        return await asyncio.gather(*(shared_by_two.complete(request) for _ in range(3)))

    firsts, ends = [], []
    for each in clock.run(main()):
        assert each.first_token_s is not None
        assert each.seconds is not None
        firsts.append(each.first_token_s)
        ends.append(each.seconds)
    firsts.sort()
    assert firsts[1] < min(ends)
    assert firsts[2] > min(ends)


async def _cancel_a_task(backend: LocalBackend) -> None:
    task = asyncio.create_task(backend.complete(LONG))
    await asyncio.sleep(0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def _leave_a_stream(backend: LocalBackend) -> None:
    async with aclosing(backend.stream(LONG)) as items:
        async for _ in items:
            break


async def _run_out_of_time(backend: LocalBackend) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await backend.complete(LONG)


@pytest.mark.live
@pytest.mark.parametrize("leave", [_cancel_a_task, _leave_a_stream, _run_out_of_time])
def test_an_abandoned_answer_stops_being_generated(
    direct: LocalBackend, leave: Callable[[LocalBackend], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    handed, server = [], direct._server

    class Watched:
        """llama.cpp's server, with every call's chunks counted."""

        def handle_chat_completions(self, body: dict[str, Any], told: Callable[[Any], bool]) -> None:
            def counted(chunk: Any) -> bool:
                handed.append(chunk)
                return told(chunk)

            server.handle_chat_completions(body, counted)

    async def main() -> tuple[float, float, int]:
        calm, _ = await timed(direct.complete(CAPITAL))
        monkeypatch.setattr(direct, "_server", Watched())
        await leave(direct)
        left_at = len(handed)
        monkeypatch.setattr(direct, "_server", server)
        after, _ = await timed(direct.complete(CAPITAL))
        await asyncio.sleep(0.3)
        return calm, after, len(handed) - left_at

    calm, after, chunks_after = clock.run(main())
    assert chunks_after <= 3
    assert after < calm + 2.0  # the whole answer would have taken some ten seconds


@pytest.mark.live
def test_one_that_leaves_the_queue_is_never_asked(direct: LocalBackend) -> None:
    async def main() -> Completion:
        running = asyncio.create_task(direct.complete(ask(("user", "Count to ten."), max_tokens=30)))
        waiting = asyncio.create_task(direct.complete(LONG))
        await asyncio.sleep(0.1)
        waiting.cancel()
        await running
        _, completion = await timed(direct.complete(CAPITAL))
        return completion

    assert (clock.run(main()).seconds or 99) < 3


@pytest.mark.live
@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (ask(("user", "word " * 5000)), r"the prompt has \d+ tokens, qwen-0\.5b was loaded for 4096; shorten"),
        (ask(("user", "hi"), response_format='{"type": "poem"}'), "response_format has an unknown type"),
        (ask(("user", "hi"), response_format='{"type": "json_schema"}'), "json_schema without a schema"),
        (ask(("user", "hi"), tools="[]"), "leave out tools"),
    ],
)
def test_what_it_cannot_do_is_refused_with_a_remedy(direct: LocalBackend, request_: Request, message: str) -> None:
    with pytest.raises(BackendRefused, match=message) as caught:
        clock.run(direct.complete(request_))
    assert "word word" not in str(caught.value)


@pytest.mark.live
def test_it_needs_real_time(small: LocalBackend) -> None:
    with pytest.raises(clock.VirtualTimeError, match="a thread was asked for under virtual time"):
        clock.run(small.complete(CAPITAL), virtual=True)


@pytest.mark.live
def test_closing_stops_what_runs_and_leaves_the_other_model_alone(small: LocalBackend) -> None:
    async def main() -> tuple[float, str]:
        other = next(loaded(DIRECT))
        task = asyncio.create_task(other.complete(LONG))
        await asyncio.sleep(0.3)
        begun = clock.now()
        await other.aclose()
        closed_s = clock.now() - begun
        with pytest.raises(BackendUnavailable, match="was closed while it answered"):
            await task
        with pytest.raises(BackendUnavailable, match=r"qwen-0\.5b is closed"):
            await other.complete(CAPITAL)
        return closed_s, (await small.complete(CAPITAL)).text

    closed_s, text = clock.run(main())
    assert closed_s < 2
    assert text == "Paris"
