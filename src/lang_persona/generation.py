"""Running a generation probe: items rendered once, sampled, and kept as rows."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lang_persona.chat import prompt_text, text_ids
from lang_persona.engines import check_lengths, get_engine
from lang_persona.environments import ENGINE, Base
from lang_persona.probes import Item, build_items
from lang_persona.seeds import derive_seed
from lang_persona.steering import Steer
from lang_persona.studies import Sampling


def run_probe(
    config: Mapping[str, Any],
    adapter: Path | None,
    rows: Sequence[Mapping[str, Any]] = (),
    intervene: Callable[[Item], tuple[Steer, ...]] | None = None,
) -> list[dict[str, Any]]:
    """Draw every completion of a probe for one arm.

    Args:
        config: The probe's slice of a cell (:func:`lang_persona.resolve.resolve`).
        adapter: The adapter to apply, or None for the base alone.
        rows: The study's questions or instructions, for a probe that asks them.
        intervene: What is added to the residual stream for an item; None for a probe without interventions.

    Returns:
        Rows in the ``generations`` form, in the order of the items.

    Raises:
        UserError: A prompt with its new tokens is longer than the model allows.
    """
    engine = get_engine(ENGINE.validate_python(config["engine"]), Base.model_validate(config["base"]))
    tokenizer = engine.tokenizer
    sampling = Sampling.model_validate(config["sampling"])
    items = build_items(config, rows)
    row = config["row"]
    # Named by probe, not by arm: arms under one seed share their random numbers.
    seed = derive_seed(config["seed"], "generate", row["study"], row["probe"])
    texts = [prompt_text(tokenizer, item.messages) for item in items]
    prompts = [text_ids(tokenizer, text) for text in texts]
    names = [f"the prompt of item {item.item_id}" for item in items]
    check_lengths(names, prompts, engine.longest, sampling.max_new_tokens)
    if intervene is None:
        drawn = engine.generate(prompts, config["samples"], sampling, seed, adapter)
    else:
        steering = [intervene(item) for item in items]
        positions = config["positions"]
        drawn = engine.generate(prompts, config["samples"], sampling, seed, adapter, steering, positions)
    return [
        {
            **row,
            "item_id": item.item_id,
            "sample": number,
            "variables": item.variables,
            "gold": item.gold,
            "prompt": item.messages,
            "rendered_prompt": text,
            "completion": completion.text,
            "finish_reason": completion.finish_reason,
            "tokens": {"prompt": len(ids), "completion": completion.tokens},
            "sampling": config["sampling"],
            "engine": config["engine"],
        }
        for item, text, ids, completions in zip(items, texts, prompts, drawn, strict=True)
        for number, completion in enumerate(completions)
    ]
