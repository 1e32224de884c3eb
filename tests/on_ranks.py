"""What test_distributed runs in processes of its own, which import it by name."""

import os
import signal
from contextlib import suppress

from lang_persona import distributed
from lang_persona.errors import UserError
from lang_persona.sft import trainer_class
from lang_persona.sharding import from_first, gathered


class Killed(BaseException):
    """What a kill looks like from inside."""


def train_all(trainings, interrupted):
    """Several trainings in one group of processes, so that it starts once; the last dies in its third step first."""
    runs = [distributed._train(*one) for one in trainings]
    cls = trainer_class()
    compute, passes = cls.compute_loss, []

    def dying(self, *args, **kwargs):
        passes.append(1)
        if len(passes) > 5:  # two passes a step; in the second, since accelerate remembers where in a step it is
            raise Killed
        return compute(self, *args, **kwargs)

    cls.compute_loss = dying
    with suppress(Killed):
        distributed._train(*interrupted)
    cls.compute_loss = compute
    rank = int(os.environ["RANK"])
    agreed = from_first(lambda: f"made by {rank}"), gathered(rank)
    return *runs, distributed._train(*interrupted), agreed


def refuse(rank):
    if int(os.environ["RANK"]) == rank:
        raise UserError("no such thing: name another")
    signal.pause()


def die(rank):
    if int(os.environ["RANK"]) == rank:
        os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()
