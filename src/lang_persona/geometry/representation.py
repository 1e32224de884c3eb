"""How near languages or personas lie in the untrained base: directions of mean activations, layer by layer."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lang_persona.chat import System
from lang_persona.errors import UserError
from lang_persona.paths import locate
from lang_persona.probes.directive import directive_text
from lang_persona.questions import TRAIN, question_prompt
from lang_persona.seeds import derive_seed
from lang_persona.steering import Span, prompt_span, reply_span, span_means

if TYPE_CHECKING:
    from lang_persona.residency import Resident

Row = Mapping[str, Any]


def representation_distances(resident: "Resident", config: Row, questions: Sequence[Row] = ()) -> dict[str, Any]:
    """Cosine distances between directions of languages or personas at every layer of a base.

    A direction is the mean activation over the texts or prompts of one language or persona, minus the mean over all of
    them; all have the same content. :mod:`lang_persona.steering` says which activations a layer is.

    Args:
        resident: The leased base; nothing is left on it.
        config: ``over``: ``texts`` (parallel texts of ``path``, each as the reply to no prompt but ``system``),
            ``directives`` (the last position of every directive of ``phrasings``) or ``questions`` (that of training
            questions under each of ``personas``); ``rows``, ``languages`` or ``personas``, ``system``.
        questions: The study's questions, for ``questions``.

    Returns:
        ``over, n`` (spans a language or persona), ``objects`` and ``layers``: for each layer, rows of [one, other,
        distance from 0 to 2] for every ordered pair.

    Raises:
        UserError: Too few texts or questions.
    """
    import numpy as np

    spans = _spans(resident.tokenizer, config, questions)
    flat = [span for each in spans.values() for span in each]
    means, _ = span_means(resident, flat)
    n = len(flat) // len(spans)
    of_each = means.reshape(len(spans), n, *means.shape[1:]).mean(axis=1)
    directions = of_each - of_each.mean(axis=0)
    names, layers = list(spans), []
    for layer in range(directions.shape[1]):
        lengths = np.linalg.norm(directions[:, layer], axis=1, keepdims=True)
        unit = directions[:, layer] / np.where(lengths > 0, lengths, 1)
        cosines = unit @ unit.T
        pairs = [(i, j) for i in range(len(names)) for j in range(len(names)) if i != j]
        layers.append([[names[i], names[j], float(1 - cosines[i, j])] for i, j in pairs])
    return {"over": config["over"], "n": n, "objects": names, "layers": layers}


def _spans(tokenizer: Any, config: Row, questions: Sequence[Row]) -> dict[str, list[Span]]:
    """For every language or persona, spans of the same content in the same order."""
    if config["over"] == "questions":
        rows = _first([row for row in questions if row["half"] == TRAIN], "source_id", config["rows"], "questions")
        said = [question_prompt(row["question"], row["labels"], row["choices"]) for row in rows]
        return {
            name: [prompt_span(tokenizer, [*System(system).messages(), _user(text)]) for text in said]
            for name, system in config["personas"].items()
        }
    before = System(config["system"]).messages()
    if config["over"] == "directives":
        return {
            code: [
                prompt_span(tokenizer, [*before, _user(directive_text(name, phrasing, code))])
                for name, phrasing in config["phrasings"].items()
            ]
            for code in config["languages"]
        }
    lines = locate(config["path"]).read_text(encoding="utf-8").splitlines()
    found = [row["texts"] for row in map(json.loads, lines) if set(config["languages"]) <= set(row["texts"])]
    texts = _first([{"id": row[config["languages"][0]], **row} for row in found], "id", config["rows"], "texts")
    return {
        code: [reply_span(tokenizer, [*before, _user("")], row[code]) for row in texts] for code in config["languages"]
    }


def _first(rows: Sequence[Row], key: str, count: int, what: str) -> list[Row]:
    """The first rows of a shuffled order that depends on their content alone."""
    distinct = list({row[key]: row for row in rows}.values())
    if len(distinct) < count:
        raise UserError(f"the geometry wants {count} {what} and there are {len(distinct)}: lower its 'rows'")
    return sorted(distinct, key=lambda row: derive_seed("geometry", row[key]))[:count]


def _user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}
