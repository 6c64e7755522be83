"""The two ways to consume a pipeline: whole, or as a stream. The only place that knows the request's deadline.

One timer stands around the whole of `answer()`, one around each wait of `stream()` and none around a `yield`
(PEP 789: a time-out around a yield would fire in the consumer's code). Either way exactly one thing happens in the
end: an `Answer`, a typed error, or the consumer left, and then the model is stopped before this module lets go.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from shared.clock import now
from shared.contract import Answer, Pipeline, Request
from shared.errors import BadAnswer, CrossoverError, DeadlineExceeded
from shared.steps import Background, Recorder


async def answer(pipeline: Pipeline, request: Request, background: Background) -> Answer:
    """The whole answer, within the request's deadline. Raises a `CrossoverError`."""
    step = Recorder(streaming=False, background=background, started=now())
    run = pipeline.run(request, step)
    try:
        async with asyncio.timeout(request.deadline_s) as deadline:
            async for _ in run:
                pass
    except TimeoutError:
        if deadline.expired():
            raise _exceeded(request, step) from None
        raise
    except CrossoverError as error:
        error.steps = step.steps
        raise
    finally:
        await _let_go(run, step)
    seconds = now() - step.started
    return _answer(step, seconds, seconds)


async def stream(pipeline: Pipeline, request: Request, background: Background) -> AsyncGenerator[str | Answer, None]:
    """The answer in pieces as they come, then, last and once, the `Answer`. Raises a `CrossoverError`.

    The deadline counts from the first request for a piece, and so holds the time that the consumer takes as well;
    `Answer.seconds` does not.
    """
    step = Recorder(streaming=True, background=background, started=now())
    run = pipeline.run(request, step)
    deadline_at, spent, first_text_s = step.started + request.deadline_s, 0.0, None
    try:
        while True:
            resumed = now()
            if resumed >= deadline_at:
                raise _exceeded(request, step)
            try:
                async with asyncio.timeout_at(deadline_at) as deadline:
                    text = await anext(run, None)
            except TimeoutError:
                if deadline.expired():
                    raise _exceeded(request, step) from None
                raise
            spent += now() - resumed
            if text is None:
                break
            first_text_s = spent if first_text_s is None else first_text_s
            yield text
    except CrossoverError as error:
        error.steps = step.steps
        raise
    finally:
        await _let_go(run, step)
    yield _answer(step, spent, spent if first_text_s is None else first_text_s)


async def _let_go(run: AsyncGenerator[str, None], step: Recorder) -> None:
    """Stop whatever still runs for this request; work that waits for the answer to be out may begin."""
    try:
        await run.aclose()
        await step.aclose()
    finally:
        step.out.set()


def _answer(step: Recorder, seconds: float, first_text_s: float) -> Answer:
    if step.completion is None:
        raise BadAnswer("the pipeline ended without an answer and without an error; mend the pipeline")
    return Answer(step.completion, step.steps, seconds, first_text_s)


def _exceeded(request: Request, step: Recorder) -> DeadlineExceeded:
    done = ", ".join(f"{each.kind} {each.outcome} {each.seconds:.3f} s" for each in step.steps) or "none ended"
    error = DeadlineExceeded(
        f"no complete answer within {request.deadline_s} s (steps: {done}); allow more time or use a faster model"
    )
    error.steps = step.steps
    return error
