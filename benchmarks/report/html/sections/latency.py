"""How long answers take, and where the time goes."""

from __future__ import annotations

from benchmarks.report.html import svg
from benchmarks.report.html.charts import latency, where_time_goes
from benchmarks.report.html.run import Run


def section(run: Run) -> str:
    """The distributions come from the rows, all else from the report."""
    report = run.report
    return svg.section(
        "latency",
        "Latency",
        svg.paragraph(latency.words(report)),
        latency.chart(report, run.rows),
        svg.paragraph(where_time_goes.words(report)),
        where_time_goes.chart(report),
    )
