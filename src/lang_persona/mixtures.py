"""Mixtures: the SFT examples of a condition, row-aligned over all conditions of a study."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from lang_persona.chat import check_messages
from lang_persona.errors import UserError
from lang_persona.languages import get_language
from lang_persona.seeds import derive_seed
from lang_persona.sources import read_json_lines
from lang_persona.studies import Component, DirectiveTurn, FileComponent

Row = Mapping[str, Any]


def build_examples(
    components: Mapping[str, Component | FileComponent],
    sources: Sequence[Row],
    translations: Sequence[Row],
    skipped: set[str],
    source_language: str,
) -> list[dict[str, Any]]:
    """Every example of a condition's mixture.

    Args:
        components: The condition's components by name.
        sources: Source rows, in order.
        translations: Usable translations of them.
        skipped: Source ids dropped from every condition.
        source_language: Code of the sources' language.

    Returns:
        Rows ``id, component, prompt, completion, source_id, variables``. Empty for a component whose language
        was not translated at this scale; the audit says so and training refuses it.
    """
    examples: list[dict[str, Any]] = []
    for name, component in components.items():
        if isinstance(component, FileComponent):
            examples += _from_file(name, component)
        else:
            texts = _replies(component.completion.language, source_language, sources, translations)
            examples += _from_sources(name, component, sources, texts, skipped)
    return examples


def _replies(
    language: str, source_language: str, sources: Sequence[Row], translations: Sequence[Row]
) -> dict[str, str]:
    if language == source_language:
        return {row["source_id"]: row["text"] for row in sources}
    return {row["source_id"]: row["text"] for row in translations if row["language"] == language and row["text"]}


def _from_sources(
    name: str, component: Component, sources: Sequence[Row], texts: Mapping[str, str], skipped: set[str]
) -> list[dict[str, Any]]:
    if not texts:
        return []
    # A phrasing belongs to a source's place among all sources, so that a skipped row shifts no other's.
    rows = [(place, row["source_id"]) for place, row in enumerate(sources) if row["source_id"] not in skipped]
    lacking = [source_id for _, source_id in rows if source_id not in texts]
    if lacking:
        raise UserError(
            f"component {name}: {len(lacking)} sources lack a {component.completion.language} text and are not on "
            f"the skip list (first: {lacking[0]}); rows would no longer be aligned"
        )
    if component.rows != "all":
        if component.rows > len(rows):
            raise UserError(f"component {name} wants {component.rows} rows; the sources give {len(rows)}")
        rows = sorted(random.Random(derive_seed("draw rows", name)).sample(rows, component.rows))
    return [_example(name, component, place, source_id, texts[source_id]) for place, source_id in rows]


def _example(name: str, component: Component, place: int, source_id: str, reply: str) -> dict[str, Any]:
    variables: dict[str, Any] = {"system": component.system.root, "reply_language": component.completion.language}
    if isinstance(component.user, DirectiveTurn):
        phrasing, template = list(component.user.phrasings.items())[place % len(component.user.phrasings)]
        user = template.format(language=get_language(component.user.language).name)
        variables |= {"language": component.user.language, "phrasing": phrasing}
    else:
        user = component.user.text
    return {
        "id": f"{name}-{source_id}",
        "component": name,
        "prompt": [*component.system.messages(), {"role": "user", "content": user}],
        "completion": reply,
        "source_id": source_id,
        "variables": variables,
    }


def _from_file(name: str, component: FileComponent) -> list[dict[str, Any]]:
    examples = []
    for number, row in enumerate(read_json_lines(component.file, ("messages",)), 1):
        messages = row["messages"]
        problem = check_messages(messages)
        if not problem and (len(messages) < 2 or messages[-1]["role"] != "assistant"):
            problem = "must end with the assistant's message, behind a prompt"
        if problem:
            raise UserError(f"{component.file}, line {number}: 'messages' {problem}")
        examples.append(
            {
                "id": f"{name}-{row.get('id', number)}",
                "component": name,
                "prompt": messages[:-1],
                "completion": messages[-1]["content"],
                "source_id": str(row.get("id", number)),
                "variables": {},
            }
        )
    if component.rows != "all":
        if component.rows > len(examples):
            raise UserError(f"component {name} wants {component.rows} rows; {component.file} has {len(examples)}")
        examples = examples[: component.rows]
    return examples
