"""What a worker takes when cells run side by side."""

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from lang_persona.config import Config


class ScaleOut(Config):
    """What a worker takes when cells run side by side (:class:`lang_persona.runners.RayRunner`); changes no output.

    Attributes:
        address: The cluster, as Ray names it (``host:port``); None: one that runs on this machine, or else this machine
            alone.
        cpus_per_cell: Cores of a worker.
        gpus_per_cell: GPUs of a worker, which sees no others; a fraction lets several share one.
        memory_gb: Memory that a worker needs to be placed, in 10^9 bytes; None leaves it out of account.
        retries: How often a cell is given to another worker after its own was lost.
    """

    address: str | None = None
    cpus_per_cell: PositiveInt = 1
    gpus_per_cell: NonNegativeFloat = 0
    memory_gb: PositiveFloat | None = None
    retries: NonNegativeInt = 2
