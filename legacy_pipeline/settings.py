"""Every knob of the legacy pipeline. The classifier's threshold is no knob: it is chosen when the artefact is made."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """The knobs, each with its unit and bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cache_ttl_s: float = Field(default=86_400, gt=0, description="Seconds an answer may be served after it was stored.")
    cache_size_bytes: int = Field(default=1 << 30, ge=1 << 20, description="Bytes on disk; the oldest go first.")
    small_limit_s: float = Field(
        default=10.0,
        gt=0,
        description="Seconds to the small model's first word, or to its answer where asked for whole.",
    )
    small_first: bool = Field(default=False, description="Ask the small model first, whatever the question.")
    escalate_below: float | None = Field(
        default=None, le=0, description="Least log-probability of any token of a draft that is good enough; None: any."
    )
    abstain: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Most questions like those trained on, as a share, that may go to the large model for being unlike "
        "them; None: none do.",
    )
    semantic: bool = Field(default=False, description="Whether similar questions share an answer.")
    semantic_threshold: float = Field(
        default=0.95,
        ge=0,
        le=1,
        description="Least likeness of similar questions; from 0.95 on, their words must allow it.",
    )
    semantic_tasks: frozenset[str] = Field(default=frozenset({""}), description="Tasks whose questions may share one.")
