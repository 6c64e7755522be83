"""What this analysis takes for granted: each number with its range where it has one, and why. None is measured here.

Prices, paces and their own assumptions are the hardware catalogue's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.contract import Standing


@dataclass(frozen=True, slots=True)
class Assumed:
    """A number, the range it may lie in, how it came to be and from where."""

    value: float
    low: float
    high: float
    standing: Standing
    why: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one question and of one answer, the same for every model."""

    input: Assumed
    output: Assumed


def _tokens(asked: tuple[float, float, float], answered: tuple[float, float, float], why: str) -> Tokens:
    return Tokens(Assumed(*asked, "assumed", why), Assumed(*answered, "assumed", why))


TOKENS: Final[Mapping[str, Tokens]] = {
    "MMLU-Pro (5-shot CoT)": _tokens(
        (1500, 900, 2500), (220, 100, 450), "five worked examples and up to ten options; reasoning, then a letter"
    ),
    "GSM8K (0-shot CoT)": _tokens((160, 100, 250), (220, 100, 400), "a word problem of some 60 words; a few steps"),
    "CRUX (code reasoning)": _tokens((300, 200, 500), (250, 100, 500), "a short function and a call; traced in steps"),
    "MATH level 5": _tokens((160, 100, 300), (600, 300, 1200), "a short hard problem; a long solution"),
    "LLMRouter task set": _tokens((200, 80, 600), (150, 30, 400), "twelve kinds, from an option's letter to a program"),
}
OTHER: Final = _tokens((400, 100, 1500), (200, 50, 600), "a benchmark of your own: put its kind beside these")


@dataclass(frozen=True, slots=True)
class Served:
    """How a cascade reaches a model: the row its list price is from, the row its pace is from, and models that may
    stand for it when a hardware row is looked for. `why` says what does not fit exactly."""

    priced: str
    paced: str
    models: tuple[str, ...]
    why: str = ""


SERVED: Final[Mapping[str, Served]] = {
    "Llama 3.1 8B Instruct": Served("deepinfra-8b", "h100-8b", ("Llama 3.1 8B",)),
    "Llama 3.1 70B Instruct": Served(
        "deepinfra-70b", "h100x2-70b", ("Llama 3.1 70B", "Llama 3.3 70B"), "the rows are of Llama 3.3 70B, as large"
    ),
    "Llama 3.1 Nemotron 51B Instruct": Served(
        "deepinfra-70b", "h100x2-70b", (), "no row serves a 51B; the 70B's price and pace stand in and are too high"
    ),
    "gpt-4o-2024-08-06": Served("gpt-4o", "gpt-4o", ("gpt-4o",)),
}
"""By the models' names in the outcome file; a model that is not here has no price and no pace."""

RETAINED: Final = Assumed(
    65.49 / 69.47, 65.49 / 69.47, 1.0, "assumed",
    "Llama 3.1 8B rounded to 3 bits everywhere scores 65.49 where it scored 69.47, mean of several benchmarks "
    "(arXiv 2601.14277); HC1 holds 3 and 6 bits, which should lose less, so this is the far end",
)  # fmt: skip
RETAINED_GSM8K: Final = Assumed(
    68.31 / 77.63, 68.31 / 77.63, 1.0, "assumed",
    "the same on GSM8K: 68.31 where it was 77.63 (arXiv 2601.14277); taken for every group of word problems",
)  # fmt: skip
"""Share of its right answers that the small model keeps once its weights are rounded."""

SKILL: Final = Assumed(
    0.539, 0.509, 0.567, "recorded",
    "APGR of this project's classifier on 4,014 MMLU-Pro questions with these 8B and 70B (docs/classifier.md)",
)  # fmt: skip
SKILL_GSM8K: Final = Assumed(
    0.536, 0.512, 0.560, "assumed",
    "APGR of the same on 1,319 grade-school word problems with a 6B and a 175B model (docs/classifier.md)",
)  # fmt: skip

HIT_RATES: Final = (0.0, 0.31)
HIT_RATE_WHY: Final = "no cache, and the share of repeated requests that a study found (arXiv 2403.02694)"

CLAIMED_CHEAPER: Final = 20.0
CLAIMED_WHY: Final = (
    "Taalas, 2026-02: about 20 times cheaper to build; taken as a list price of a 20th of the 8B's, though cheaper to "
    "build is not cheaper to buy"
)
CLAIMED_FOR: Final = "hc1"

DEMO: Final = (0.64, 0.92, (21, 31))
"""Share of right arithmetic answers of the HC1 demo: one sample, a majority of so many (sernik77/Jimmy, 2026-09)."""
SELF_CONSISTENCY: Final = (0.565, 0.744, 40)
"""GSM8K with PaLM-540B, one answer and the majority of so many (arXiv 2203.11171)."""


def tokens(benchmark: str) -> Tokens:
    return TOKENS.get(benchmark, OTHER)


def word_problems(benchmark: str, group: str) -> bool:
    """Whether a group is of grade-school word problems, for which some figures were measured apart."""
    return "gsm" in f"{benchmark} {group}".casefold()


def retained(benchmark: str, group: str) -> Assumed:
    return RETAINED_GSM8K if word_problems(benchmark, group) else RETAINED


def skill(benchmark: str, group: str) -> Assumed:
    return SKILL_GSM8K if word_problems(benchmark, group) else SKILL
