"""Nodes of translation."""

import logging
from typing import Any

from lang_persona import translation
from lang_persona.errors import UserError
from lang_persona.judges import get_judge
from lang_persona.recipes import recipe
from lang_persona.studies import Gates
from lang_persona.translators import get_translator

logger = logging.getLogger(__name__)


@recipe(version=1)
def translate_sources(sources: list[dict[str, Any]], config: dict[str, Any]) -> list[dict[str, Any]]:
    """Translate every source into every language that the study replies in at this scale."""
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
    return rows


@recipe(version=1)
def check_translations(
    sources: list[dict[str, Any]], translations: list[dict[str, Any]], config: dict[str, Any]
) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Measure the gates, and list the sources to skip in every condition."""
    judge = get_judge(config["judge"]["name"])
    checks = translation.check_translations(
        sources,
        translations,
        Gates.model_validate(config["gates"]),
        lambda texts: [judgement.label for judgement in judge.judge(texts)],
    )
    return checks, translation.make_skip_list(translations)


@recipe(version=1)
def require_translations(checks: dict[str, Any]) -> dict[str, bool]:
    """Stop the run, with the failing rows shown, unless every gate passed."""
    failures = translation.describe_failures(checks)
    if failures:
        raise UserError(
            f"translations do not pass their gates; nothing was trained.\n{failures}\n"
            "Mend the translations, or change translation.gates in the study file if you can defend it."
        )
    return {"passed": True}
