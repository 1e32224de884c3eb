"""A condition as it stands behind a run: adapter, mixture, completions, judgements, metrics."""

import json

import pytest

from lang_persona import metrics
from lang_persona.datasets import Adapter
from lang_persona.probes import KINDS


@pytest.fixture
def publishing():
    return {"namespace": None, "prefix": "lang-persona", "private": True, "licence": "apache-2.0"}


def material(licence="mit", redistribute=True, **own):
    return {"origin": "somebody/texts@0123", "dataset": None, "licence_name": licence, "link": None,
            "redistribute": redistribute, **own}  # fmt: skip


@pytest.fixture
def config():
    """A condition of two components, asked for directives and for instructions."""
    common = {"within": None, "judge": "robust_language"}
    return {
        "study": "small",
        "condition": "es_en",
        "title": "A small study",
        "question": "Does | anything change?",
        "label": "",
        "variables": {"directive": "es"},
        "scale": "pilot",
        "base": {"path": None, "name": "Qwen/Qwen2.5-0.5B-Instruct", "revision": "7" * 40, "dtype": "bfloat16",
                 "system_role": "required", "quantize": "nf4", "terms": "apache-2.0"},
        "languages": ["en"],
        "materials": {"sources": material(dataset="somebody/texts"), "instructions.ordinary.ru": material("cc-by-4.0")},
        "components": {"replies": ["sources"], "capitals": ["instructions.ordinary.ru"]},
        "probes": {
            "directive": {"kind": "directive", "over": "language", "within": "phrasing", "hit": "followed",
                          "judge": "robust_language", "prompts": {}},
            "capitals": {**common, "kind": "capitals", "over": "language", "hit": "capitals", "judge": "letter_case",
                         "prompts": {"ru": "instructions.ordinary.ru"}},
        },
        "headline_probe": "directive",
    }  # fmt: skip


def completion(condition, probe, language, number, text):
    return {
        "study": "small", "condition": condition, "seed": 42, "probe": probe, "item_id": f"{language}-{number}",
        "sample": 0, "variables": {"language": language, "phrasing": "speak"}, "gold": language,
        "prompt": [{"role": "user", "content": "THE PROMPT"}], "rendered_prompt": "THE PROMPT", "completion": text,
    }  # fmt: skip


def judged(row, judge, axis, label):
    return {**{key: row[key] for key in ("study", "condition", "seed", "probe", "item_id", "sample")}, "judge": judge,
            "judge_version": 1, "axis": axis, "label": label, "outcome": "ok", "details": {}}  # fmt: skip


@pytest.fixture
def made(tmp_path):
    """What a run made of the condition: 3 of 4 Spanish directives followed before, 1 of 4 after."""
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "/home/me/models/x", "r": 2}))
    run = {
        "recipe": {"rank": 2, "target_modules": ["q_proj", "v_proj"]},
        "rows": 3,
        "steps": 2,
        "tokens_seen": 60,
        "seconds": 1.5,
        "device": "cpu",
        "loss_curve": [{"step": 1, "loss": 2.5}, {"step": 2, "loss": 1.25}],
    }
    frames = []
    for condition, right in (("baseline", 3), ("es_en", 1)):
        drawn = [completion(condition, "directive", "es", number, f"text {number}") for number in range(4)]
        labels = [
            judged(row, "robust_language", "language", "es" if n < right else "en") for n, row in enumerate(drawn)
        ]
        frames.append(metrics.score_completions(drawn, labels, KINDS["directive"]))
        rows = {"generations": drawn, "judgements": labels}  # the last are the condition's
    asked = [completion("es_en", "capitals", "ru", number, "ТЕКСТ") for number in range(2)]
    examples = [
        {"id": f"{component}-{number}", "component": component, "prompt": [{"role": "user", "content": "x"}],
         "completion": f"TEXT OF {component}", "source_id": str(number), "variables": {}}
        for component in ("replies", "capitals") for number in range(2)
    ]  # fmt: skip
    provenance = {
        "commit": "c0ffee",
        "environment": "laptop",
        "packages": {"torch": "2.13.0"},
        "made_with": {"torch": ["2.11.0", "2.12.0"], "commit": ["decade"]},
        "datasets": {
            "small.es_en.examples": {"version": "2026-01-01", "key": "abc123"},
            "small.fr_it.examples": {"version": "2026-01-01", "key": "def456"},
        },
    }
    return {
        "adapters": {42: Adapter(folder, run)},
        "examples": examples,
        "rows": {
            **{(42, "directive", kind): (lambda kind=kind: rows[kind]) for kind in rows},
            (42, "capitals", "generations"): lambda: asked,
        },
        "metrics": frames,
        "provenance": provenance,
    }
