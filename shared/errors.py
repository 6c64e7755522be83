"""Everything that can go wrong, typed. Every message says what was asked, what happened and what to do.

    CrossoverError
    |-- InvalidRequest        the request itself cannot be answered by any model
    |-- BadInput              a file, a setting or a flag is wrong (names file, line or field, and the remedy)
    |-- DeadlineExceeded      the request's own time is up
    `-- BackendError          one model did not answer
        |-- BackendUnavailable    no connection, a time-out, 429 or 5xx: trying again may help
        |-- BackendRefused        401, 403, 404, 400: trying again will not help
        |   `-- MissingRecording      the recording has no answer to this prompt
        |-- BadAnswer             an answer came and cannot be used: malformed or empty
        `-- StreamBroken          the model failed after its first word was sent: no fallback is possible any more

Messages never hold a prompt, an answer or a key: they end up in logs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.steps import Step


class CrossoverError(Exception):
    """Base of every error this project raises on purpose. `steps` is what had happened until then, if anything."""

    steps: Sequence[Step] = ()


class InvalidRequest(CrossoverError):
    """The request breaks the contract: no message, a negative limit, an unknown role."""


class BadInput(CrossoverError):
    """A file, a setting or a flag is wrong. The command line prints it and exits with 2."""


class DeadlineExceeded(CrossoverError):
    """The request's deadline passed before the answer was complete."""


class BackendError(CrossoverError):
    """One model did not answer as asked."""


class BackendUnavailable(BackendError):
    """The backend cannot be reached or is overloaded; trying again may help.

    `retry_after_s` is what the backend asked for, in seconds, or None where it said nothing.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class BackendRefused(BackendError):
    """The backend understood and said no; trying again will not help."""


class MissingRecording(BackendRefused):
    """A replayed model was asked something that was never recorded."""


class BadAnswer(BackendError):
    """The backend answered with something that is no answer: malformed, or empty."""


class StreamBroken(BackendError):
    """The backend failed after its first word had been sent on."""
