"""What a decision costs, what each of legacy's stages is worth, and where the answer changes."""

from __future__ import annotations

from benchmarks.report.html import svg
from benchmarks.report.html.charts import cost, crossover_map, stages
from benchmarks.report.html.run import Run


def section(run: Run) -> str:
    """Three pictures, and the way to the sliders."""
    report = run.report
    sliders = svg.element("a", "Try other prices and assumptions", href="#assumptions")
    return svg.section(
        "cost",
        "Cost",
        svg.paragraph(cost.words(report)),
        cost.chart(report),
        svg.element("p", sliders),
        svg.paragraph(stages.words(report)),
        stages.chart(report),
        svg.paragraph(crossover_map.words(report)),
        crossover_map.chart(report),
    )
