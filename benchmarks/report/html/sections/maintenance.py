"""What there is to maintain on each side, counted, and what fourteen changes to it took."""

from __future__ import annotations

from benchmarks.report.html import svg
from benchmarks.report.html.charts import drills, maintenance
from benchmarks.report.html.run import Run


def section(run: Run) -> str:
    """The counts, then the drills; the drills' patches have a section of their own."""
    report = run.report
    return svg.section(
        "maintenance",
        "Maintenance",
        svg.paragraph(maintenance.words(report)),
        maintenance.chart(report),
        svg.paragraph(drills.words(report)),
        drills.chart(report),
    )
