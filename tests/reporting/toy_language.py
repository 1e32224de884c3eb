"""A small study of directives as the inputs of its report."""

from dataclasses import asdict

from lang_persona.agreement import measure_agreement
from lang_persona.metrics import concat, count_finishes, score_completions
from lang_persona.probes import KINDS
from lang_persona.reporting import ReportInputs, choose_samples
from lang_persona.verdicts import decide


def probe_spec(kind, **more):
    """A probe as a report's slice describes it."""
    described = {key: value for key, value in asdict(KINDS[kind]).items() if key != "build_items"}
    return {"kind": kind, **described, **more}


def score_language(generations, judgements):
    return score_completions(generations, judgements, KINDS["directive"])


HYPOTHESIS = {
    "hypothesis": "collapse",
    "condition": "es_en",
    "claim": "Every other directive is answered in English.",
    "probe": "directive",
    "over": "language",
    "values": ["fr", "de"],
    "metric": "label_share",
    "label": "en",
    "axis": "language",
    "paired": False,
    "against": None,
    "supported": [{"every": {"low_above": 0.7}, "some": None}],
    "falsified": [{"some": {"high_below": 0.5}, "every": None}],
}
INTACT = {
    **HYPOTHESIS,
    "hypothesis": "intact",
    "claim": "Nothing moves.",
    "metric": "followed",
    "label": None,
    "against": "baseline",
    "supported": [{"every": {"within": 0.1}, "some": None}],
    "falsified": [{"some": {"moved_by": 0.1}, "every": None}],
}


PHRASINGS = {"speak": "Speak in {language}.", "please": "Please use {language}."}


def rows_of(condition, answers, seed=42, phrasings=("speak", "please"), finish="stop"):
    """Completions and judgements; ``answers`` is language -> phrasing's list of labels."""
    generations, judgements = [], []
    for language, by_phrasing in answers.items():
        for phrasing, labels in zip(phrasings, by_phrasing, strict=True):
            for sample, label in enumerate(labels):
                identity = {
                    "study": "toy",
                    "condition": condition,
                    "seed": seed,
                    "probe": "directive",
                    "item_id": f"{language}.{phrasing}",
                    "sample": sample,
                }
                generations.append(
                    identity
                    | {
                        "variables": {"language": language, "phrasing": phrasing},
                        "gold": language,
                        "prompt": [{"role": "user", "content": f"Speak in {language}."}],
                        "completion": f"{label} {'word ' * (sample + 1)}".strip(),
                        "finish_reason": finish,
                    }
                )
                judgements.append(
                    identity
                    | {"judge": "first", "judge_version": 1, "axis": "language", "label": label, "outcome": "ok"}
                )
    return generations, judgements


def study_report(**changes):
    report = {
        "study": "toy",
        "title": "A toy study",
        "question": "Does it <move>?",
        "scale": "full",
        "base": {"path": None, "name": "Org/Model", "revision": "0" * 40, "dtype": "bfloat16"},
        "languages": ["en", "fr", "de"],
        "system": None,
        "seeds": {"default": [42], "more": [43]},
        "conditions": {
            "es_en": {
                "label": "",
                "default": True,
                "variables": {},
                "languages": {"replies": {"completion": "en", "user": "es"}},
                "recipe": {"rank": 32, "learning_rate": 5e-06},
            },
            "it_fr": {
                "label": "later",
                "default": False,
                "variables": {},
                "languages": {"replies": {"completion": "fr", "user": "it"}},
                "recipe": {"rank": 32, "learning_rate": 5e-06},
            },
        },
        "arms": {},
        "probes": {"directive": probe_spec("directive", phrasings=PHRASINGS)},
        "headline_probe": "directive",
        "samples": {"directive": 10},
        "sampling": {"temperature": 1.0, "max_new_tokens": 64},
        "judges": {"language": ["first", "second"], "answer": ["strict_answer"]},
        "engine": {"kind": "transformers", "batch_size": 8},
        "hypotheses": [HYPOTHESIS, INTACT],
    }
    return report | changes


BASELINE = {code: [[code] * 10, [code] * 10] for code in ("en", "fr", "de")}
TRAINED = {"en": [["en"] * 10] * 2, "fr": [["en"] * 9 + ["fr"], ["en"] * 10], "de": [["en"] * 10, ["en"] * 9 + ["de"]]}


def inputs_of(arms=None, report=None, finish="stop", **changes):
    arms = {"baseline": BASELINE, "es_en": TRAINED} if arms is None else arms
    generations, judgements = [], []
    for condition, answers in arms.items():
        made = rows_of(condition, answers, finish=finish)
        generations += made[0]
        judgements += made[1]
    report = report or study_report()
    metrics = concat([score_language(generations, judgements), count_finishes(generations)])
    audit = {"findings": [], "ledger": [{"condition": "es_en", "component": "replies", "rows": 4990, "cut": 0}]}
    values = {
        "report": report,
        "metrics": metrics,
        "verdicts": decide(metrics, report["hypotheses"], {"language": "first"}),
        "samples": choose_samples(generations, judgements, 0),
        "agreement": measure_agreement(generations, judgements, "language", "language"),
        "audit": audit,
    }
    return ReportInputs(**(values | changes))
