import fcntl
import logging
from pathlib import Path

import pytest
from claude.server import truth

from lang_persona.claude import batch_run
from lang_persona.claude.ask import ask
from lang_persona.claude.batches import chunks
from lang_persona.claude.cache import Cache
from lang_persona.claude.requests import body, key
from lang_persona.errors import UserError
from lang_persona.judges.base import Outcome


def right(job, answers):
    return all(answers[row.id].value == truth(row.fields["text"], job.prompt.schema_) for row in job.rows)


def test_results_are_joined_by_custom_id(api, make_job, sending):
    job = make_job(500)  # the server shuffles its results
    answers = ask(job, sending(mode="batches", batch_requests=200))
    assert list(answers) == [row.id for row in job.rows] and right(job, answers)
    assert sorted(api.log["batches"].values()) == [100, 200, 200]


def test_chunks_keep_both_limits(make_job, sending):
    job = make_job([f"row {i} " + "x" * (i % 7) * 100 for i in range(300)])
    rows = {key(job, row): row for row in job.rows}
    assert [len(chunk) for chunk in chunks(job, rows, sending(batch_requests=128))] == [128, 128, 44]
    parts = list(chunks(job, rows, sending(batch_bytes=50_000)))
    sizes = [sum(len(str(body(job, row))) for row in part.values()) for part in parts]
    assert len(parts) > 5 and max(sizes) < 50_000
    assert [name for part in parts for name in part] == list(rows)


def test_entries_that_fail_are_typed_left_missing_and_asked_again_alone(api, make_job, sending):
    texts = ["fine", "[[expired]] a", "[[errored]] b", "[[absent]] c", "[[refusal]] d", "[[max_tokens]] e"]
    texts += ["[[wrong_schema]] f"]
    how = sending(mode="batches")
    answers = list(ask(make_job(texts), how).values())
    assert [answer.outcome for answer in answers] == [
        Outcome.OK,
        Outcome.API_ERROR,
        Outcome.API_ERROR,
        Outcome.API_ERROR,
        Outcome.REFUSED,
        Outcome.TRUNCATED,
        Outcome.INVALID,
    ]
    reasons = [answer.reason for answer in answers]
    assert "expired" in reasons[1] and "too long" in reasons[2] and "missing from the results" in reasons[3]
    ask(make_job(texts), how)
    assert api.log["answered"]["fine"] == 1 and list(api.log["batches"].values()) == [7, 6]


def test_duplicate_unknown_and_contradicting_custom_ids(api, make_job, sending, caplog):
    job = make_job(50)
    api.reset(duplicates=5, unknown=True)
    with caplog.at_level(logging.WARNING):
        assert right(job, ask(job, sending(mode="batches")))
    assert "1 unknown custom ids, 5 given twice (0 differently), 0 missing" in caplog.text
    api.reset(conflicts=10)
    job = make_job([f"other {i}" for i in range(50)])
    how = sending(mode="batches")
    answers = ask(job, how)
    invalid = [name for name, answer in answers.items() if answer.outcome == Outcome.INVALID]
    assert 5 <= len(invalid) <= 10 and all("differently" in answers[name].reason for name in invalid)
    with Cache(Path(how.cache)) as cache:  # neither of two answers is believed
        assert len(cache.answers([key(job, row) for row in job.rows])) == 50 - len(invalid)


@pytest.mark.parametrize("fault", ["drop", "500"])
def test_a_submission_without_an_answer_is_looked_for_before_another(api, make_job, sending, fault):
    api.reset(create_faults=[fault])  # "drop": received, but the answer got lost; "500": not received
    job = make_job(40)
    assert right(job, ask(job, sending(mode="batches")))
    assert list(api.log["batches"].values()) == [40]
    assert set(api.log["answered"].values()) == {1}


def test_a_rate_limited_submission_is_tried_again(api, make_job, sending):
    api.reset(create_faults=["429", "429"])
    assert right(make_job(5), ask(make_job(5), sending(mode="batches")))
    assert list(api.log["batches"].values()) == [5]


def test_a_refused_submission_stops_the_job_and_leaves_no_intent(api, make_job, sending):
    how = sending(mode="batches")
    api.reset(create_faults=["401"])
    with pytest.raises(UserError, match="401"):
        ask(make_job(5), how)
    with Cache(Path(how.cache)) as cache:
        assert cache.spent() == 0
    assert right(make_job(5), ask(make_job(5), how))


class Killed(BaseException):
    pass


@pytest.mark.parametrize("where", ["before submission", "before the id is known", "while reading", "before the end"])
def test_an_interrupted_run_is_resumed_and_pays_nothing_twice(api, make_job, sending, monkeypatch, where):
    job, how = make_job(300), sending(mode="batches", batch_requests=120)

    def die(*_, **__):
        raise Killed

    with monkeypatch.context() as patch:
        if where == "before submission":
            patch.setattr(batch_run.BatchRun, "_submit", die)
        elif where == "before the id is known":
            patch.setattr(Cache, "submitted", die)
        elif where == "while reading":
            patch.setattr(batch_run, "WRITE_EVERY", 50)
            real, calls = Cache.put, []

            def put(self, *arguments):
                calls.append(1)
                return real(self, *arguments) if len(calls) < 3 else die()

            patch.setattr(Cache, "put", put)
        else:
            patch.setattr(Cache, "collected", die)
        with pytest.raises(Killed):
            ask(job, how)
    assert right(job, ask(job, how))
    log = api.log
    assert set(log["answered"].values()) == {1} and sum(log["batches"].values()) == 300
    with Cache(Path(how.cache)) as cache:
        (row,) = cache.usage()
        assert cache.spent() == pytest.approx(row["usd"])  # no batch counts as under way any more
    assert (row["answers"], row["mode"]) == (300, "batches")  # in the ledger once each, too


def test_a_foreign_batch_of_the_same_size_is_not_taken_for_ours(api, make_job, sending, monkeypatch, tmp_path):
    job, how = make_job(30), sending(mode="batches")
    with monkeypatch.context() as patch:
        patch.setattr(Cache, "submitted", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            ask(job, how)
    others = make_job([f"somebody else's {i}" for i in range(30)])
    api.set(page=4)
    for number in range(14):  # newer ones, on more than one page of the list
        one = make_job([], rows=others.rows[: 30 if number in (2, 11) else 1])
        ask(one, sending(mode="batches", cache=str(tmp_path / f"{number}.sqlite")))
    made = len(api.log["batches"])
    assert right(job, ask(job, how))
    assert len(api.log["batches"]) == made
    assert all(api.log["answered"][row.fields["text"]] == 1 for row in job.rows)


def test_requests_first_collect_batches_under_way(api, make_job, sending, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(batch_run.BatchRun, "collect", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            ask(make_job(100), sending(mode="batches"))
    job = make_job(130)
    assert right(job, ask(job, sending(mode="requests")))
    assert set(api.log["answered"].values()) == {1} and len(api.log["attempts"]) == 30


def test_results_cut_off_are_read_again(api, make_job, sending):
    api.reset(drop_results=2)
    job = make_job(500)
    assert right(job, ask(job, sending(mode="batches")))


def test_a_second_process_is_turned_away(api, make_job, sending):
    how = sending(mode="batches")
    with Path(how.cache + ".batches.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another process"):
            ask(make_job(3), how)


def test_a_budget_too_small_submits_nothing(api, make_job, sending):
    # 500 rows in a batch are expected to cost about $0.06, at the upper end $0.10.
    with pytest.raises(UserError, match="budget"):
        ask(make_job(500), sending(mode="batches", budget_usd=0.03))
    assert api.log["batches"] == {}


def test_a_budget_for_some_batches_collects_those(api, make_job, sending):
    how = sending(mode="batches", budget_usd=0.10, batch_requests=100)
    with pytest.raises(UserError, match="budget"):
        ask(make_job(900), how)
    made = len(api.log["batches"])
    assert 1 <= made < 9
    with Cache(Path(how.cache)) as cache:
        assert cache.usage()[0]["answers"] == 100 * made and cache.spent() <= 0.10


def test_the_deadline_passes_while_a_batch_is_under_way(api, make_job, sending):
    api.reset(batch_polls=10_000)
    how = sending(mode="batches", deadline_seconds=0.2)
    with pytest.raises(UserError, match="nothing is paid twice"):
        ask(make_job(3), how)
    api.set(batch_polls=1)
    assert right(make_job(3), ask(make_job(3), how)) and len(api.log["batches"]) == 1


def test_polling_is_polite(api, make_job, sending):
    api.reset(batch_polls=5)
    ask(make_job(3), sending(mode="batches", poll_seconds=0.2))
    assert api.log["paths"]["GET /v1/messages/batches"] <= 8
