"""Nodes of the pilot model. They write to the shipped places under ``data/01_raw/pilot`` on purpose."""

import json
from typing import Any

from lang_persona.environments import Base
from lang_persona.judges import get_judge
from lang_persona.models import load_model, load_tokenizer
from lang_persona.paths import locate
from lang_persona.pilot import evaluation, questions, table, training
from lang_persona.pilot.config import parse_config
from lang_persona.pilot.corpus import load_corpus
from lang_persona.pilot.texts import build_texts
from lang_persona.recipes import recipe


@recipe(version=1)
def make_pilot_data(corpus: dict[str, str], settings: dict[str, Any], files: dict[str, str]) -> dict[str, int]:
    """Write the parallel texts and the questions that studies read."""
    config, loaded = parse_config(settings), load_corpus(locate(corpus["path"]))
    made = {
        "texts": build_texts(loaded, config.texts, config.seed),
        "questions": questions.build_questions(loaded, config.questions, config.seed),
    }
    counts = {}
    for name, rows in made.items():
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        target = locate(files[name])
        aside = target.with_suffix(".partial")
        aside.write_text("".join(lines), encoding="utf-8")
        aside.replace(target)
        counts[name] = len(lines)
    return counts


@recipe(version=1)
def train_pilot_model(
    corpus: dict[str, str], settings: dict[str, Any], files: dict[str, str], counts: dict[str, int]
) -> dict[str, Any]:
    """Train tokenizer and model; a run that was killed goes on from its last checkpoint."""
    folder = locate(files["model"])
    training.train(load_corpus(locate(corpus["path"])), parse_config(settings), folder, locate(files["checkpoints"]))
    return dict(json.loads((folder / "pilot.json").read_text(encoding="utf-8")))


@recipe(version=1)
def evaluate_pilot_model(
    corpus: dict[str, str], settings: dict[str, Any], base: dict[str, Any], judge: str, size: dict[str, int]
) -> list[dict[str, Any]]:
    """Measure directives, instructions and questions on what training never saw."""
    config, loaded = parse_config(settings), load_corpus(locate(corpus["path"]))
    chosen = Base.model_validate(base)
    model, tokenizer = load_model(chosen), load_tokenizer(chosen)
    labeller = get_judge(judge)

    def label(texts: Any) -> list[str | None]:
        return [judgement.label for judgement in labeller.judge(list(texts))]

    asked = list(questions.build_questions(loaded, config.questions, config.seed))[: size["questions"]]
    return [
        *evaluation.measure_directives(model, tokenizer, loaded, label, config.seed, size["completions"]),
        *evaluation.measure_instructions(model, tokenizer, loaded, label, config.seed, size["completions"]),
        *evaluation.measure_questions(model, tokenizer, config, asked),
    ]


@recipe(version=2)
def tabulate_pilot_model(rows: list[dict[str, Any]], base: dict[str, Any], judge: str) -> str:
    """The evaluation as the Markdown page that is committed."""
    facts = json.loads((locate(base["path"]) / "pilot.json").read_text(encoding="utf-8"))
    return table.render_table(rows, facts, judge)
