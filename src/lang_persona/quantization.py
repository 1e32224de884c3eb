"""Frozen base weights in four bits: NF4 by bitsandbytes, as QLoRA has it (Dettmers et al., 2023, arXiv 2305.14314).

Linear layers of the decoder's blocks are held in NF4, their scales quantized once more; embeddings, norms and the head
stay in the base's ``dtype``, which is also what products are computed in. Adapters are float32 as on any other base.
"""

from importlib.util import find_spec
from typing import Any

from lang_persona.errors import UserError


def nf4(dtype: Any) -> Any:
    """What ``from_pretrained`` quantizes by.

    Args:
        dtype: The torch type that products are computed in.

    Raises:
        UserError: bitsandbytes is not installed, or does not know this machine's device.
    """
    if find_spec("bitsandbytes") is None:
        raise UserError(
            "quantize: nf4 needs bitsandbytes, which is not installed: pip install 'lang_persona[quantized]', or take "
            "'quantize' out of the base (parameters.yml, key 'bases')"
        )
    from transformers import BitsAndBytesConfig
    from transformers.integrations import validate_bnb_backend_availability

    try:
        validate_bnb_backend_availability(raise_exception=True)
    except RuntimeError as error:
        raise UserError(
            f"bitsandbytes can't quantize on this machine ({str(error)[:200]}); take 'quantize' out of the base "
            "(parameters.yml, key 'bases')"
        ) from error
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )


def is_quantized(model: Any) -> bool:
    """Whether a model's weights, or those of the base below an adapter, are held in four bits."""
    return bool(getattr(model, "is_loaded_in_4bit", False))


def keep_weights(model: Any) -> None:
    """Stop bitsandbytes from packing weights anew on a CPU, so that they stay bit for bit what was loaded.

    On a CPU with AVX-512 BF16 it packs a layer at its first pass in eval mode and unpacks it when the weights are read.
    That rounds scales to bfloat16 and, in 0.50.2, leaves them transposed: after one look the weights are others.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def entries(weight: Any) -> int:
    """Entries of a weight as the model multiplies with it; bytes in four bits hold two."""
    state = getattr(weight, "quant_state", None)
    return int(weight.numel() if state is None else state.shape.numel())
