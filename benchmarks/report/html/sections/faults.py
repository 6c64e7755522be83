"""What each side does when something fails."""

from __future__ import annotations

from benchmarks.report.html import svg
from benchmarks.report.html.charts import faults
from benchmarks.report.html.run import Run


def section(run: Run) -> str:
    """The matrix as it was recorded."""
    return svg.section("faults", "Faults", svg.paragraph(faults.words(run.report)), faults.chart(run.report))
