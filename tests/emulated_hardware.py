"""A row of hardware with the figures that a test wants, all others unknown."""

from __future__ import annotations

from typing import Literal

from shared.hardware.catalogue import FIGURES, UNKNOWN, Figure, Hardware


def row(*, beyond_context: Literal["refuse", "empty"] = "refuse", **figures: float) -> Hardware:
    """`chip`, which serves Test 8B: first token 10 ms, 1 ms a prompt token, 1,000 tokens/s, unless said otherwise."""
    values = {"first_token_s": 0.01, "prompt_token_s": 0.001, "tok_s": 1000.0} | figures
    found = {name: Figure(values[name], "assumed", "a test") if name in values else UNKNOWN for name in FIGURES}
    return Hardware("chip", "A chip", "Test 8B", "fp16", beyond_context, found)
