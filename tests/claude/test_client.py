import asyncio
import logging
import time
from itertools import pairwise
from pathlib import Path

import pytest
from claude.server import truth

from lang_persona.claude.ask import ask
from lang_persona.claude.cache import Cache
from lang_persona.claude.config import Model
from lang_persona.claude.requests import Row
from lang_persona.errors import UserError
from lang_persona.judges.base import Outcome


def test_every_row_gets_its_own_answer(api, make_job, sending):
    job = make_job(200)
    answers = ask(job, sending())
    assert list(answers) == [row.id for row in job.rows]
    for row in job.rows:
        assert answers[row.id].value == truth(row.fields["text"], job.prompt.schema_)
    log = api.log
    assert set(log["answered"].values()) == {1} and len(log["answered"]) == 200
    assert 1 < log["most"] <= 20


@pytest.mark.parametrize(
    ("text", "outcome", "reason"),
    [
        ("[[refusal]] a", Outcome.REFUSED, "refused"),
        ("[[max_tokens]] b", Outcome.TRUNCATED, "max_tokens"),
        ("[[wrong_schema]] c", Outcome.INVALID, "keys"),
        ("[[not_json]] d", Outcome.INVALID, "no JSON"),
        ("[[429]] e", Outcome.RATE_LIMITED, "429"),
        ("[[500]] f", Outcome.API_ERROR, "500"),
        ("[[529]] g", Outcome.API_ERROR, "529"),
        ("[[413]] h", Outcome.API_ERROR, "413"),
        ("[[timeout]] i", Outcome.API_ERROR, "timed out"),
        ("[[drop]] j", Outcome.API_ERROR, "connection"),
        ("[[malformed]] k", Outcome.API_ERROR, "no JSON"),
    ],
)
def test_a_row_that_fails_is_typed_and_not_cached(api, make_job, sending, text, outcome, reason):
    how = sending(attempts=3, timeout_seconds=0.2)
    good, bad = ask(make_job(["fine", text]), how).values()
    assert good.outcome == Outcome.OK
    assert bad.outcome == outcome and bad.value is None and reason in bad.reason
    tries = api.log["attempts"][text]
    retried = outcome in (Outcome.RATE_LIMITED, Outcome.API_ERROR) and "413" not in text
    assert tries == (3 if retried else 1)
    ask(make_job(["fine", text]), how)  # again: only what is missing
    attempts = api.log["attempts"]
    assert attempts["fine"] == 1 and attempts[text] == 2 * tries


@pytest.mark.parametrize("fault", ["429", "500", "529", "drop", "malformed", "timeout"])
def test_a_passing_fault_is_tried_again(api, make_job, sending, fault):
    text = f"[[{fault}:2]] then fine"
    (answer,) = ask(make_job([text]), sending(timeout_seconds=0.2)).values()
    assert answer.outcome == Outcome.OK
    assert api.log["attempts"][text] == 3 and api.log["answered"][text] == 1


def test_thinking_before_the_answer_is_skipped(api, make_job, sending):
    (answer,) = ask(make_job(["[[thinking]] hm"]), sending()).values()
    assert answer.outcome == Outcome.OK


def test_retry_after_is_honoured_by_all(api, make_job, sending):
    api.reset(retry_after=0.4)
    ask(make_job(["[[429:1]] first", *(f"row {i}" for i in range(30))]), sending(concurrency=2))
    times = api.log["times"]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert max(gaps) >= 0.39  # nothing at all was sent meanwhile
    assert sum(gap > 0.3 for gap in gaps) == 1


def test_requests_a_minute(api, make_job, sending):
    start = time.monotonic()
    ask(make_job(25), sending(requests_per_minute=600))  # ten a second; the bucket holds five seconds: 50
    free = time.monotonic() - start
    start = time.monotonic()
    ask(make_job([f"other {i}" for i in range(25)]), sending(requests_per_minute=60 * 4))  # 20 at once, then 4 a second
    assert time.monotonic() - start >= 1.2 > free


def test_tokens_a_minute(api, make_job, sending):
    # A row is some 200 tokens: 60 rows need 12,000; 5,000 are there at once, then 1,000 a second flow in.
    start = time.monotonic()
    ask(make_job(35), sending(tokens_per_minute=60_000, concurrency=5))
    assert time.monotonic() - start >= 1.0


def test_deadline_leaves_the_rest_missing(api, make_job, sending):
    api.reset(latency=0.05)
    answers = ask(make_job(100), sending(deadline_seconds=0.3, concurrency=2)).values()
    late = [answer for answer in answers if answer.outcome == Outcome.API_ERROR]
    assert 0 < len(late) < 100 and all("deadline" in answer.reason for answer in late)
    assert len(api.log["answered"]) == 100 - len(late)  # what was sent was waited for


def test_a_retry_after_beyond_the_deadline_is_not_waited_for(api, make_job, sending):
    api.reset(retry_after=3_600)
    start = time.monotonic()
    answers = ask(make_job(["[[429]] a", *(f"row {i}" for i in range(50))]), sending(deadline_seconds=0.5)).values()
    assert time.monotonic() - start < 5
    assert next(iter(answers)).outcome == Outcome.RATE_LIMITED


@pytest.mark.parametrize(("text", "says"), [("[[401]]", "401"), ("[[404]]", "no such model")])
def test_a_mistake_common_to_all_rows_stops_the_job(api, make_job, sending, text, says):
    with pytest.raises(UserError, match=says):
        ask(make_job([f"{text} {i}" for i in range(500)]), sending())
    assert sum(api.log["attempts"].values()) <= 20


def test_requests_rejected_one_after_another_stop_the_job(api, make_job, sending):
    with pytest.raises(UserError, match="bad request"):
        ask(make_job([f"[[400]] {i}" for i in range(500)]), sending())
    assert sum(api.log["attempts"].values()) <= 40


def test_a_single_rejected_row_does_not(api, make_job, sending):
    texts = [f"[[400]] {i}" if i % 3 == 0 else f"row {i}" for i in range(90)]
    outcomes = [answer.outcome for answer in ask(make_job(texts), sending()).values()]
    assert outcomes.count(Outcome.API_ERROR) == 30 and outcomes.count(Outcome.OK) == 60


def test_rows_with_the_same_text_share_an_answer_but_samples_do_not(api, make_job, sending):
    job = make_job(["same", "same"])
    ask(job, sending())
    assert api.log["attempts"] == {"same": 1}
    rows = [*job.rows, Row("again", {"text": "same"}, sample=1)]
    answers = ask(make_job([], rows=rows), sending())
    assert len(answers) == 3 and api.log["attempts"] == {"same": 2}


@pytest.mark.parametrize("mode", ["requests", "batches"])
def test_half_a_surrogate_pair_fails_its_own_row_only(api, make_job, sending, mode):
    first, second = ask(make_job(["half \ud83d", "whole 😀"]), sending(mode=mode)).values()
    assert (first.outcome, second.outcome) == (Outcome.INVALID, Outcome.OK)
    assert second.value == truth("whole 😀", make_job(1).prompt.schema_)


def test_ids_must_be_unique(make_job):
    with pytest.raises(ValueError, match="unique"):
        make_job([], rows=[Row("a", {"text": "x"}), Row("a", {"text": "y"})])


def test_budget_stops_before_it_is_passed(api, make_job, sending):
    # An answer costs about $0.0002; one request may cost up to its bytes and 100 output tokens, about $0.0019.
    how = sending(budget_usd=0.02)
    with pytest.raises(UserError, match=r"budget of \$0.02 reached.*raise budget_usd"):
        ask(make_job(500), how)
    with Cache(Path(how.cache)) as cache:
        spent, answered = cache.spent(), sum(row["answers"] for row in cache.usage())
    assert 0.015 < spent <= 0.02
    assert answered == len(api.log["answered"])  # what was received is kept
    answers = ask(make_job(500), sending(budget_usd=10.0))
    assert all(answer.outcome == Outcome.OK for answer in answers.values())
    assert set(api.log["answered"].values()) == {1}


def test_temperature_goes_out_only_where_it_is_taken(api, make_job, sending, caplog):
    ask(make_job(["a"]), sending())
    log = api.log
    assert log["seen"][0]["temperature"] == 0.0 and log["headers"][0]["anthropic-version"] == "2023-06-01"
    assert "thinking" not in log["seen"][0]
    api.reset()
    with caplog.at_level(logging.WARNING):
        ask(make_job(["a"], model=Model(name="claude-sonnet-5-5", temperature=0.0, effort="low")), sending())
    log = api.log
    assert "temperature" not in log["seen"][0] and log["headers"][0]["anthropic-version"] > "2023-06-01"
    assert log["seen"][0]["thinking"] == {"type": "between_tools"}
    assert log["seen"][0]["output_config"]["effort"] == "low"
    assert "takes no temperature" in caplog.text


def test_inside_a_running_loop(api, make_job, sending):
    async def notebook():
        return ask(make_job(["a"]), sending())

    assert asyncio.run(notebook())["r0"].outcome == Outcome.OK
