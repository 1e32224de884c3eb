import multiprocessing
import sqlite3

import pytest

from lang_persona.claude.answers import Answer, failed
from lang_persona.claude.cache import Cache
from lang_persona.claude.config import Model
from lang_persona.claude.prompts import Prompt
from lang_persona.claude.requests import Job, Row, key
from lang_persona.errors import UserError
from lang_persona.judges.base import Outcome

USAGE = {"input_tokens": 100, "output_tokens": 10}


def write(path, job, first):
    with Cache(path) as cache:
        for row in job.rows[first:]:
            cache.put(job, [(key(job, row), row, Answer({"label": "en"}, usage=USAGE))])


def test_several_processes_at_once(make_job, tmp_path):
    job, path = make_job(400), tmp_path / "claude.sqlite"
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=write, args=(path, job, first)) for first in (0, 100, 200, 0)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    with Cache(path) as cache:
        assert len(cache.answers([key(job, row) for row in job.rows])) == 400
        assert cache.usage()[0]["answers"] == 400 + 300 + 200 + 400  # all were paid


def test_only_ok_is_found_again_but_all_is_in_the_ledger(make_job, tmp_path):
    job = make_job(len(Outcome))
    with Cache(tmp_path / "c.sqlite") as cache:
        for row, outcome in zip(job.rows, Outcome, strict=True):
            answer = Answer({"label": "en"}, usage=USAGE) if outcome == Outcome.OK else failed(outcome, "x", USAGE)
            cache.put(job, [(key(job, row), row, answer)])
        assert len(cache.answers([key(job, row) for row in job.rows])) == 1
        assert {row["outcome"] for row in cache.usage()} == set(Outcome)
        assert cache.spent() == pytest.approx(len(Outcome) * (100 * 1 + 10 * 5) / 1e6)


def test_a_text_of_any_kind_comes_back(make_job, tmp_path):
    value = {"label": "𝒳 \u0000 half a pair: \ud83d «quoted» \n\t\\ \u2028"}
    job = make_job(1)
    with Cache(tmp_path / "c.sqlite") as cache:
        cache.put(job, [(key(job, job.rows[0]), job.rows[0], Answer(value))])
        (found,) = cache.answers([key(job, job.rows[0])]).values()
    assert found.value == value


def test_everything_that_decides_an_answer_changes_the_key(make_job, prompt):
    base = make_job(["text"])
    row = base.rows[0]
    other_version = prompt.model_copy(update={"version": 2})
    other_words = prompt.model_copy(update={"system": prompt.system + " "})
    schema = {**prompt.schema_, "properties": {"label": {"type": "string", "enum": ["en"]}}}
    keys = {
        "base": key(base, row),
        "id only": key(base, Row("another", row.fields)),
        "text": key(base, Row("r0", {"text": "Text"})),
        "sample": key(base, Row("r0", row.fields, sample=1)),
        "model": key(make_job([], model=Model(name="claude-sonnet-4-6", temperature=0.0, max_tokens=100)), row),
        "max_tokens": key(make_job([], model=Model(name="claude-haiku-4-5", temperature=0.0, max_tokens=101)), row),
        "temperature": key(make_job([], model=Model(name="claude-haiku-4-5", temperature=0.5, max_tokens=100)), row),
        "no temperature": key(make_job([], model=Model(name="claude-haiku-4-5", max_tokens=100)), row),
        "version": key(make_job([], prompt=other_version), row),
        "words": key(make_job([], prompt=other_words), row),
        "schema": key(make_job([], prompt=prompt.model_copy(update={"schema_": schema})), row),
        "stage": key(make_job([], stage="elsewhere"), row),
    }
    assert keys.pop("id only") == keys["base"] and keys.pop("stage") == keys["base"]
    assert len(set(keys.values())) == len(keys)


def test_keys_stay_the_same_from_version_to_version():
    """A change here throws away every answer that anybody paid for."""
    schema = {"type": "object", "properties": {"label": {"type": "string"}}}
    output = {"tokens": 1}
    prompt = Prompt.model_validate(
        {"name": "p", "version": 3, "system": "S {a}", "user": "U {a} ü", "schema": schema, "output": output}
    )
    model = Model(name="claude-haiku-4-5", temperature=0.0, max_tokens=7)
    row = Row("r", {"a": "text"}, sample=2)
    assert (
        key(Job("s", model, prompt, [row]), row) == "af10bd5d54128028d295bfc0499045a6c57821740d136328e303416bd122a9cb"
    )


def test_a_parameter_that_is_left_out_does_not_change_the_key(make_job):
    with_one = make_job(["a"], model=Model(name="claude-sonnet-5-5", temperature=0.0))
    without = make_job(["a"], model=Model(name="claude-sonnet-5-5"))
    assert key(with_one, with_one.rows[0]) == key(without, without.rows[0])


def test_a_cache_of_another_format_is_refused(tmp_path):
    database = sqlite3.connect(tmp_path / "old.sqlite")
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(UserError, match="format 99"):
        Cache(tmp_path / "old.sqlite")
