"""Loading base models and tokenizers: one code for a folder and for the hub."""

from typing import Any

from lang_persona.chat import put_system_in_user_turn
from lang_persona.environments import Base, LocalTranslator
from lang_persona.errors import UserError
from lang_persona.memory import memory_errors_named
from lang_persona.paths import locate
from lang_persona.quantization import keep_weights, nf4


def load_tokenizer(base: Base) -> Any:
    """The tokenizer of a base, with a padding token.

    Raises:
        UserError: It can't be found; says what to do.
    """
    from transformers import AutoTokenizer

    tokenizer = load_pretrained(AutoTokenizer.from_pretrained, base)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if base.system_role == "in_user_turn":
        put_system_in_user_turn(tokenizer)
    return tokenizer


def load_model(base: Base, device: str | None = None) -> Any:
    """The model of a base, frozen and in eval mode.

    Args:
        base: The base.
        device: Where to put it; None: on the GPU if there is one.

    Raises:
        UserError: It can't be found, as in :func:`load_tokenizer`, does not fit the GPU, can't be quantized here, or
            there is no GPU and it may not do without.
    """
    import torch
    from transformers import AutoModelForCausalLM

    require_device(base)
    device, dtype = device or ("cuda" if torch.cuda.is_available() else "cpu"), getattr(torch, base.dtype)
    with memory_errors_named():
        if base.quantize is None:
            model = load_pretrained(AutoModelForCausalLM.from_pretrained, base, dtype=dtype).to(device)
        else:
            options = {"dtype": dtype, "quantization_config": nf4(dtype), "device_map": {"": device}}
            model = load_pretrained(AutoModelForCausalLM.from_pretrained, base, **options)
            keep_weights(model)
    return model.requires_grad_(False).eval()


def require_device(base: Base | LocalTranslator) -> None:
    """Check that there is a GPU that PyTorch can use, where a model may not be computed on the CPU.

    Raises:
        UserError: There is none; with PyTorch's reason and what to do.
    """
    import torch

    if base.only_on is None or torch.cuda.is_available():
        return
    why = "it sees no GPU"
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except (RuntimeError, AssertionError) as error:
        why = " ".join(str(error).split())
    raise UserError(
        f"no GPU to compute on ({why}). `nvidia-smi` must list it, with a driver that is new enough for PyTorch "
        f"{torch.__version__} (CUDA 13: 580 or newer); a container needs `--gpus all`, a batch job its share of GPUs. "
        "`device: null` computes on the CPU nonetheless (parameters.yml)"
    )


def load_pretrained(from_pretrained: Any, base: Base | LocalTranslator, **options: Any) -> Any:
    """What a ``from_pretrained`` of transformers gives for a folder or a pinned hub model.

    Raises:
        UserError: It can't be found or read; says what to do.
    """
    from safetensors import SafetensorError

    if base.path is not None:
        folder = locate(base.path)
        if not (folder / "config.json").exists():
            raise UserError(
                f"no model at {base.path}: it has no config.json. Name a model folder, or a hub model with its "
                "'revision' (parameters.yml, keys 'bases' and 'translator', or a study's 'arms')"
            )
        try:
            return from_pretrained(folder, **options)
        except (OSError, SafetensorError) as error:
            raise UserError(f"the model at {base.path} is damaged or incomplete: {str(error)[:200]}") from error
    try:
        return from_pretrained(base.name, revision=base.revision, **options)
    except OSError as error:
        raise UserError(
            f"can't load {base.name} at revision {base.revision} from the hub ({str(error)[:200]}). Connect to the "
            "network, or download it elsewhere and set 'path' instead of 'name' (parameters.yml)"
        ) from error
