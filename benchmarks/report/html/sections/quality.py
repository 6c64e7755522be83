"""Who is right how often, where the difference comes from, how it ages, and what others have published."""

from __future__ import annotations

from benchmarks.report import quality_text
from benchmarks.report.html import svg
from benchmarks.report.html.charts import attribution, drift, published, quality_difference
from benchmarks.report.html.run import Run


def section(run: Run) -> str:
    """Four pictures; the timeline is drawn where `crossover drift` left one beside the run."""
    report, timeline = run.report, drift.read(run.directory)
    return svg.section(
        "quality",
        "Quality",
        svg.paragraph(quality_difference.words(report)),
        quality_difference.chart(report),
        *(svg.paragraph(line) for line in quality_text.details(report["quality"])),
        svg.paragraph(attribution.words(report)),
        attribution.chart(report),
        svg.paragraph(drift.words(timeline)),
        drift.chart(timeline),
        svg.paragraph(published.words(report)),
        published.chart(report),
    )
