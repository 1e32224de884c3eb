"""The processes of one training: what they agree on, and how a model is spread over them.

A process that trains alone agrees with itself and sends nothing, so callers need not ask whether there are others.
"""

import os
from collections.abc import Callable
from typing import Any, TypeVar

Made = TypeVar("Made")

#: FSDP as accelerate reads it, version 2 (``fully_shard``). Each process writes its own part of a checkpoint.
CONFIG = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_STATE_DICT_TYPE": "SHARDED_STATE_DICT",
}


def join() -> Any:
    """Take this process into the group that its launcher's environment describes; returns the process's device."""
    import torch

    os.environ |= CONFIG | ({} if torch.cuda.is_available() else {"ACCELERATE_USE_CPU": "true"})
    from accelerate import PartialState

    return PartialState().device


def count() -> int:
    """Processes that train together."""
    import torch.distributed as group

    return group.get_world_size() if group.is_available() and group.is_initialized() else 1


def is_first() -> bool:
    """Whether this process writes what they have made and shows how far they are."""
    import torch.distributed as group

    return count() == 1 or group.get_rank() == 0


def from_first(make: Callable[[], Made]) -> Made:
    """What the first process makes, in all of them."""
    if count() == 1:
        return make()
    import torch.distributed as group

    made: list[Any] = [make() if is_first() else None]
    group.broadcast_object_list(made)
    return made[0]  # type: ignore[no-any-return]


def gathered(value: Made) -> list[Made]:
    """Every process's value, in all of them."""
    if count() == 1:
        return [value]
    import torch.distributed as group

    values: list[Any] = [None] * count()
    group.all_gather_object(values, value)
    return values


def whole(weight: Any) -> Any:
    """A weight as one process alone would hold it; all processes must ask for it together."""
    return weight.full_tensor() if hasattr(weight, "full_tensor") else weight


def shard(model: Any) -> None:
    """Spread a model's weights over the processes, block by block, and move each part to its process's device.

    Here and not in accelerate, which puts the head into a group of its own: TRL's loss takes the head's weight without
    calling the head, so such a group would not be gathered, or not freed. In the model's own group it is there for the
    whole pass. Products are in bfloat16 on a GPU; weights that are trained, their gradients' sum and the optimiser's
    state stay in float32.
    """
    import torch
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    on_gpu = torch.cuda.is_available()
    policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32) if on_gpu else MixedPrecisionPolicy()
    kinds = set(model._no_split_modules)  # how transformers names a model's blocks
    for block in [module for module in model.modules() if type(module).__name__ in kinds]:
        fully_shard(block, mp_policy=policy)
    fully_shard(model, mp_policy=policy)


def declare(accelerator: Any) -> None:
    """Tell accelerate that the model is sharded where it does not see that itself: it takes FSDP for GPUs only."""
    from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin

    if accelerator.distributed_type == DistributedType.MULTI_CPU and count() > 1:
        accelerator.state.fsdp_plugin = FullyShardedDataParallelPlugin()
        accelerator.state.distributed_type = DistributedType.FSDP
