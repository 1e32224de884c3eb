import random
from pathlib import Path

import pytest
from claude.conftest import PROMPTS

from lang_persona.claude.ask import ask, ask_first, estimate_cost
from lang_persona.claude.cache import Cache
from lang_persona.claude.config import Model
from lang_persona.claude.cost import _line, _ratio, compare, note
from lang_persona.claude.models import MODELS, cost
from lang_persona.claude.prompts import load_prompt
from lang_persona.claude.requests import Row


def texts(n, start=0):
    """Rows of many lengths, from one to a hundred words."""
    return [f"text {i} " + " ".join(f"word{j}" for j in range((i * 37) % 100)) for i in range(start, start + n)]


@pytest.fixture
def translation(make_job):
    prompt = load_prompt(PROMPTS / "translation.yml")

    def make(some, **changes):
        names = {"source_language": "English", "language": "Italian"}
        rows = [Row(f"r{i}", {"text": text, **names}) for i, text in enumerate(some)]
        model = Model(name="claude-sonnet-5-5", max_tokens=4_000)
        return make_job([], prompt=prompt, rows=rows, model=model, **changes)

    return make


def test_prices_by_hand():
    usage = {"input_tokens": 1_000_000, "output_tokens": 100_000}
    assert cost("claude-sonnet-4-5", usage, batch=False) == pytest.approx(3 + 1.5)
    assert cost("claude-haiku-4-5", usage, batch=True) == pytest.approx((1 + 0.5) / 2)
    small = cost("claude-haiku-5-5", {"input_tokens": 100_000, "output_tokens": 10}, batch=False)
    large = cost("claude-haiku-5-5", {"input_tokens": 100_001, "output_tokens": 10}, batch=False)
    assert (small, large) == (pytest.approx(0.010005), pytest.approx(0.0500255))
    cached = {"input_tokens": 0, "cache_read_input_tokens": 1_000_000, "cache_creation_input_tokens": 1_000_000}
    assert cost("claude-sonnet-4-6", cached, batch=False) == pytest.approx(0.30 + 3.75)


def test_models_that_do_not_answer_under_the_old_version_take_no_temperature():
    newer = {name for name, card in MODELS.items() if not card.temperature}
    assert {"claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-4-7", "claude-opus-5-5"} <= newer
    assert not {"claude-sonnet-4-5", "claude-haiku-4-5", "claude-sonnet-4-6"} & newer


def test_an_estimate_sends_no_message(api, translation, sending):
    found = estimate_cost(translation(texts(300)), sending())
    log = api.log
    assert log["attempts"] == {} and log["counted"] == 50
    assert found.requests == 300 and found.input_basis == "count_tokens on 50 rows"
    assert found.output_basis.startswith("supposed") and found.usd.low < found.usd.value < found.usd.high


def test_the_measured_estimate_is_what_was_really_used(api, translation, sending):
    how = sending()
    everything = translation(texts(400))
    with Cache(Path(how.cache)) as cache:
        note([estimate_cost(everything, how).as_row()], cache)
    ask_first(everything, how, 100)  # from which output is measured
    ask_first(everything, how, 100)  # again: nothing
    assert sum(api.log["answered"].values()) == 100
    found = estimate_cost(everything, how)
    assert (found.cached, found.requests) == (100, 300) and found.output_basis == "measured on 100 answers"
    assert (found.usd.high - found.usd.low) / found.usd.value < 0.2
    with Cache(Path(how.cache)) as cache:
        before = cache.usage()[0]
        note([found.as_row()], cache)
    ask(everything, how)
    with Cache(Path(how.cache)) as cache:
        (row,) = cache.usage()
        note([estimate_cost(everything, how).as_row()], cache)  # nothing left: not kept
        (beside,) = compare(cache, "tests")
        assert compare(cache, "other.") == []
    actual = {name: row[name] - before[name] for name in ("input_tokens", "output_tokens", "usd")}
    assert found.input.value == pytest.approx(actual["input_tokens"], rel=0.02)  # how often intervals hold: below
    assert found.output.value == pytest.approx(actual["output_tokens"], rel=0.02)
    assert found.usd.value == pytest.approx(actual["usd"], rel=0.02)
    assert beside["usd"] == pytest.approx(row["usd"]) and beside["answers"] == 400
    first, latest = beside["estimates"]
    assert (first["spent_usd"], first["answers"], latest["answers"]) == (0.0, 400, 400)
    assert first["output_basis"][0].startswith("supposed") and latest["output_basis"] == ["measured on 100 answers"]
    assert latest["spent_usd"] == pytest.approx(before["usd"])
    assert latest["usd"]["low"] <= row["usd"] <= latest["usd"]["high"]
    width = [made["usd"]["high"] - made["usd"]["low"] for made in (first, latest)]
    assert width[1] < width[0] / 3


def test_intervals_cover():
    """Of estimates from many samples, about 95% of input intervals hold the truth."""
    chance = random.Random(3)
    sizes = [chance.randrange(200, 3_000) for _ in range(2_000)]
    population = [(size, size // 4 + chance.randrange(30)) for size in sizes]
    total, true = sum(size for size, _ in population), sum(tokens for _, tokens in population)
    held = 0
    for _ in range(400):
        found = _ratio(chance.sample(population, 50), total, len(population))
        held += found.low <= true <= found.high
    assert 0.90 <= held / 400 <= 0.985


def test_output_intervals_cover():
    chance = random.Random(4)
    held = 0
    for _ in range(400):
        sizes = [chance.randrange(50, 3_000) for _ in range(700)]
        rows = [(size, 20 + 0.3 * size + chance.gauss(0, 25)) for size in sizes]
        found = _line([size for size, _ in rows[60:]], rows[:60])
        held += found.low <= sum(tokens for _, tokens in rows[60:]) <= found.high
    assert 0.90 <= held / 400 <= 0.985


def test_a_batch_costs_half(api, translation, sending):
    whole = estimate_cost(translation(texts(40)), sending())
    half = estimate_cost(translation(texts(40)), sending(mode="batches"))
    assert half.usd.value == pytest.approx(whole.usd.value / 2)


def test_without_the_api_it_says_that_nothing_was_counted(translation, sending, monkeypatch):
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    found = estimate_cost(translation(texts(40)), sending(), count=False)
    assert found.input_basis.startswith("not counted") and found.input.high > 1.3 * found.input.value


def test_nothing_missing_costs_nothing(api, translation, sending):
    ask(translation(texts(3)), sending())
    found = estimate_cost(translation(texts(3)), sending())
    assert (found.requests, found.cached, found.usd.high) == (0, 3, 0.0)
