"""Language vectors: per layer, the difference of mean activations between the same texts in two languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lang_persona.chat import Message, System, prompt_ids
from lang_persona.datasets.vectors import SteeringVectors
from lang_persona.errors import UserError
from lang_persona.questions import TRAIN
from lang_persona.residency import Resident
from lang_persona.seeds import derive_seed
from lang_persona.steering.hooks import decoder_blocks

if TYPE_CHECKING:
    import numpy as np

Row = Mapping[str, Any]
#: The layer convention in one line, as it is written beside the vectors.
CONVENTION = (
    "layer k (from 0) is the output of decoder block k, hidden_states[k + 1] before any final norm; "
    "coefficient 1 adds the difference of means as it is"
)


@dataclass(frozen=True)
class Span:
    """Token ids and the places among them whose activations count."""

    ids: list[int]
    places: list[int]


@dataclass(frozen=True, eq=False)
class MeanDifferences:
    """What was measured, layer by layer (:mod:`lang_persona.steering` says which activations a layer is).

    Attributes:
        vectors: Difference of means, [layers, hidden], float32.
        norms: Euclidean norm of each vector, [layers].
        residual_norms: Mean norm of the activations that the vectors were made of, [layers]: what a coefficient is to
            be compared with.
    """

    vectors: np.ndarray
    norms: np.ndarray
    residual_norms: np.ndarray


def reply_span(tokenizer: Any, messages: Sequence[Message], text: str) -> Span:
    """A text as the reply to a prompt; the tokens of the text count, those of the template and special ones do not.

    The prompt stands before it because that is where a vector is used, and because the first token of a sequence
    draws activations of its own, many times larger, which would otherwise enter every mean.

    Raises:
        UserError: The text holds no token that counts.
    """
    prompt = prompt_ids(tokenizer, messages)
    reply = list(tokenizer(text, add_special_tokens=False)["input_ids"])
    special = set(tokenizer.all_special_ids)
    places = [len(prompt) + place for place, token in enumerate(reply) if token not in special]
    if not places:
        raise UserError(f"a text for steering vectors has no tokens: {text[:60]!r}")
    return Span(prompt + reply, places)


def prompt_span(tokenizer: Any, messages: Sequence[Message]) -> Span:
    """A rendered prompt, of which the last position counts: the one that chooses the reply's first token."""
    ids = prompt_ids(tokenizer, messages)
    return Span(ids, [len(ids) - 1])


def language_vectors(
    resident: Resident, config: Mapping[str, Any], instructions: Sequence[Row], batch_size: int = 32
) -> SteeringVectors:
    """The vectors that a study names, with where they come from.

    Args:
        resident: The leased base; nothing is left on it.
        config: ``name``, ``from``, ``to`` (languages), ``set``, ``rows``, ``over`` (``texts``: the outputs, each as
            the reply to its instruction; ``prompts``: the instructions), ``system`` (above both) and ``base``.
        instructions: The study's instructions, with their halves.
        batch_size: Texts or prompts a forward pass.

    Raises:
        UserError: Fewer training rows in both languages than ``rows``, or no decoder blocks are found.
    """
    ids, pairs = paired_spans(resident.tokenizer, config, instructions)
    found = mean_differences(resident, pairs, batch_size)
    return SteeringVectors(
        found.vectors,
        {
            **{key: config[key] for key in ("name", "from", "to", "over", "set", "rows", "system", "base")},
            "convention": CONVENTION,
            "layers": len(found.vectors),
            "norms": [float(norm) for norm in found.norms],
            "residual_norms": [float(norm) for norm in found.residual_norms],
            "ids": ids,
        },
    )


def paired_spans(
    tokenizer: Any, config: Mapping[str, Any], instructions: Sequence[Row]
) -> tuple[list[str], list[tuple[Span, Span]]]:
    """Spans of the same training rows in two languages: the first ``rows`` ids of a shuffled order.

    Args:
        tokenizer: The base's tokenizer.
        config: As for :func:`language_vectors`.
        instructions: The study's instructions, with their halves.

    Returns:
        The ids used, and for each its spans (language steered from, language steered to).

    Raises:
        UserError: Fewer training rows in both languages.
    """
    over, languages = config["over"], (config["from"], config["to"])
    found: dict[str, dict[str, Row]] = {language: {} for language in languages}
    for row in instructions:
        usable = over == "prompts" or (row["output"] or "").strip()
        if row["set"] == config["set"] and row["half"] == TRAIN and row["language"] in found and usable:
            found[row["language"]][row["source_id"]] = row
    both = sorted(set.intersection(*(set(rows) for rows in found.values())))
    ids = sorted(both, key=lambda one: derive_seed("steering rows", one))[: config["rows"]]
    if len(ids) < config["rows"]:
        raise UserError(
            f"vector {config['name']} wants {config['rows']} training {over} of set {config['set']} in both "
            f"{' and '.join(languages)}; there are {len(ids)}: lower its 'rows', or hold out fewer"
        )

    def span(row: Row) -> Span:
        messages = [*System(config["system"]).messages(), {"role": "user", "content": row["instruction"]}]
        return prompt_span(tokenizer, messages) if over == "prompts" else reply_span(tokenizer, messages, row["output"])

    source, target = (found[language] for language in languages)
    return ids, [(span(source[one]), span(target[one])) for one in ids]


def mean_differences(resident: Resident, pairs: Sequence[tuple[Span, Span]], batch_size: int = 32) -> MeanDifferences:
    """Difference of mean activations, second minus first, at every layer.

    A span's activations are averaged over its places, then spans over each side, so that a long text weighs no more
    than a short one. All sums are taken in float32 or better, whatever the model computes in.

    Args:
        resident: A base, with or without an adapter on it; nothing is left on it.
        pairs: The same content in the two languages.
        batch_size: Spans a forward pass.

    Raises:
        UserError: No pairs, or no decoder blocks are found.
    """
    import numpy as np

    if not pairs:
        raise UserError("steering vectors need at least one pair of texts or prompts")
    means, norms = span_means(resident, [span for pair in pairs for span in pair], batch_size)
    sides = means.reshape(len(pairs), 2, *means.shape[1:]).mean(axis=0)
    vectors = (sides[1] - sides[0]).astype(np.float32)
    return MeanDifferences(vectors, np.linalg.norm(vectors, axis=1), norms.mean(axis=0).astype(np.float32))


def span_means(resident: Resident, spans: Sequence[Span], batch_size: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """For every span, mean activation [layers, hidden] and mean norm [layers] over its places, in float64."""
    import numpy as np
    import torch
    from tqdm import tqdm

    model, blocks = resident.model, decoder_blocks(resident.model)
    weights: Any = None
    sums: dict[int, Any] = {}

    def reading(layer: int) -> Any:
        def hook(_module: Any, _inputs: Any, output: Any) -> None:
            hidden = (output[0] if isinstance(output, tuple) else output).float()
            # Places that do not count are taken out, not multiplied by 0: padding may hold infinities.
            kept = hidden.masked_fill((weights == 0)[..., None], 0)
            sums[layer] = torch.cat(
                [torch.einsum("rp,rph->rh", weights, kept), (weights * kept.norm(dim=-1)).sum(dim=1, keepdim=True)], 1
            )

        return hook

    order = sorted(range(len(spans)), key=lambda place: (len(spans[place].ids), place))
    found: dict[int, Any] = {}
    hooks = [block.register_forward_hook(reading(layer)) for layer, block in enumerate(blocks)]
    bar = tqdm(total=len(order), desc="activations", unit="text", leave=False)
    try:
        with torch.inference_mode():
            for start in range(0, len(order), batch_size):
                batch = order[start : start + batch_size]
                ids, mask, weights = _padded([spans[place] for place in batch], resident)
                # The logits are not wanted: one position costs next to nothing.
                model(ids, attention_mask=mask, use_cache=False, logits_to_keep=1)
                stacked = torch.stack([sums[layer] for layer in range(len(blocks))], dim=1).cpu().double().numpy()
                found.update(zip(batch, stacked, strict=True))
                bar.update(len(batch))
    finally:
        for hook in hooks:
            hook.remove()
        bar.close()
    together = np.stack([found[place] for place in range(len(spans))])
    return together[..., :-1], together[..., -1]


def _padded(spans: Sequence[Span], resident: Resident) -> tuple[Any, Any, Any]:
    """Ids and attention mask padded on the right, and what each place weighs in its span's mean."""
    import torch

    width, pad, device = max(len(span.ids) for span in spans), resident.tokenizer.pad_token_id, resident.model.device
    ids = torch.full((len(spans), width), pad)
    mask, weights = torch.zeros_like(ids), torch.zeros(len(spans), width)
    for row, span in enumerate(spans):
        ids[row, : len(span.ids)] = torch.tensor(span.ids)
        mask[row, : len(span.ids)] = 1
        weights[row, span.places] = 1 / len(span.places)
    return ids.to(device), mask.to(device), weights.to(device)
