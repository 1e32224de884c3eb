"""What a study will ask Claude and what that will cost: from rows that exist, and stand-ins for those that don't."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lang_persona.claude.ask import ask_first, estimate_cost
from lang_persona.claude.cache import Cache
from lang_persona.claude.config import Sending
from lang_persona.claude.cost import OFFLINE_BYTES_PER_TOKEN, Estimate, note
from lang_persona.claude.models import AS_OF
from lang_persona.claude.requests import Job
from lang_persona.claude.secrets import VARIABLE, has_key
from lang_persona.judges import get_judge, judge_asks
from lang_persona.judges.claude import ClaudeJudge
from lang_persona.judging import request_of
from lang_persona.translators import get_translator
from lang_persona.translators.claude import ClaudeTranslator

logger = logging.getLogger(__name__)
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """A job that a run would ask.

    Attributes:
        what: In words, for example "into it".
        job: What would be asked.
        supposed: Why its texts are stand-ins of the right length; "" where they are the real ones.
    """

    what: str
    job: Job
    supposed: str = ""


@dataclass(frozen=True)
class Drawn:
    """Completions of one probe by one arm, as far as they are known.

    Attributes:
        rows: The completions; None where none were drawn yet.
        requests: What each completion of a full run answers.
        most_tokens: Most tokens of a completion.
    """

    rows: Sequence[Row] | None
    requests: Sequence[str]
    most_tokens: int


def plan_translation(config: Row, sources: Sequence[Row], translations: Sequence[Row] | None) -> list[Plan]:
    """Translations into every language, and the judge of leakage (gate c) on them.

    Args:
        config: What the translation nodes read: ``translating`` and ``checking``.
        sources: The source rows.
        translations: The translation rows; None where nothing is translated yet: sources then stand in for them.
    """
    plans = []
    texts = [row["text"] for row in sources]
    asked, source_language = config["translating"]["translator"], config["translating"]["source_language"]
    translator = get_translator(asked) if asked["kind"] == "claude" else None
    for language in config["translating"]["languages"]:
        if isinstance(translator, ClaudeTranslator):
            plans.append(Plan(f"into {language}", translator.job(texts, source_language, language)))
    for judge in config["checking"]["leakage"]:
        for language in config["translating"]["languages"]:
            made = [row["text"] for row in translations or () if row["language"] == language and row["text"]]
            checker = get_judge(judge["name"], {**judge, "source_language": source_language, "language": language})
            if isinstance(checker, ClaudeJudge):
                supposed = "" if made else "not translated yet: the sources stand in"
                plans.append(Plan(f"leaks in {language}", checker.job(made or texts), supposed))
    return plans


def plan_judging(probes: Iterable[tuple[Sequence[Row], Sequence[Drawn]]]) -> list[Plan]:
    """One plan a Claude judge for all completions that exist, and one for those that do not.

    Args:
        probes: For every probe its judges, as judging nodes read them, and its completions by arm.
    """
    real: dict[str, tuple[Row, list[str], list[str]]] = {}
    absent: dict[str, tuple[Row, list[str], list[str]]] = {}
    for judges, arms in probes:
        for config in judges:
            if judge_asks(config["name"]) != "claude":
                continue
            name = config["name"]
            for number, drawn in enumerate(arms):
                texts, requests = real.setdefault(name, (config, [], []))[1:]
                if drawn.rows is not None:
                    texts += [row["completion"] for row in drawn.rows]
                    requests += [request_of(row) for row in drawn.rows]
                    continue
                texts, requests = absent.setdefault(name, (config, [], []))[1:]
                length = _length(arms, drawn.most_tokens)
                # Rows of one text would share an answer, so each stand-in is another.
                texts += [f"{number} {len(texts) + place} ".ljust(length, "x") for place in range(len(drawn.requests))]
                requests += drawn.requests
    plans = []
    for supposed, found in (
        ("", real),
        ("not drawn yet: stand-ins of the length known or the longest allowed", absent),
    ):
        for config, texts, requests in found.values():
            judge = get_judge(config["name"], config)
            if texts and isinstance(judge, ClaudeJudge):
                plans.append(Plan("completions", judge.job(texts, requests), supposed))
    return plans


def _length(arms: Sequence[Drawn], most_tokens: int) -> int:
    """Bytes of a stand-in: the mean of what other arms drew for the probe, else the longest that may be drawn."""
    known = [len(row["completion"].encode()) for drawn in arms for row in drawn.rows or ()]
    return round(sum(known) / len(known)) if known else round(most_tokens * OFFLINE_BYTES_PER_TOKEN)


def estimate_plans(study: str, plans: Sequence[Plan], sending: Sending, first_batch: int = 0) -> dict[str, Any]:
    """Estimates of plans and their sum; tokens of real rows are counted by the API where there is a key.

    They are also kept beside the ledger, so that a report can compare them with what was used.

    Args:
        study: Whose plans these are.
        plans: What a run would ask.
        sending: How it would be sent.
        first_batch: Rows of every plan with real texts that are asked (and paid) first, to measure output on them.

    Returns:
        ``study, prices_as_of, counted, mode, estimates`` (rows of :class:`Estimate` with ``what`` and ``supposed``),
        ``total_usd`` (``value, low, high``: bounds are added, as all may err the same way), ``budget_usd, spent_usd``.
    """
    counted = has_key()
    rows = []
    for plan in plans:
        if first_batch and not plan.supposed:
            ask_first(plan.job, sending, first_batch)
    for plan in plans:
        found = estimate_cost(plan.job, sending, count=counted and not plan.supposed)
        if plan.supposed:
            found = replace(found, input_basis=f"{plan.supposed}; {found.input_basis}")
        logger.info("%s, %s", plan.what, found)
        rows.append({"what": plan.what, "supposed": plan.supposed, **found.as_row()})
    total = {part: sum(row["usd"][part] for row in rows) for part in ("value", "low", "high")}
    with Cache(Path(sending.cache)) as cache:
        note(rows, cache)
        spent = cache.spent()
    _announce(study, total, sending, spent, counted)
    return {
        "study": study,
        "prices_as_of": AS_OF.isoformat(),
        "counted": counted,
        "mode": sending.mode,
        "estimates": rows,
        "total_usd": total,
        "budget_usd": sending.budget_usd,
        "spent_usd": spent,
    }


def _announce(study: str, total: Mapping[str, float], sending: Sending, spent: float, counted: bool) -> None:
    how = "counted by the API" if counted else f"not counted, since {VARIABLE} is not set"
    logger.info(
        "%s: $%.2f (95%% $%.2f to $%.2f) by prices of %s, sent as %s; input tokens %s; budget $%.2f, spent $%.2f",
        *(study, total["value"], total["low"], total["high"], AS_OF, sending.mode, how, sending.budget_usd, spent),
    )
    if spent + total["high"] > sending.budget_usd:
        logger.warning(
            "%s may reach its budget: $%.2f spent and up to $%.2f to come, of $%.2f (claude.sending.budget_usd). A run "
            "stops before it is passed, and goes on from there once it is raised",
            *(study, spent, total["high"], sending.budget_usd),
        )


def actual_usage(study: str, estimates: Sequence[Row], sending: Sending) -> dict[str, Any]:
    """What the ledger says was used by a study, stage by stage, beside what is still expected.

    Returns:
        ``stages``: rows ``stage, model, answers, input_tokens, output_tokens, usd, expected_usd`` (of what is still to
        be asked, with ``expected_low`` and ``expected_high``); ``ledger``: its rows by prompt version, mode and
        outcome; ``usd``: their sum.
    """
    with Cache(Path(sending.cache)) as cache:
        ledger = [row for row in cache.usage() if row["stage"].startswith(f"{study}.")]
    stages: dict[tuple[str, str], dict[str, Any]] = {}
    for row in [*ledger, *estimates]:
        empty = {"answers": 0, "input_tokens": 0, "output_tokens": 0, "usd": 0.0}
        expected = {"expected_usd": 0.0, "expected_low": 0.0, "expected_high": 0.0}
        key = {"stage": row["stage"], "model": row["model"]}
        stage = stages.setdefault((row["stage"], row["model"]), {**key, **empty, **expected})
        if isinstance(row["usd"], Mapping):
            for name, part in zip(expected, ("value", "low", "high"), strict=True):
                stage[name] += row["usd"][part]
        else:
            for name in empty:
                stage[name] += row[name]
    return {"stages": list(stages.values()), "ledger": ledger, "usd": sum(row["usd"] for row in ledger)}


__all__ = ["Drawn", "Estimate", "Plan", "actual_usage", "estimate_plans", "plan_judging", "plan_translation"]
