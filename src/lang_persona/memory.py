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


@contextmanager
def memory_errors_named() -> Iterator[None]:
    """Turn a full GPU into a message that says what to do.

    Raises:
        UserError: The GPU's memory was not enough.
    """
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise UserError(f"the GPU's memory is full ({str(error).partition('.')[0]}). {REMEDY}") from error
