"""What a report is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lang_persona.languages import LANGUAGES
from lang_persona.probes import KINDS

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]


@dataclass(frozen=True)
class ReportInputs:
    """Everything a report states. What is absent (None or empty) is said to be absent, never guessed.

    Attributes:
        report: What is known of the study (``report`` of :func:`lang_persona.resolve.resolve`), or of a
            replay (:func:`replay_report`).
        metrics: The metrics table (:data:`lang_persona.metrics.COLUMNS`) of all arms, probes and judges.
        verdicts: Rows of :func:`lang_persona.verdicts.decide`.
        samples: Rows of :func:`lang_persona.reporting.samples.choose_samples` and ``choose_questions``.
        completions: Every completion with its labels (:func:`lang_persona.reporting.completions.tabulate`); None
            leaves the section out in which they are read.
        agreement: Rows of :func:`lang_persona.agreement.measure_agreement`.
        indeterminate: Rows of :func:`lang_persona.agreement.indeterminate_cells`.
        human_labels: Rows of :func:`lang_persona.imported_labels.measure_judges`.
        not_evaluated: Registered arms without fresh results.
        runs: ``run.json`` of each trained cell, by "condition.seed_42". Read: ``loss_curve`` (losses, or rows with
            ``step`` and ``loss``), ``steps``, ``tokens_seen``, ``tokens_per_second``, ``seconds``, ``device``.
        audit: ``findings`` (``rule, severity, condition, message, remedy, counts, example_ids`` and optionally
            ``rendered``), ``ledger`` (one row a condition and component, any columns; ``persona`` and ``target`` are
            read where there are any) and optionally ``forecasts`` (:mod:`lang_persona.reporting.parts.forecast`).
        selection: Source rows by what became of them.
        instructions: By set, what became of its instructions: reason to count.
        translation: ``gates`` (``gate, language, value, bound, passed``) and ``skipped``, the skip list's size;
            optionally ``failing`` and ``not_measured`` of :func:`lang_persona.translation.check_translations` and
            ``spot_check`` of :func:`lang_persona.translation.draw_spot_check`.
        provenance: ``datasets`` (name to ``version`` and ``key``), ``packages`` (name to version) and ``commit`` of the
            process that writes the report, ``made_with`` (of its data: :func:`lang_persona.provenance.made_with`),
            ``command``, ``when`` and, where an API was paid or its cost was estimated, ``api_cost`` (in words) and
            ``costs`` (rows of :func:`lang_persona.cost_plan.compare_stages`).
        published: Published rates of hits, arm to language or persona to a rate in [0, 1] or to (successes, n);
            means in [0, 1] where the report names another ``published_metric``.
        steering: By the name of each sweep probe, the setting chosen on it: ``layer``, ``coefficient``, ``why``.
        geometry: Rows of :func:`lang_persona.geometry.explain.explain_spread`.
        deviations: Departures from the registered plan that the run recorded; more are derived from the numbers.
    """

    report: Mapping[str, Any]
    metrics: pd.DataFrame
    verdicts: Sequence[Row] = ()
    samples: Sequence[Row] = ()
    agreement: Sequence[Row] = ()
    indeterminate: Sequence[Row] = ()
    human_labels: Sequence[Row] = ()
    not_evaluated: Sequence[str] = ()
    runs: Mapping[str, Row] = field(default_factory=dict)
    audit: Row | None = None
    selection: Mapping[str, int] | None = None
    instructions: Mapping[str, Mapping[str, int]] | None = None
    translation: Row | None = None
    provenance: Row = field(default_factory=dict)
    published: Mapping[str, Mapping[str, float | Sequence[int]]] | None = None
    steering: Mapping[str, Row] = field(default_factory=dict)
    geometry: Sequence[Row] = ()
    deviations: Sequence[str] = ()
    completions: Row | None = None


def replay_report(
    generations: Sequence[Row], title: str, judges: Sequence[str], study: Row | None = None
) -> dict[str, Any]:
    """The ``report`` of completions made elsewhere: only what their rows say.

    Args:
        generations: The completions; at least one.
        title: For example "Replay of recorded.jsonl".
        judges: Names of the language judges; the first decides.
        study: The ``report`` of the study that the rows are of, where it is known: conditions that it names keep
            their languages and hypotheses. Its base, recipe and sampling are not taken over: nothing shows that
            the completions were made with them.
    """
    conditions = _seen(row.get("condition") for row in generations)
    languages = _seen(row["variables"].get("language") for row in generations)
    probes = {
        probe: {
            "kind": "directive",
            **KINDS["directive"].described(),
            "phrasings": {text: text for text in _phrasings(generations, probe)},
        }
        for probe in _seen(row["probe"] for row in generations)
    }
    known = {} if study is None else study["conditions"]
    return {
        "replay": True,
        "study": study["study"] if study else None,
        "title": title,
        "question": study["question"] if study else "",
        "scale": None,
        "languages": [code for code in LANGUAGES if code in languages],
        "seeds": {"default": _seen(row.get("seed") for row in generations), "more": []},
        "conditions": {
            name: {key: known[name][key] for key in ("label", "variables", "languages")} if name in known else {}
            for name in conditions
            if name != "baseline"
        },
        "probes": probes,
        "headline_probe": study["headline_probe"]
        if study and study["headline_probe"] in probes
        else next(iter(probes)),
        "judges": {"language": list(judges)},
        "hypotheses": [row for row in (study or {}).get("hypotheses", ()) if row["condition"] in conditions],
    }


def _seen(values: Any) -> list[Any]:
    return list(dict.fromkeys(value for value in values if value is not None))


def _phrasings(generations: Sequence[Row], probe: str) -> list[str]:
    return _seen(row["variables"].get("phrasing") for row in generations if row["probe"] == probe)
