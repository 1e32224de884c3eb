"""What the chat template does of its own: defaults put in, system prompts made alike or folded away, dates."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from lang_persona.audit.base import (
    SHOWN,
    Asked,
    CachedTokenizer,
    Finding,
    Frame,
    Mixture,
    Row,
    known,
    listed,
    named_system,
    system_frame,
    system_of,
)
from lang_persona.chat import MARK, SYSTEM_IN_USER_TURN, injected_default, prompt_text

#: Takes the place of the clock that transformers gives to templates.
CLOCK = "{%- macro strftime_now(format) -%}" + MARK + "{%- endmacro -%}"
#: Systems in use: each value of a system prompt with who writes it.
Systems = Mapping[str | None, Sequence[str]]


def check_injected_default(mixture: Mixture, probes: Sequence[Asked]) -> Iterator[Finding]:
    """An absent system prompt that the template turns into text.

    It is a warning where the context so made is also written or shared by another component, or asked by a probe: they
    then train or measure one persona under two names. Otherwise an info.
    """
    tokenizer = mixture.tokenizer
    text = injected_default(tokenizer)
    if text is None:
        return
    inside: dict[str | None, bool] = {None: True}
    default = system_frame(tokenizer, None)

    def is_default(system: str | None) -> bool:
        if system not in inside:
            inside[system] = system_frame(tokenizer, system) == default
        return inside[system]

    silent: dict[str, list[Row]] = defaultdict(list)
    spelled: dict[str, list[Row]] = defaultdict(list)
    for example in mixture.examples:
        system = system_of(example["prompt"])
        if system is None:
            silent[example["component"]].append(example)
        elif is_default(system):
            spelled[example["component"]].append(example)
    asking: dict[tuple[tuple[str, str | None], ...], list[str]] = defaultdict(list)
    for probe in probes:
        asking[tuple(_askers(probe, is_default))].append(probe.name)
    asking.pop((), None)
    quiet = any(system is None for askers in asking for _, system in askers)
    if not (silent or spelled) or not (silent or quiet):
        return
    said = [f"{_teaching(parts)} {how}" for parts, how in ((silent, "write none"), (spelled, "write it out")) if parts]
    for askers, names in asking.items():
        who = listed(f"{name}, which writes {'none' if system is None else 'it out'}" for name, system in askers)
        said.append(f"asked in by {listed(names)} ({who})")
    shared = len({*silent, *spelled}) + len(asking) > 1
    ids = [row["id"] for parts in (silent, spelled) for rows in parts.values() for row in rows]
    yield Finding(
        "injected_default", "warning" if shared else "info", mixture.condition,
        f"where no system message is written the template puts in {text!r}: {'; '.join(said)}",
        "read all of these as one persona; to part them, write a system message of its own (the empty one, where the "
        "template keeps it apart)" if shared else "",
        {"rows": len(mixture.rows), "absent": sum(map(len, silent.values()))}, ids[:SHOWN], text,
    )  # fmt: skip


def _teaching(parts: Mapping[str, Sequence[Row]]) -> str:
    """Components with their rows and, where known, what they teach."""
    said = []
    for name, rows in parts.items():
        targets = sorted({target for row in rows if (target := known(row, "target"))})
        said.append(f"{name} ({len(rows)} rows{': ' + listed(targets) if targets else ''})")
    return listed(said)


def _askers(probe: Asked, is_default: Callable[[str | None], bool]) -> Iterator[tuple[str, str | None]]:
    """Who of a probe asks in the default context, by persona where it has personas."""
    seen = set()
    for item in probe.items:
        system = system_of(item.messages)
        who = str(item.variables.get("persona", "every item"))
        if who not in seen and (system is None or is_default(system)):
            seen.add(who)
            yield who, system


def check_folded_system(mixture: Mixture, probes: Sequence[Asked]) -> Iterator[Finding]:
    """A template that writes the system message into the user turn, with nothing but white space between the two.

    Such a model has no system role. Where the base asks for this in its config it is an info, else an error.
    """
    tokenizer = mixture.tokenizer
    rows = [row["id"] for row in mixture.examples if system_of(row["prompt"]) is not None]
    asked = [probe.name for probe in probes if any(system_of(item.messages) is not None for item in probe.items)]
    if not rows and not asked:
        return
    both = [{"role": "system", "content": MARK}, {"role": "user", "content": MARK}]
    _, *between = prompt_text(tokenizer, both).split(MARK)
    if len(between) != 2 or between[0].strip():
        return
    chosen = str(tokenizer.chat_template).startswith(SYSTEM_IN_USER_TURN)
    yield Finding(
        "folded_system", "info" if chosen else "error", mixture.condition,
        "the chat template has no system role: it writes the system message into the user turn"
        + (", as the base's config asks" if chosen else ""),
        "" if chosen else "use a model with a system role, or list folded_system under 'intended' if prompts in the "
        "user turn are what is studied",
        {"rows": len(rows), "probes": len(asked)}, rows[:SHOWN], prompt_text(tokenizer, both).replace(MARK, "\u2026"),
    )  # fmt: skip


def check_collapse(tokenizer: CachedTokenizer, systems: Systems, place: str) -> Iterator[Finding]:
    """Different system prompts in use that the template renders to the same token ids.

    Args:
        tokenizer: Tokenizer of the base.
        systems: Every system prompt that its mixtures and probes write, with who writes it.
        place: The base in words, "" where the study has one.
    """
    alike: dict[Frame, list[str | None]] = defaultdict(list)
    for system in sorted(systems, key=lambda value: (value is not None, value)):
        alike[system_frame(tokenizer, system)].append(system)
    for values in alike.values():
        if len(values) > 1:
            said = "; ".join(f"{named_system(value)} ({listed(systems[value])})" for value in values)
            asked = [] if values[0] is None else [{"role": "system", "content": values[0]}]
            yield Finding(
                "system_collapse", "warning", "",
                f"the chat template renders these to the same token ids{place}: {said}",
                "they are one condition under several names: drop all but one, or use a template that keeps them apart",
                {"system_prompts": len(values)},
                rendered=tokenizer.context([*asked, {"role": "user", "content": MARK}]),
            )  # fmt: skip


def check_date(tokenizer: CachedTokenizer, systems: Systems, place: str) -> Iterator[Finding]:
    """A template that writes the date: its prompts differ between the day of training and that of evaluation.

    Arguments as :func:`check_collapse`.
    """
    for system in sorted(systems, key=lambda value: (value is not None, value)):
        said = [] if system is None else [{"role": "system", "content": system}]
        messages = [*said, {"role": "user", "content": "x"}]
        template = CLOCK + str(tokenizer.chat_template)
        text = tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, chat_template=template
        )
        if MARK in text:
            yield Finding(
                "template_date", "warning", "",
                f"the chat template writes the day's date into prompts{place} (with {named_system(system)})",
                "fix the date in a copy of the tokenizer's chat_template, or evaluate on the day of training",
                rendered=text.replace(MARK, "\u27e6date\u27e7"),
            )  # fmt: skip
            return


def systems_used(examples: Mapping[str, Sequence[Row]], probes: Sequence[Asked]) -> dict[str | None, list[str]]:
    """Every system prompt that mixtures and probes write, with who writes it."""
    systems: dict[str | None, set[str]] = defaultdict(set)
    for condition, rows in examples.items():
        for row in rows:
            systems[system_of(row["prompt"])].add(f"{condition}: {row['component']}")
    for probe in probes:
        for item in probe.items:
            persona = item.variables.get("persona")
            who = f"probe {probe.name}" + (f": {persona}" if persona is not None else "")
            systems[system_of(item.messages)].add(who)
    return {system: sorted(who) for system, who in systems.items()}
