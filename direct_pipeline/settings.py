"""Every knob of the direct pipeline."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """The knobs, each with its unit and bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first_try_s: float = Field(
        default=10.0, gt=0, description="Seconds the first word may take before the call is made again."
    )
