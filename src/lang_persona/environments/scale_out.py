"""What a worker takes when cells run side by side."""

from typing import Annotated

from pydantic import AfterValidator, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from lang_persona.config import Config


def _whole_or_shared(gpus: float) -> float:
    if gpus > 1 and gpus != int(gpus):
        raise ValueError(f"{gpus:g} GPUs: a worker takes a part of one (below 1) or whole ones (1, 2, ...)")
    return gpus


class ScaleOut(Config):
    """What a worker takes when cells run side by side (:class:`lang_persona.runners.RayRunner`); changes no output.

    Attributes:
        address: The cluster, as Ray names it (``host:port``); None: one that runs on this machine, or else this machine
            alone.
        cpus_per_cell: Cores of a worker.
        gpus_per_cell: GPUs of a worker, which sees no others; whole ones, or below 1 a part of one, which several then
            share.
        memory_gb: Memory that a worker needs to be placed, in 10^9 bytes; None leaves it out of account.
        retries: How often a cell is given to another worker after its own was lost or its GPU broke.
    """

    address: str | None = None
    cpus_per_cell: PositiveInt = 1
    gpus_per_cell: Annotated[NonNegativeFloat, AfterValidator(_whole_or_shared)] = 0
    memory_gb: PositiveFloat | None = None
    retries: NonNegativeInt = 2
