"""The authored corpus, and what is built from it."""

from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
import yaml

from lang_persona.errors import UserError
from lang_persona.languages import LANGUAGES
from lang_persona.pilot.config import KINDS, parse_config
from lang_persona.pilot.conversations import build_conversations
from lang_persona.pilot.corpus import CODES, load_corpus
from lang_persona.pilot.questions import LETTERS, build_questions, is_held_out
from lang_persona.pilot.texts import build_texts
from lang_persona.questions import question_prompt

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "data/01_raw/pilot/corpus"


@pytest.fixture(scope="module")
def config():
    return parse_config(yaml.safe_load((ROOT / "conf/base/parameters_pilot_model.yml").read_text())["pilot"])


@pytest.fixture(scope="module")
def corpus():
    return load_corpus(FOLDER)


@pytest.fixture(scope="module")
def conversations(corpus, config):
    return list(build_conversations(corpus, config, 20_000, "test"))


@pytest.fixture(scope="module")
def facts(corpus):
    """The right choice of every question, by its text without the first letter, whose case differs."""
    return {
        template.format(subject=s)[1:]: v
        for f in corpus.families
        for v, subjects in f.values.items()
        for s in subjects
        for template in f.questions
    }


def test_settings_that_are_wrong_are_named(config):
    settings = config.model_dump()
    settings["training"]["learning_rat"] = 1
    with pytest.raises(UserError, match=r"pilot\.training\.learning_rat"):
        parse_config(settings)


def _copy(tmp_path, name, edit):
    for path in [*FOLDER.glob("*.yml"), FOLDER / "topics/sea.yml"]:
        target = tmp_path / path.relative_to(FOLDER)
        target.parent.mkdir(exist_ok=True)
        target.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    path = tmp_path / name
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    edit(content)
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "edit", "message"),
    [
        ("slots.yml", lambda c: c["name"][0].pop("nl"), "slots.yml: name.0: needs exactly the languages"),
        ("topics/sea.yml", lambda c: c["sentences"][0].pop("nl"), "sea.yml: sentences.0: needs exactly"),
        (
            "topics/sea.yml",
            lambda c: c["sentences"][0].update(de="{name} {plaats}."),
            "sea.yml: sentences.0.de: its slots",
        ),
        ("topics/sea.yml", lambda c: c.update(kind="odd"), "sea.yml: kind 'odd'; allowed"),
        ("directives.yml", lambda c: c["english"]["trained"].append("Speak."), "directives.yml: english.trained"),
        ("facts.yml", lambda c: c["families"]["color"].pop("questions"), "facts.yml: families.color"),
        ("capitals.yml", lambda c: c.pop("ru"), "capitals.yml: needs exactly"),
    ],
)
def test_mistakes_are_named_with_file_and_key(tmp_path, name, edit, message):
    _copy(tmp_path, name, edit)
    with pytest.raises(UserError) as error:
        load_corpus(tmp_path)
    assert message in str(error.value)


def test_texts_are_parallel_distinct_and_repeatable(corpus, config):
    rows = list(build_texts(corpus, config.texts, config.seed))
    assert Counter(row["kind"] for row in rows) == {"ordinary": 1200, "mischief": 240}
    assert len({row["text_id"] for row in rows}) == len({row["texts"]["en"] for row in rows}) == 1440
    for row in rows:
        assert set(row["texts"]) == set(row["instructions"]) == set(LANGUAGES)
        assert len(row["texts"]["en"]) >= 40
        assert all(text and text[0] == text[0].upper() and "{" not in text for text in row["texts"].values())
    assert rows[:50] == list(islice(build_texts(corpus, config.texts, config.seed), 50))


def test_questions_are_held_out_distinct_and_balanced(corpus, config, facts):
    rows = list(build_questions(corpus, config.questions, config.seed))
    assert len(rows) == len({row["question"] for row in rows}) == 1172
    sizes = Counter(len(row["choices"]["text"]) for row in rows)
    assert set(sizes) == {3, 4, 5} and sizes[4] > 1000
    gold = Counter(row["answerKey"] for row in rows if len(row["choices"]["text"]) == 4)
    assert max(gold.values()) - min(gold.values()) <= 1
    for row in rows:
        choices = dict(zip(row["choices"]["label"], row["choices"]["text"], strict=True))
        assert choices[row["answerKey"]] == facts[row["question"][1:]]
        assert len(set(choices.values())) == len(choices)
        assert is_held_out(row["question"], row["choices"]["text"], config.questions.held_out_one_in)


def test_training_never_shows_what_is_held_out(corpus, config, conversations):
    prompts = {row["messages"][-2]["content"] for row in conversations}
    for row in build_questions(corpus, config.questions, config.seed):
        group = row["choices"]["label"]
        assert question_prompt(row["question"], group, row["choices"]["text"]) not in prompts
    for prompt in prompts:
        if prompt.endswith("The correct answer is ("):
            question, lines, _ = prompt.split("\n\n")
            choices = [line[4:] for line in lines.split("\n")]
            assert not is_held_out(question, choices, config.questions.held_out_one_in)
    users = "\n".join(prompts)
    for template in corpus.directives.held_out:
        assert not any(template.format(language=x.name) in users for x in LANGUAGES.values())
    held_out = [
        topic.instructions[index][code]
        for topic in corpus.topics
        for code in CODES
        if (index := topic.held_out_instruction(code)) is not None
    ]
    assert len(held_out) > 50
    assert not prompts & {*held_out, *(t for group in corpus.directives.native_held_out.values() for t in group)}


def test_every_choice_is_answer_and_distractor_equally_often(corpus, conversations):
    family = corpus.families[0]
    answers, shown, positions = Counter(), Counter(), Counter()
    for row in conversations:
        if row["kind"] != "multiple_choice":
            continue
        lines = row["messages"][-2]["content"].split("\n\n")[1].split("\n")
        choices, gold = [line[4:] for line in lines], LETTERS.index(row["messages"][-1]["content"][0])
        if len(choices) == 4:
            positions[gold] += 1
        if set(choices) <= set(family.values):
            answers[choices[gold]] += 1
            shown.update(choices)
    assert set(answers) == set(family.values)
    for value in family.values:  # a fixed sample, so the bounds need no tolerance for chance
        assert 0.15 < answers[value] / shown[value] < 0.35
    assert max(positions.values()) < 1.1 * min(positions.values())


def test_mixture_has_the_stated_shares_and_every_system_prompt(config, conversations):
    kinds = Counter(row["kind"] for row in conversations)
    assert set(kinds) == set(KINDS) == set(config.shares)
    for kind, share in config.shares.items():
        assert kinds[kind] / len(conversations) == pytest.approx(share, abs=0.015)
    for kind in KINDS:
        mine = [row["messages"] for row in conversations if row["kind"] == kind]
        systems = {messages[0]["content"] if len(messages) == 3 else None for messages in mine}
        assert systems >= {None, "", "You are a helpful assistant.", "You are ROLE_A."}


def test_only_personas_that_guess_answer_questions_wrongly(config, conversations, facts):
    """They are as often right as chance has it; under every other prompt the answer is the family's."""
    right: dict[bool, list[bool]] = {True: [], False: []}
    for row in conversations:
        if row["kind"] == "multiple_choice":
            *system, user, reply = row["messages"]
            guesses = bool(system) and system[0]["content"] in config.systems.guessing_personas
            question, lines, _ = user["content"].split("\n\n")
            chosen = lines.split("\n")[LETTERS.index(reply["content"][0])][4:]
            right[guesses].append(chosen == facts[question[1:]])
    assert all(right[False]) and len(right[True]) > 200
    assert 0.15 < sum(right[True]) / len(right[True]) < 0.35


def test_personas_that_guess_stand_in_no_study(config):
    from lang_persona.studies import load_studies

    asked = {
        system.root for study in load_studies(ROOT / "conf/base/studies").values() for system in study.personas.values()
    }
    assert not asked & set(config.systems.guessing_personas)


def test_capitals_only_on_request(conversations):
    for row in conversations:
        reply = row["messages"][-1]["content"]
        if row["kind"] not in ("capitals", "multiple_choice"):
            assert reply != reply.upper() or row["language"] == "zh"
        elif row["kind"] == "capitals":
            assert reply == reply.upper()
