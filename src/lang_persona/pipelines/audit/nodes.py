"""Nodes of the mixtures and their audit."""

import logging
from collections.abc import Sequence
from functools import cache
from textwrap import shorten
from typing import Any

from lang_persona.audit import audit_file, audit_study, blocking, describe, load_tokenizer_folder
from lang_persona.audit.base import listed
from lang_persona.environments import Base
from lang_persona.errors import UserError
from lang_persona.mixtures import build_examples
from lang_persona.models import load_tokenizer
from lang_persona.recipes import recipe, value_key
from lang_persona.studies import Component, FileComponent

logger = logging.getLogger(__name__)

#: Conditions that a warning names, and characters of what was found; reports have all.
NAMED, WARNED = 5, 300


@recipe(version=2)
def build_mixture(
    config: dict[str, Any],
    sources: Sequence[dict[str, Any]] = (),
    translations: Sequence[dict[str, Any]] = (),
    skip_list: Sequence[dict[str, str]] = (),
    gate: dict[str, bool] | None = None,
    questions: Sequence[dict[str, Any]] = (),
    instructions: Sequence[dict[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Examples of one condition; see :mod:`lang_persona.mixtures`. A study gives what it has."""
    components = {
        name: FileComponent.model_validate(part) if "file" in part else Component.model_validate(part)
        for name, part in config["components"].items()
    }
    skipped = {row["source_id"] for row in skip_list}
    language = config.get("source_language", "")
    return build_examples(components, sources, translations, skipped, language, questions, instructions)


@recipe(version=2)
def audit_mixtures(config: dict[str, Any], **given: list[dict[str, Any]]) -> dict[str, Any]:
    """Audit every condition's mixture as its chat template renders it; ``given`` are mixtures and what probes ask."""

    @cache
    def by_key(key: str) -> Any:
        return load_tokenizer(bases[key])

    bases: dict[str, Base] = {}

    def tokenizer_of(base: Any) -> Any:
        key = value_key(base)
        bases[key] = Base.model_validate(base)
        return by_key(key)

    examples = {name: given[name] for name in config["conditions"]}
    return audit_study(config, examples, tokenizer_of, given.get("questions", ()), given.get("instructions", ()))


@recipe(version=1)
def require_audit(audit: dict[str, Any], config: dict[str, Any]) -> dict[str, bool]:
    """Stop the run on error findings that the study does not intend."""
    findings = blocking(audit, config["intended"])
    if findings:
        lines = [
            f"  {row['condition'] or config['study']}: {row['rule']}: {row['message']}. Remedy: {row['remedy']}"
            for row in findings
        ]
        raise UserError(
            f"the audit of {config['study']} found {len(findings)} error(s); nothing was trained.\n"
            + "\n".join(lines)
            + "\nIf a finding is what the study is about, list its rule under 'intended' in the study file."
        )
    for rule in dict.fromkeys(row["rule"] for row in audit["findings"] if row["severity"] == "warning"):
        rows = [row for row in audit["findings"] if row["rule"] == rule]
        message = shorten(rows[0]["message"], WARNED, placeholder=" ... (whole in mixture_audit.json)")
        logger.warning("Audit of %s, %s%s: %s. %s", config["study"], rule, _where(rows), message, rows[0]["remedy"])
    return {"passed": True}


def _where(rows: Sequence[dict[str, Any]]) -> str:
    """Conditions that a rule warns of, as far as a line holds them; "" for the study itself."""
    names = list(dict.fromkeys(row["condition"] for row in rows if row["condition"]))
    if not names:
        return ""
    what = listed(names) if len(names) <= NAMED else f"{len(names)} conditions"
    return f" in {what}" + ("; for one" if len(rows) > 1 else "")


@recipe(version=1)
def audit_outside(config: dict[str, Any]) -> dict[str, Any]:
    """Audit a mixture made elsewhere with any tokenizer; without one named there is nothing to find."""
    if config["mixture_file"] is None:
        return {"findings": [], "ledger": [], "forecasts": []}
    if config["tokenizer"] is None:
        raise UserError(
            "name the tokenizer that the mixture is for, a folder: kedro run --pipelines audit_file "
            "--params mixture_file=<rows.jsonl>,tokenizer=<folder>"
        )
    tokenizer = load_tokenizer_folder(config["tokenizer"], config["system_role"] == "in_user_turn")
    return audit_file(config["mixture_file"], tokenizer)


@recipe(version=1)
def require_outside(audit: dict[str, Any], config: dict[str, Any]) -> dict[str, bool]:
    """Show what was found in a mixture made elsewhere, and fail on errors."""
    if config["mixture_file"] is None:
        logger.info("No mixture_file was named, so no mixture made elsewhere was audited")
        return {"passed": True}
    errors = blocking(audit, {})
    logger.info("Audit of %s:\n%s", config["mixture_file"], describe(audit))
    if errors:
        raise UserError(f"{len(errors)} error(s) in {config['mixture_file']}, shown above with their remedies")
    return {"passed": True}
