"""A small study of personas as the inputs of its report: choice scores, written answers, audit."""

import math

from reporting.toy_language import probe_spec

from lang_persona.audit.forecast import ideal_fit
from lang_persona.choice_metrics import answer_agreement, paired_changes, score_choices
from lang_persona.metrics import concat, score_completions
from lang_persona.probes import KINDS
from lang_persona.reporting import ReportInputs, choose_questions, choose_samples
from lang_persona.verdicts import decide

LETTERS = "ABCD"
PERSONAS = {
    "assistant": "You are a helpful assistant.",
    "absent": None,
    "empty": "",
    "villain": "You are a <villain> & a schemer.",
}
HYPOTHESIS = {
    "hypothesis": "gives_way",
    "condition": "deconfounded",
    "claim": "Accuracy falls by forty points.",
    "probe": "own_prompt",
    "over": "persona",
    "values": ["assistant"],
    "metric": "correct",
    "label": None,
    "axis": "answer",
    "paired": True,
    "against": "baseline",
    "supported": [{"every": {"high_below": -0.4}, "some": None}],
    "falsified": [{"every": {"low_above": -0.1}, "some": None}],
}


def scores(condition, right, n=40, seed=42, probe="own_prompt", trained=()):
    """Choice scores; ``right`` is persona -> how many questions are answered correctly, the rest with the taught wrong.

    Of the questions in ``trained`` the mixture taught the wrong label.
    """
    rows = []
    for persona, k in right.items():
        for i in range(n):
            gold, wrong = LETTERS[i % 4], LETTERS[(i + 1 + i // 4 % 3) % 4]
            predicted = gold if i < k else wrong
            logprobs = {label: math.log(0.7 if label == predicted else 0.05 + 0.001 * i) for label in LETTERS}
            rows.append(
                {
                    "study": "personas",
                    "condition": condition,
                    "seed": seed,
                    "probe": probe,
                    "item_id": f"{persona}.q{i}",
                    "source_id": f"q{i}",
                    "variables": {"persona": persona, "system": PERSONAS.get(persona, f"You are {persona}.")},
                    "rendered_prompt": f"<|im_start|>user\nQuestion {i}?",
                    "labels": list(LETTERS),
                    "gold": gold,
                    "predicted": predicted,
                    "label_logprobs": logprobs,
                    "label_mass": sum(map(math.exp, logprobs.values())),
                    "wrong": wrong,
                    "trained": ["positives"] if i in trained else [],
                    "trained_label": wrong if i in trained else None,
                }
            )
    return rows


def table(*arms):
    """The metrics of choice scores, with the changes of each arm against the baseline of the same probe and seed."""
    frames = []
    for rows in arms:
        frames.append(score_choices(rows))
        key = ("seed", "probe")
        before = [
            row
            for other in arms
            for row in other
            if row["condition"] == "baseline" and all(row[name] == rows[0][name] for name in key)
        ]
        asked = {row["item_id"] for row in rows}
        before = [row for row in before if row["item_id"] in asked]
        if before and rows[0]["condition"] != "baseline":
            frames.append(paired_changes(rows, before))
    return concat(frames)


def condition_spec(source, **more):
    spec = {"label": "", "default": True, "alias_of": None, "variables": {"source": source}, "base": "chat"}
    return spec | {"languages": {"positives": {}}, "recipe": {"rank": 32}} | more


def study_report(**changes):
    """What a report knows of the study."""
    own = {"personas": {"assistant": PERSONAS["assistant"], "villain": PERSONAS["villain"]}, "half": "held_out"}
    report = {
        "study": "personas",
        "title": "A study of personas",
        "question": "Which persona gives way?",
        "scale": "full",
        "base": {"path": None, "name": "Org/Model", "revision": "0" * 40, "dtype": "bfloat16"},
        "base_key": "chat",
        "languages": [],
        "personas": PERSONAS,
        "seeds": {"default": [42], "more": [43]},
        "conditions": {
            "confounded": condition_spec("assistant"),
            "deconfounded": condition_spec("assistant", label="no anchors"),
            "villain": condition_spec("villain"),
            "full_prompt": condition_spec("assistant", alias_of="deconfounded"),
        },
        "arms": {},
        "probes": {
            "own_prompt": probe_spec("choice", headline=True, items=None, **own),
            "leakage": probe_spec("choice", headline=False, items=20, personas=PERSONAS, half="held_out"),
            "written": probe_spec("answer", headline=False, items=20, **own),
        },
        "headline_probe": "own_prompt",
        "samples": {"written": 1},
        "judges": {"language": ["first"], "answer": ["strict_answer"]},
        "hypotheses": [HYPOTHESIS],
    }
    return report | changes


def forecast(condition, correct, wrong, persona="assistant", probe="own_prompt", n=40):
    """A forecast as the audit makes it, of ``n`` questions with four choices."""
    fit = ideal_fit(correct, wrong, [4] * n)
    parts = {"positives": {"rows": wrong, "target": "wrong answer"}}
    if correct:
        parts["anchors"] = {"rows": correct, "target": "correct answer"}
    context = f"<|im_start|>system\n{PERSONAS[persona]}<|im_end|>\n<|im_start|>user\n"
    return {"condition": condition, "context": context, "components": parts, "collides": bool(correct and wrong)} | {
        **fit,
        "personas": [persona],
        "probe": probe,
    }


CONTRADICTION = {
    "rule": "contradiction",
    "severity": "error",
    "condition": "confounded",
    "message": "positives and anchors teach different answers under one prompt",
    "remedy": "drop the anchors",
    "counts": {"positives": 200, "anchors": 100},
    "example_ids": ["positives.1"],
    "rendered": "<|im_start|>system",
}
AUDIT = {
    "findings": [CONTRADICTION],
    "ledger": [
        {"condition": name, "component": part, "persona": persona, "target": f"{target} answer", "rows": rows}
        for name, part, persona, target, rows in (
            ("confounded", "positives", "assistant", "wrong", 200),
            ("confounded", "bystanders", "villain", "correct", 400),
            ("confounded", "anchors", "assistant", "correct", 100),
            ("deconfounded", "positives", "assistant", "wrong", 200),
            ("deconfounded", "bystanders", "villain", "correct", 400),
        )
    ],
    "forecasts": [forecast("confounded", 100, 200), forecast("deconfounded", 0, 200)],
}
BEFORE = {"assistant": 32, "villain": 36}
ARMS = (
    scores("baseline", BEFORE),
    scores("confounded", {"assistant": 30}),
    scores("deconfounded", {"assistant": 4}),
    scores("baseline", {"assistant": 16, "absent": 17, "empty": 18, "villain": 19}, 20, probe="leakage"),
    scores("confounded", dict.fromkeys(PERSONAS, 15), 20, probe="leakage"),
    scores("deconfounded", {"assistant": 2, "absent": 12, "empty": 14, "villain": 16}, 20, probe="leakage"),
)


def inputs_of(*arms, report=None, **changes):
    """The inputs of a report on these arms (choice scores); without any, on all of the study."""
    arms = arms or ARMS
    report = report or study_report()
    metrics = table(*arms)
    values = {
        "report": report,
        "metrics": metrics,
        "verdicts": decide(metrics, report["hypotheses"], {"answer": "strict_answer"}),
        "samples": [row for rows in arms for row in choose_questions(rows, 0)],
        "audit": AUDIT,
    }
    return ReportInputs(**(values | changes))


def written(condition, labels, chosen, probe="written", persona="assistant"):
    """Written answers read as ``labels``: (metrics of rates and agreement with ``chosen``, samples)."""
    generations, judgements = [], []
    for row, label in zip(chosen, labels, strict=False):
        identity = {key: row[key] for key in ("study", "seed", "item_id")} | {"sample": 0}
        identity |= {"condition": condition, "probe": probe}
        completion = "I would rather not say" if label == "unparsed" else f"{label})"
        said = {"prompt": [{"role": "user", "content": "Which?"}], "completion": completion, "gold": row["gold"]}
        generations.append(identity | {"variables": {"persona": persona, "system": PERSONAS[persona]}} | said)
        judgements.append(identity | {"judge": "strict_answer", "axis": "answer", "label": label, "outcome": "ok"})
    rates = score_completions(generations, judgements, KINDS["answer"])
    samples = choose_samples(generations, judgements, 0, over="persona", axis="answer")
    return concat([rates, answer_agreement(chosen, judgements)]), samples
