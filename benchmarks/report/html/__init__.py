"""`report.html`: what a report and its rows say, as one page that opens from disk. Begin with `page.py`."""

from typing import Final

STANDINGS: Final = {
    "measured": "on this machine, in this run",
    "recorded": "from a real model or in a log, earlier",
    "emulated": "at the pace of hardware that is not here",
    "vendor-claimed": "by its vendor, or by a system of itself",
    "assumed": "with a reason, and a range where it matters",
    "unknown": "not measured or not published, and never counted as 0",
}
"""What the words of the report's `standing` mean, to be read after the word."""
