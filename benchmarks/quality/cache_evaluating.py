"""`crossover cache evaluate`: what a semantic cache serves, rightly and wrongly, with its second gate and without."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.quality import cache_rates
from benchmarks.quality.cache_pairs import BUILTIN, Judged, Pair, judge, read
from shared.errors import BadInput


def run(file: Path | None, *, max_false: float, as_json: bool) -> int:
    """Print the rates of the pairs in `file`, or of the built-in ones. Raises `BadInput`."""
    if not 0 < max_false < 1:
        raise BadInput(f"--max-false is {max_false:g}; it must lie between 0 and 1, such as 0.01")
    from legacy_pipeline.likeness import Likeness
    from legacy_pipeline.semantic import MiniLm

    pairs = read(file or BUILTIN)
    report = evaluate(pairs, judge(pairs, MiniLm(), Likeness.load()), max_false=max_false)
    print(json.dumps(report, indent=1) if as_json else text(report, str(file or "the built-in pairs")))
    return 0


def evaluate(pairs: Sequence[Pair], judged: Sequence[Judged], *, max_false: float) -> dict[str, Any]:
    """The report; the rates on top are those at the operating point.

    Rates are shares, thresholds likenesses, or cosines for the encoder alone.
    """
    from legacy_pipeline.settings import Settings

    default = Settings().semantic_threshold
    served, point = cache_rates.cross_fitted(pairs, judged, cache_rates.gated, max_false, default)
    shipped = [cache_rates.gated(each, default) for each in judged]
    alone, alone_point = cache_rates.cross_fitted(pairs, judged, cache_rates.encoder_alone, max_false, 0.9)
    at_ninety = [cache_rates.encoder_alone(each, 0.9) for each in judged]
    seconds = sorted(each.seconds for each in judged)
    kinds = sorted({pair.kind for pair in pairs} - {""})
    return {
        "pairs": {"same": sum(pair.same for pair in pairs), "different": sum(not pair.same for pair in pairs)},
        **cache_rates.rates(pairs, served),
        "operating_point": point,
        "gate_p50_ms": seconds[len(seconds) // 2] * 1e3,
        "gate_p95_ms": seconds[min(len(seconds) - 1, len(seconds) * 95 // 100)] * 1e3,
        "by_kind": {kind: _of_kind(pairs, served, kind) for kind in kinds},
        "as_shipped": {"threshold": default, **cache_rates.rates(pairs, shipped)},
        "exact": cache_rates.rates(pairs, [each.is_exact for each in judged]),
        "encoder_alone": {
            **cache_rates.rates(pairs, alone),
            "operating_point": alone_point,
            "at_0.9": cache_rates.rates(pairs, at_ninety),
        },
        "curve": cache_rates.curve(pairs, judged, cache_rates.gated),
        "encoder_curve": cache_rates.curve(pairs, judged, cache_rates.encoder_alone),
    }


def _of_kind(pairs: Sequence[Pair], served: Sequence[bool], kind: str) -> dict[str, Any]:
    rows = [place for place, pair in enumerate(pairs) if pair.kind == kind]
    return cache_rates.rates([pairs[row] for row in rows], [served[row] for row in rows])


def text(report: Mapping[str, Any], name: str) -> str:
    """The report for a person."""
    pairs, point = report["pairs"], report["operating_point"]
    lines = [
        f"{name}: {pairs['same']} pairs that one answer serves, {pairs['different']} that it does not",
        "",
        f"{'':<44}{'hits, %':>22}{'false hits, %':>22}",
        _line("exact key", report["exact"]),
        _line("encoder alone at cosine 0.9", report["encoder_alone"]["at_0.9"]),
        _line(f"encoder alone {_at(report['encoder_alone']['operating_point'])}", report["encoder_alone"]),
        _line(f"second gate as shipped, from {report['as_shipped']['threshold']:g}", report["as_shipped"]),
        _line(f"second gate {_at(point)}", report),
    ]
    lines += [_line(f"  {kind}", rates) for kind, rates in report["by_kind"].items()]
    lines += ["", f"{'threshold':<44}{'hits, %':>22}{'false hits, %':>22}{'quality lost, points':>22}"]
    for row in report["curve"][10:]:
        lines.append(f"{_line(format(row['threshold'], '.2f'), row)}{row['quality_lost'] * 100:>22.1f}")
    chosen = ", ".join("none" if each is None else f"{each:.3f}" for each in point["thresholds"])
    how = (
        "chosen by conformal risk control on the other rows of each fold"
        if point["source"] == "conformal"
        else "the default of the settings, chosen on built-in pairs: too few rows differ to show this budget"
    )
    lines += [
        "",
        f"Thresholds by fold: {chosen}; {how}.",
        f"A look-up took {report['gate_p50_ms']:.1f} ms at p50, {report['gate_p95_ms']:.1f} ms at p95 (measured here, "
        "with one entry to compare with).",
    ]
    return "\n".join(lines)


def _at(point: Mapping[str, Any]) -> str:
    if point["source"] == "conformal":
        return f"within {point['budget']:.4g} of false hits"
    return "at its default (budget not shown)"


def _line(name: str, rates: Mapping[str, Any]) -> str:
    cells = [
        "-"
        if rates[f"{part}_rate"] is None
        else (
            f"{rates[f'{part}_rate'] * 100:.1f} [{rates[f'{part}_low'] * 100:.1f}, {rates[f'{part}_high'] * 100:.1f}]"
        )
        for part in ("hit", "false_hit")
    ]
    return f"{name:<44}{cells[0]:>22}{cells[1]:>22}"
