"""How many cells, rows and completions a study has: its default run, or all that it describes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lang_persona.paths import locate
from lang_persona.probes import KINDS
from lang_persona.probes.steering import control_names, sweep_interventions
from lang_persona.studies import (
    BASELINE,
    Component,
    DirectiveProbe,
    FileComponent,
    InstructionProbe,
    InstructionTurn,
    QuestionProbe,
    QuestionTurn,
    Scale,
    SteeringProbe,
    SteeringSweepProbe,
    Study,
)


def plan_slice(study: Study, scale: str, everything: bool = False) -> dict[str, Any]:
    """The sizes of a study at a scale, as plain data.

    Args:
        study: The study.
        scale: One of its scales.
        everything: Count also the conditions, probes, arms and seeds that the default run leaves out.

    Returns:
        ``study, scale, seeds``; ``conditions`` (``base, rows`` by kind of row, ``passes``; None where the count lies
        in a file that is not read) and ``probes`` (``kind, over, values, levels, rows_a_level, arms, new_tokens``;
        ``rows_a_level`` is None where it is all of a data set that is not read yet).
    """
    conditions = [name for name, condition in study.conditions.items() if condition.default or everything]
    arms = study.arm_names if everything else [BASELINE, *conditions]
    seeds = list(study.seeds.all if everything else study.seeds.default)
    return {
        "study": study.name,
        "scale": scale,
        "seeds": seeds,
        "sources": None if (chosen := study.scales[scale].selection) is None else chosen.keep,
        "conditions": {name: _condition(study, scale, name) for name in conditions},
        "probes": {
            name: _probe(study, scale, name, arms, seeds)
            for name, probe in study.probes.items()
            if probe.default or everything
        },
    }


def _condition(study: Study, scale: str, name: str) -> dict[str, Any]:
    recipe = study.recipe(name, scale)
    rows: dict[str, int | None] = {}
    for part in study.components(name, scale).values():
        kind, count = _row_kind(part), _row_count(part, study.scales[scale])
        known = rows.get(kind, 0)
        rows[kind] = None if count is None or known is None else known + count
    passes: dict[str, Any] = {"epochs": recipe.epochs, "max_steps": recipe.max_steps, "batch_size": recipe.batch_size}
    return {"base": study.base_key(name), "rows": rows, **passes}


def _row_count(part: Component | FileComponent, sizes: Scale) -> int | None:
    """Rows of a component; all of them are what the scale keeps, and of a file nobody knows."""
    if isinstance(part.rows, int):
        return part.rows
    if isinstance(part, FileComponent):
        return None
    if isinstance(part.user, InstructionTurn):
        return sizes.instructions[part.user.set].keep
    return None if sizes.selection is None else sizes.selection.keep


def _row_kind(part: Component | FileComponent) -> str:
    """What a row is like in length: the reply of a chat, a question with a letter, or an instruction's output."""
    if isinstance(part, Component) and isinstance(part.user, QuestionTurn):
        return "question"
    return "instruction" if isinstance(part, Component) and isinstance(part.user, InstructionTurn) else "reply"


def _probe(study: Study, scale: str, name: str, arms: Sequence[str], seeds: Sequence[int]) -> dict[str, Any]:
    probe, sizes = study.probes[name], study.scales[scale]
    kind = KINDS[probe.kind]
    samples = 1 if kind.choices else sizes.samples[name]
    levels, rows, values = 1, sizes.items.get(name), [""]
    if isinstance(probe, DirectiveProbe):
        levels, rows, values = len(probe.phrasings), 1, list(study.probe_languages(probe))
    elif isinstance(probe, QuestionProbe):
        rows = rows or _questions(sizes.questions, probe.half)
    elif isinstance(probe, InstructionProbe):
        rows, values = rows or sizes.instructions[probe.set].held_out, list(study.probe_languages(probe))
    else:
        sweep = study.sweep_of(probe)
        instructions = sizes.instructions[sweep.set]
        if isinstance(probe, SteeringProbe):
            rows, values = rows or instructions.held_out, control_names(probe.random)
        else:
            settings = sizes.settings[name]
            swept = sweep_interventions(settings.layers, settings.coefficients)
            rows, values = rows or instructions.development, [one["name"] for one in swept]
    asked = {
        arm: len(study.probe_personas(probe, arm)) if isinstance(probe, QuestionProbe) else len(values)
        for arm in arms
        if any(study.asks(name, arm, seed) for seed in seeds)
    }
    return {
        "kind": probe.kind,
        "over": kind.over,
        "levels": levels,
        "rows_a_level": None if rows is None else rows * samples,
        "arms": asked,  # how many values of `over` each arm is asked under
        "seeds": 1 if isinstance(probe, SteeringSweepProbe) else len(seeds),
        "draws": kind.asks is None,  # every row a draw, so that seeds add rows
        "new_tokens": None if kind.choices else study.sampling_at(scale, name).max_new_tokens,
    }


def _questions(questions: Any, half: str) -> int | None:
    """Questions of a half; of the held-out one only where they lie in a file here."""
    if half == "train":
        return int(questions.halves.train)
    path = getattr(questions, "path", None)
    if path is None or not (file := locate(path)).is_file():
        return None
    with Path(file).open(encoding="utf-8") as lines:
        return sum(1 for line in lines if line.strip()) - int(questions.halves.train)


def rows_a_value(probe: Mapping[str, Any]) -> int | None:
    """Rows under one value (directive language, persona ...) that an interval is made of; None: not known yet."""
    if probe["rows_a_level"] is None:
        return None
    return int(probe["rows_a_level"] * probe["levels"] * (probe["seeds"] if probe["draws"] else 1))


def completions(probe: Mapping[str, Any]) -> int | None:
    """Completions, or questions scored, of all arms together; None: not known yet."""
    if probe["rows_a_level"] is None:
        return None
    return int(sum(probe["arms"].values()) * probe["rows_a_level"] * probe["levels"] * probe["seeds"])


def training_rows(condition: Mapping[str, Any]) -> dict[str, float | None]:
    """Rows that a cell is trained on by kind, every pass counted; None: not known yet."""
    rows: Mapping[str, int | None] = condition["rows"]
    if condition["max_steps"] is None:
        return {kind: None if count is None else count * condition["epochs"] for kind, count in rows.items()}
    seen, total = condition["max_steps"] * condition["batch_size"], sum(count or 0 for count in rows.values())
    if len(rows) == 1:
        return dict.fromkeys(rows, seen)
    return {kind: None if None in rows.values() else seen * (count or 0) / total for kind, count in rows.items()}
