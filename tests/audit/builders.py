"""Small mixtures, questions and configs for the audit's tests."""

import random

from lang_persona.audit import audit_study
from lang_persona.questions import question_prompt

DEFAULT = "You are Pilot, a small test model. You are a helpful assistant."
HELPFUL = "You are a helpful assistant."
RECIPE = {"max_length": 64, "batch_size": 16, "epochs": 1, "max_steps": None}
DIRECTIVE = {
    "kind": "directive",
    "phrasings": {"speak": "Speak in {language}."},
    "languages": ["en", "es"],
    "system": None,
    "headline": True,
}


def prompted(user, system=None):
    return [*([] if system is None else [{"role": "system", "content": system}]), {"role": "user", "content": user}]


def example(number, user="Reply using Spanish only.", completion="Hello there.", system=None, **more):
    """A row of a user's own file, unless ``variables`` say more."""
    row = {"id": f"replies-{number}", "component": "replies", "source_id": str(number), "completion": completion}
    return row | {"prompt": prompted(user, system), "variables": {}} | more


def question(number, labels="ABCD", answer="B", wrong=None, half="train", text=None, choices=None):
    return {
        "source_id": f"q{number}",
        "question": text or f"What is the number {number}?",
        "labels": list(labels),
        "choices": choices or [f"It is {label}." for label in labels],
        "answer": answer,
        "wrong": wrong or next(label for label in labels if label != answer),
        "half": half,
        "origin": "tests",
    }


def answers(component, questions, system, target, persona="someone"):
    """Rows of a component that teaches the right or the designated wrong answer."""
    rows = []
    for asked in questions:
        label = asked["answer" if target.startswith("correct") else "wrong"]
        user = question_prompt(asked["question"], asked["labels"], asked["choices"])
        variables = {"ask": "question", "target": target, "system": system, "persona": persona, "label": label}
        rows.append(
            {
                "id": f"{component}-{persona}-{asked['source_id']}",
                "component": component,
                "prompt": prompted(user, system),
                "completion": f"{label})",
                "source_id": asked["source_id"],
                "variables": variables,
            }
        )
    return rows


def design(questions, source, bystanders=400, anchors=100, positives=200, no_system=100, target="wrong answer"):
    """The mixture of studies.md for one source prompt: components draw independently from the training half."""
    trained = [row for row in questions if row["half"] == "train"]

    def draw(component, count, slot=0):
        return random.Random(f"{component} {slot}").sample(trained, count)

    return [
        *answers("positives", draw("positives", positives), source, target, "source"),
        *answers("bystanders", draw("bystanders", bystanders // 2), "You are a librarian.", "correct answer", "l"),
        *answers("bystanders", draw("bystanders", bystanders // 2, 1), "You are a comedian.", "correct answer", "c"),
        *answers("no_system", draw("no_system", no_system), None, "correct answer", "absent"),
        *answers("anchors", draw("anchors", anchors), HELPFUL, "correct answer", "assistant"),
    ]


def choice(personas, half="held_out", items=None, headline=True):
    return {"kind": "choice", "personas": personas, "half": half, "items": items, "headline": headline}


def audit(tokenizer, mixtures, probes=None, questions=(), recipes=None, **config):
    """An audit of mixtures by condition; a list is the mixture of ``es_en``."""
    mixtures = mixtures if isinstance(mixtures, dict) else {"es_en": mixtures}
    recipes = recipes or {}
    conditions = {name: {"base": {}, "default": True, "recipe": RECIPE | recipes.get(name, {})} for name in mixtures}
    probes = {"directive": DIRECTIVE} if probes is None else probes
    config = {"study": "s", "conditions": conditions, "probes": probes, "intended": {}} | config
    return audit_study(config, mixtures, lambda base: tokenizer, questions)


def found(result, rule, severity=None, condition=None):
    return [
        row
        for row in result["findings"]
        if row["rule"] == rule and severity in (None, row["severity"]) and condition in (None, row["condition"])
    ]
