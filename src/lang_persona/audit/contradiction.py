"""Components that teach different things for one prompt, compared on token ids as the chat template renders it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lang_persona.audit.base import SHOWN, Finding, Mixture, known, listed, named_system, system_of
from lang_persona.chat import injected_default, prompt_text

#: Completions of at most so many tokens, the stop token with them, are answers; longer ones are free text.
SHORT = 8
INTEND = "if the contradiction is what the study is about, list the rule under 'intended'"


def check_contradictions(mixture: Mixture) -> Iterator[Finding]:
    """Rows whose rendered prompts collide but whose targets disagree.

    Rows that say what they ask (``ask``) and teach (``target``) collide where their prompts are the same token ids, or
    the same up to the question: the same ids before and after the content of the last user turn, asking the same. Rows
    without a target, from a user's own file, collide where their prompts are the same ids, and are compared by
    completion.
    """
    explained: set[int] = set()
    for places in up_to_question(mixture):
        explained |= set(places)
        yield _of_targets(mixture, places, "up to the question")
    apart = [places for places in _disagreeing(mixture) if not set(places) <= explained]
    for group in _alike(mixture, apart):
        yield _of_targets(mixture, sorted(place for places in group for place in places), "token for token")
    yield from _of_completions(mixture)


def up_to_question(mixture: Mixture) -> Iterator[list[int]]:
    """Places of the rows in each context that asks one thing and is taught several targets."""
    groups: dict[Any, list[int]] = defaultdict(list)
    for place, (example, frame) in enumerate(zip(mixture.examples, mixture.frames, strict=True)):
        ask = known(example, "ask")
        if ask is not None and frame is not None and known(example, "target") is not None:
            groups[frame, ask].append(place)
    return (places for places in groups.values() if len(_targets(mixture, places)) > 1)


def _disagreeing(mixture: Mixture) -> Iterator[list[int]]:
    """Places of the rows with targets that share a whole prompt and disagree."""
    for places in _by_prompt(mixture, range(len(mixture.rows))).values():
        told = [place for place in places if known(mixture.examples[place], "target") is not None]
        if len(_targets(mixture, told)) > 1:
            yield told


def _by_prompt(mixture: Mixture, places: Iterable[int]) -> Mapping[bytes, list[int]]:
    groups: dict[bytes, list[int]] = defaultdict(list)
    for place in places:
        groups[mixture.prompts[place]].append(place)
    return groups


def _targets(mixture: Mixture, places: Iterable[int]) -> set[str | None]:
    return {known(mixture.examples[place], "target") for place in places}


def _parts(mixture: Mixture, places: Iterable[int]) -> dict[tuple[str, str | None], list[int]]:
    """Places by component and target, in the mixture's order."""
    parts: dict[tuple[str, str | None], list[int]] = defaultdict(list)
    for place in places:
        example = mixture.examples[place]
        parts[example["component"], known(example, "target")].append(place)
    return parts


def _alike(mixture: Mixture, groups: Iterable[list[int]]) -> list[list[list[int]]]:
    """Groups of rows put together where the same components meet in them, so that each meeting is one finding."""
    together: dict[frozenset[tuple[str, str | None]], list[list[int]]] = defaultdict(list)
    for places in groups:
        together[frozenset(_parts(mixture, places))].append(places)
    return list(together.values())


def _of_targets(mixture: Mixture, places: Sequence[int], how: str) -> Finding:
    parts = _parts(mixture, places)
    same = [group for group in _by_prompt(mixture, places).values() if len(_targets(mixture, group)) > 1]
    said = listed(f"{name} ({len(rows)} rows: {target})" for (name, target), rows in parts.items())
    manner, remedy = _meeting(mixture, parts)
    shown = _one_of_each(mixture, same[0] if same else places)
    return Finding(
        "contradiction", "error", mixture.condition,
        f"{said} teach different targets for prompts that are the same {how}, {manner}; "
        f"{len(same)} prompts are identical token for token",
        f"{remedy}; {INTEND}",
        {**_rows_of(parts), "identical_prompts": len(same)},
        [mixture.examples[place]["id"] for place in shown],
        prompt_text(mixture.tokenizer, mixture.examples[shown[0]]["prompt"]),
    )  # fmt: skip


def _rows_of(parts: Mapping[tuple[str, str | None], Sequence[int]]) -> dict[str, int]:
    """Rows of every component; one that teaches several targets is named with each."""
    times = Counter(name for name, _ in parts)
    return {name if times[name] == 1 else f"{name}, {target}": len(rows) for (name, target), rows in parts.items()}


def _one_of_each(mixture: Mixture, places: Sequence[int]) -> list[int]:
    """A row of every component and target; of no more than a few."""
    return [rows[0] for rows in _parts(mixture, places).values()][: SHOWN + 1]


def _meeting(mixture: Mixture, parts: Mapping[tuple[str, str | None], Sequence[int]]) -> tuple[str, str]:
    """How the components come to one context, in words, and what parts them.

    Openly: they write the same system message. Or through the template, which puts in a default where none is written
    or renders different system messages alike.
    """
    writers: dict[str | None, dict[str, None]] = defaultdict(dict)
    for (name, _), rows in parts.items():
        for place in rows:
            writers[system_of(mixture.examples[place]["prompt"])][name] = None
    names = listed(dict.fromkeys(name for name, _ in parts))
    drop = f"drop one of {names}, or give them system prompts of their own"
    default = injected_default(mixture.tokenizer)
    if None not in writers and len(writers) == 1:
        return f"openly: all write {named_system(next(iter(writers)))}", drop
    if set(writers) == {None} and default is None:
        return "openly: none of them writes a system prompt", drop
    if None in writers and default is not None and set(writers) <= {None, default}:
        who = f"{listed(writers[None])} write no system prompt"
        if default in writers:
            who += f" and {listed(writers[default])} write that text"
        return (
            f"through the default that the chat template puts in where none is written ({default!r}): {who}",
            f"write a system prompt of its own for one of {names} (the empty one, where the template keeps it apart), "
            "or drop one",
        )
    who = "; ".join(f"{listed(names)} write {named_system(system)}" for system, names in writers.items())
    return f"through the chat template, which renders these alike: {who}", drop


def _of_completions(mixture: Mixture) -> Iterator[Finding]:
    """Rows that share a whole prompt, one of them at least without a target, and are completed differently."""
    answers: list[list[int]] = []
    texts: list[list[int]] = []
    for places in _by_prompt(mixture, range(len(mixture.rows))).values():
        rows = [mixture.rows[place] for place in places]
        lengths = [len(row.ids) - row.completion_start for row in rows]
        told = all(known(mixture.examples[place], "target") is not None for place in places)
        if told or len({tuple(row.ids[row.completion_start :]) for row in rows}) == 1:
            continue
        # Among free replies a few may be short by chance, so most must be for the prompt to ask for an answer.
        short = sum(length <= SHORT for length in lengths) * 2 > len(lengths)
        (answers if short else texts).append(places)
    for groups, severity, message, remedy in (
        (answers, "error", "short completions that differ", f"keep one answer for each prompt; {INTEND}"),
        (texts, "info", "several replies to one prompt", ""),
    ):
        for group in _alike(mixture, groups):
            places = [place for part in group for place in part]
            parts = _parts(mixture, places)
            shown = group[0][: SHOWN if severity == "info" else SHOWN + 1]
            replies = listed(dict.fromkeys(repr(mixture.examples[place]["completion"][:40]) for place in shown))
            yield Finding(
                "contradiction", severity, mixture.condition,
                f"{listed(f'{name} ({len(rows)} rows)' for (name, _), rows in parts.items())}: {message}, in "
                f"{len(group)} prompts that are identical token for token (in one: {replies})",
                remedy, {**_rows_of(parts), "identical_prompts": len(group)},
                [mixture.examples[place]["id"] for place in shown],
                prompt_text(mixture.tokenizer, mixture.examples[shown[0]]["prompt"]),
            )  # fmt: skip
