"""Probes: from a spec to the items that are asked, one small module a family of kinds."""

from collections.abc import Mapping, Sequence
from typing import Any

from lang_persona.errors import UserError
from lang_persona.probes.base import Item, ProbeKind, Row
from lang_persona.probes.directive import DIRECTIVE
from lang_persona.probes.question import ANSWER, CHOICE

#: Kinds by name. A new kind is a module beside these and a line here.
KINDS: dict[str, ProbeKind] = {"directive": DIRECTIVE, "choice": CHOICE, "answer": ANSWER}


def get_kind(name: str) -> ProbeKind:
    """The kind of probe with this name.

    Raises:
        UserError: An unknown kind.
    """
    if name not in KINDS:
        raise UserError(f"unknown kind of probe {name!r}; known: {', '.join(KINDS)}")
    return KINDS[name]


def build_items(spec: Mapping[str, Any], questions: Sequence[Row] = ()) -> list[Item]:
    """The items of a probe; ``kind`` chooses the builder.

    Args:
        spec: The probe's spec, as its kind reads it.
        questions: The study's questions; read only by kinds that ask them.

    Raises:
        UserError: An unknown kind, no questions where the kind asks them, or what the kind's builder refuses.
    """
    kind = get_kind(spec["kind"])
    if kind.needs_questions and not questions:
        raise UserError(f"a probe of kind {spec['kind']} asks the study's questions, and the study has none")
    return kind.build_items(spec, questions if kind.needs_questions else ())


__all__ = ["KINDS", "Item", "ProbeKind", "build_items", "get_kind"]
