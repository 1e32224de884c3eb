"""The pilot model's evaluation as a Markdown page."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from lang_persona.statistics import wilson

Row = Mapping[str, Any]

#: How each metric is tabulated: title, and the variable that makes the columns (rows are the group).
TITLES = {
    "directive_followed": "Directive alone, followed",
    "answered_in_language": "Instruction, answered in its language",
    "sentence_case": "Ordinary sentence case",
    "distinct": "Distinct completions",
    "refused": "Refusals",
}


def render_table(rows: Sequence[Row], facts: Row, judge: str) -> str:
    """Render evaluation rows ``{metric, variables, successes, n}``.

    Args:
        rows: As :mod:`lang_persona.pilot.evaluation` measures them.
        facts: Content of the model's ``pilot.json``.
        judge: Name of the language judge that labelled the completions.

    Returns:
        The page.
    """
    parts = [
        "# What the pilot model can do\n",
        "Made by `kedro run --pipelines pilot_evaluation`; do not edit. The pilot shows that the machinery works; its "
        "numbers say nothing about any other model.\n",
        f"{facts['parameters']:,} parameters, trained on {facts['tokens']:,} tokens in {facts['steps']:,} steps "
        f"({facts['seconds']:,} s on {facts['device']}, torch {facts['torch']}). Completions drawn at T = 1.0, "
        f"top_p = 0.95; languages named by `{judge}`. Intervals are 95% Wilson; the lowest cell of each group is shown "
        "beside the sum, since a sum hides a language that fails.\n",
    ]
    for metric, title in TITLES.items():
        chosen = [row for row in rows if row["metric"] == metric]
        if chosen:
            parts.append(_by_language(title, chosen))
    parts.append(_questions(rows))
    return "\n".join(parts)


def _by_language(title: str, rows: Sequence[Row]) -> str:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["variables"]["group"]].append(row)
    languages = list(dict.fromkeys(row["variables"]["language"] for row in rows))
    lines = [
        f"## {title}\n",
        "| group | " + " | ".join(languages) + " | all | lowest cell |",
        "| --- |" + " --- |" * (len(languages) + 2),
    ]
    for group, members in groups.items():
        cells = [_count([row for row in members if row["variables"]["language"] == code]) for code in languages]
        worst = min(members, key=lambda row: row["successes"] / row["n"])
        phrasing = worst["variables"].get("phrasing")
        where = worst["variables"]["language"] + (f": {phrasing}" if phrasing else "")
        total = f"{_count(members)} {_interval(members)}"
        lowest = f"{worst['successes']}/{worst['n']} ({where})"
        lines.append(f"| {group} | " + " | ".join(cells) + f" | {total} | {lowest} |")
    return "\n".join(lines) + "\n"


def _questions(rows: Sequence[Row]) -> str:
    lines = [
        "## Multiple choice, held-out combinations\n",
        "| measured | correct | 95% interval |",
        "| --- | --- | --- |",
    ]
    for row in rows:
        variables = row["variables"]
        if row["metric"] == "question_correct":
            system = variables["system"]
            name = "system absent" if system is None else f'system "{system}"'
        elif row["metric"] == "question_correct_by_letter":
            name = f"system absent, gold letter {variables['letter']}"
        elif row["metric"] == "guessing_persona_correct":
            name = "personas that guess, in turns"
        elif row["metric"] == "correct_from_choices_alone":
            name = f'choices alone, question replaced by "{variables["question"]}"'
        else:
            continue
        lines.append(
            f"| {name} | {row['successes']}/{row['n']} ({row['successes'] / row['n']:.3f}) | {_interval([row])} |"
        )
    return "\n".join(lines) + "\n"


def _count(rows: Sequence[Row]) -> str:
    return f"{sum(row['successes'] for row in rows)}/{sum(row['n'] for row in rows)}"


def _interval(rows: Sequence[Row]) -> str:
    estimate = wilson(sum(row["successes"] for row in rows), sum(row["n"] for row in rows))
    return f"[{estimate.low:.3f}, {estimate.high:.3f}]"
