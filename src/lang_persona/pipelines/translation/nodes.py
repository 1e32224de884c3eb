"""Nodes of translation."""

import logging
from collections.abc import Sequence
from typing import Any

from lang_persona import translation
from lang_persona.completeness import require_answers
from lang_persona.errors import UserError
from lang_persona.judges import get_judge
from lang_persona.judges.base import Judgement
from lang_persona.recipes import recipe
from lang_persona.studies import Gates
from lang_persona.translators import get_translator

logger = logging.getLogger(__name__)

Rows = list[dict[str, Any]]


@recipe(version=1)
def translate_sources(sources: Rows, config: dict[str, Any]) -> Rows:
    """Translate every source into every language that the study replies in at this scale.

    Raises:
        UserError: More translations are missing than the config allows because an API did not answer; all languages
            were asked for before that, so that running again asks for the missing rows only.
    """
    if not config["languages"]:
        return []
    translator = get_translator(config["translator"])
    rows = []
    for language in config["languages"]:
        logger.info("Translating %d sources into %s", len(sources), language)
        results = translator.translate([row["text"] for row in sources], config["source_language"], language)
        rows += [
            {
                "source_id": source["source_id"],
                "source_language": config["source_language"],
                "language": language,
                "text": result.text,
                "outcome": result.outcome,
                "reason": result.reason,
                "translator": translator.name,
            }
            for source, result in zip(sources, results, strict=True)
        ]
    if "missing_at_most" in config["translator"]:
        ended = [(row["outcome"], row["reason"]) for row in rows]
        require_answers(f"translations by {translator.name}", ended, config["translator"]["missing_at_most"])
    return rows


@recipe(version=2)
def check_translations(sources: Rows, translations: Rows, config: dict[str, Any]) -> dict[str, Any]:
    """Measure the gates.

    Raises:
        UserError: The judge of leakage did not answer about more translations than its config allows.
    """
    judge = get_judge(config["judge"]["name"], config["judge"])
    leakage: dict[str, Any] | None = next(iter(config["leakage"]), None)
    ended: list[tuple[str, str]] = []

    def find_leaks(texts: Sequence[str], language: str) -> list[Judgement]:
        asked = {**(leakage or {}), "source_language": config["source_language"], "language": language}
        found = get_judge(asked["name"], asked).judge(texts)
        ended.extend((judgement.outcome, judgement.details.get("reason", "")) for judgement in found)
        return found

    checks = translation.check_translations(
        sources,
        translations,
        Gates.model_validate(config["gates"]),
        lambda texts: [judgement.label for judgement in judge.judge(texts)],
        find_leaks if leakage is not None else None,
    )
    if leakage is not None and "missing_at_most" in leakage:
        require_answers(f"{leakage['name']} on translations", ended, leakage["missing_at_most"])
    return checks


@recipe(version=1)
def skip_sources(translations: Rows) -> list[dict[str, str]]:
    """List the sources to skip in every condition."""
    return translation.make_skip_list(translations)


@recipe(version=1)
def draw_spot_check(sources: Rows, translations: Rows) -> Rows:
    """Translations for a person to read beside their sources."""
    return translation.draw_spot_check(sources, translations)


@recipe(version=2)
def require_translations(checks: dict[str, Any]) -> dict[str, bool]:
    """Stop the run, with the failing rows shown, unless every gate that was measured passed."""
    failures = translation.describe_failures(checks)
    if failures:
        raise UserError(
            f"translations do not pass their gates; nothing was trained.\n{failures}\n"
            "Mend the translations, or change translation.gates in the study file if you can defend it "
            "(for a language that takes fewer or more characters than others: translation.gates.languages)."
        )
    for gate in checks["not_measured"]:
        logger.info("Translations: gate %r was not measured: %s", gate["gate"], gate["why"])
    return {"passed": True}
