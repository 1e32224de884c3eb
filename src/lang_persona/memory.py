"""What a full GPU is told as."""

from collections.abc import Iterator
from contextlib import contextmanager

from lang_persona.errors import UserError

#: What to do when a base or a step of its training does not fit.
REMEDY = (
    "Spread the base over several GPUs (parameters.yml: fsdp: {<base>: <GPUs>}), lower training.micro_batch_size "
    "there, set training.gradient_checkpointing, hold the base in four bits (quantize: nf4), or end what else runs on "
    "the GPU (docs/gpu_pod.md)"
)
#: What to do when a probe does not fit.
PROBE_REMEDY = (
    "Lower the batch_size of engine or scoring_engine (parameters.yml), hold the base in four bits (quantize: nf4), or "
    "end what else runs on the GPU"
)


@contextmanager
def memory_errors_named(remedy: str = REMEDY) -> Iterator[None]:
    """Turn a full GPU into a message that says what to do.

    Args:
        remedy: What to do.

    Raises:
        UserError: The GPU's memory was not enough.
    """
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise UserError(f"the GPU's memory is full ({str(error).partition('.')[0]}). {remedy}") from error
