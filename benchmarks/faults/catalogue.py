"""Every fault of the matrix, by name. What it does is elsewhere.

Backend faults are rows of `shared/backends/faulty.py`; cache and classifier faults are in `parts.py`; `play.py` plays
them in virtual time, `wire.py` those of the wire over sockets in real time, `killed.py` the killed process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from shared.backends import faulty

Part: TypeAlias = Literal["backend", "cache", "classifier", "process"]


@dataclass(frozen=True, slots=True)
class Fault:
    """`name` is unique over all parts. `detectable` is False where nothing that arrives shows the fault.

    `wire`: it is also played over real sockets, through the real parsers.
    """

    name: str
    part: Part
    what: str
    detectable: bool = True
    wire: bool = False


ON_THE_WIRE: Final = frozenset(faulty.FAULTS) - {"timeout", "flapping"}

FAULTS: Final[tuple[Fault, ...]] = (
    *(Fault(name, "backend", does.what, does.detectable, name in ON_THE_WIRE) for name, does in faulty.FAULTS.items()),
    Fault("cache-locked", "cache", "another process holds the database's lock"),
    Fault("cache-locked-at-start", "cache", "another process holds the database's lock when this one starts"),
    Fault("cache-hang", "cache", "look-ups and writes wait for ever, as a coroutine does"),
    Fault("cache-full", "cache", "the disk is full"),
    Fault("cache-corrupt", "cache", "stored rows hold garbage"),
    Fault("cache-altered", "cache", "stored rows hold another text and are well-formed", detectable=False),
    Fault("cache-pickle", "cache", "stored rows are replaced by pickles that run code"),
    Fault("cache-clock-back", "cache", "the clock jumps back by a day"),
    Fault("cache-clock-forward", "cache", "the clock jumps forward by ten days"),
    Fault("cache-read-only", "cache", "nothing can be written any more"),
    Fault("cache-read-only-at-start", "cache", "nothing can be written to the database when the process starts"),
    Fault("cache-slow-store", "cache", "a write holds the whole process for 0.2 to 3 s"),
    Fault("classifier-missing", "classifier", "the artefact is not there when the process starts"),
    Fault("classifier-version", "classifier", "the artefact was trained for other weights"),
    Fault("classifier-nan", "classifier", "the expected gain is not a number"),
    Fault("classifier-slow", "classifier", "a judgement takes 20 ms of processor time"),
    Fault("classifier-hang", "classifier", "a judgement never ends, as a coroutine does"),
    Fault("killed", "process", "the process is killed in the middle of writes"),
    Fault("cancelled-client", "process", "clients leave before their answer is there"),
    Fault("stampede", "process", "many clients ask the same new question at once"),
    Fault("ten-times-the-load", "process", "ten times as many requests arrive"),
)

BY_NAME: Final = {fault.name: fault for fault in FAULTS}
