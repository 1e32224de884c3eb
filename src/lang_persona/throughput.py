"""How fast a training was against what its card can do."""

from functools import cache
from typing import Any

from lang_persona.quantization import entries


def trained_parameters(model: Any) -> int:
    """Parameters that each token is multiplied with: all but the input embedding, the head counted once."""
    table = model.get_input_embeddings().weight
    tied = model.get_output_embeddings().weight is table
    total: int = sum(map(entries, model.parameters()))
    return total if tied else total - int(table.numel())


@cache
def matrix_rate() -> float | None:
    """Measured bfloat16 matrix products of the GPU in TFLOP/s (8,192 cubed, random data); None without one."""
    import torch

    if not torch.cuda.is_available():
        return None
    size, times = 8192, 20
    a, b = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    out = torch.empty_like(a)
    event: Any = torch.cuda.Event
    start, end = (event(enable_timing=True) for _ in range(2))
    for place in range(times + 5):
        if place == 5:
            start.record()
        torch.mm(a, b, out=out)
    end.record()
    torch.cuda.synchronize()
    seconds = float(start.elapsed_time(end)) * 1e-3
    return 2 * size**3 * times / seconds / 1e12


#: FLOP per parameter and token: two on the way forward, two on the way back for the gradients of activations, and two
#: for those of weights where all of them are trained. Activations computed again (checkpointing) are no model FLOP.
FLOP = {"lora": 4, "full": 6}


def speed(
    parameters: int, tokens_per_second: float | None, method: str = "lora", devices: int = 1
) -> dict[str, float | None]:
    """Model TFLOP/s, the matrix rate of the cards and the share of it.

    Args:
        parameters: See :func:`trained_parameters`.
        tokens_per_second: Of the steady state; None where there was none.
        method: How weights are trained, a key of :data:`FLOP`.
        devices: Cards that the training ran on.
    """
    one = matrix_rate()
    rate = None if one is None else one * devices
    achieved = None if tokens_per_second is None else FLOP[method] * parameters * tokens_per_second / 1e12
    share = None if achieved is None or rate is None else round(achieved / rate, 4)
    return {
        "model_tflops": None if achieved is None else round(achieved, 4),
        "matrix_rate_tflops": None if rate is None else round(rate, 1),
        "share_of_matrix_rate": share,
    }
