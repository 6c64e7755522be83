"""`crossover label RUN`: in the terminal, on a page, by a judge, or what it says by now."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from benchmarks.labelling import pairs, status
from benchmarks.labelling.session import Session
from shared.errors import BadInput

FIGURES: Final = "--status shows the figures, and who has read them is no longer blind"


def run(
    directory: Path,
    *,
    sample: int | None,
    page: bool,
    judge: str | None,
    max_usd: float | None,
    show: bool,
    as_json: bool,
) -> int:
    """One of label, `page`, `judge` or `show`. Only `show` prints figures: who has read them is no longer blind."""
    if page + bool(judge) + show > 1:
        raise BadInput("--page, --judge and --status are three things; choose one at a time")
    if sample and (judge or show):
        raise BadInput("--sample is how many pairs people label; --judge asks about all, --status asks nobody")
    if max_usd is not None and not judge:
        raise BadInput("--max-usd bounds what a judge may cost; give --judge, too")
    if as_json and not show:
        raise BadInput("--json prints the figures, which --status does; give both")
    compared = pairs.read(directory)
    session = Session(compared)
    session.labels()  # whether they are of this run, before anything is asked
    if show:
        told = status.document(compared, session.labels())
        print(json.dumps(told, ensure_ascii=False, indent=1) if as_json else status.text(told))
        return 0
    if judge:
        from benchmarks.labelling import judging

        judging.run(compared, judge, max_usd)
        asked = judging.read(compared)
        print(f"{len(asked[1]) if asked else 0:,} of {len(compared.pairs):,} pairs judged; {FIGURES}")
        return 0
    if page:
        from benchmarks.labelling import page as served

        session.begin(sample)
        served.serve(session)
    else:
        from benchmarks.labelling import terminal

        terminal.label(session, sample)
    labels = session.labels()
    print(f"{labels.done:,} of {labels.sample:,} labelled; {FIGURES}")
    return 0
