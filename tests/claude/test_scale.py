"""5,000 rows at concurrency 20, through a server that fails 30% of calls."""

import json

from claude.server import truth
from claude.worker import answer_rows, job, peak_memory, start

from lang_persona.claude.cache import Cache


def test_five_thousand_rows_with_thirty_percent_failures(api, sending, tmp_path):
    api.reset(fail_rate=0.3, seed=1)
    how = sending(attempts=12)
    process = start(answer_rows, how, api.url, tmp_path / "result.json", 5_000)
    process.join(120)
    assert process.exitcode == 0
    result = json.loads((tmp_path / "result.json").read_text())
    rows, schema = job(5_000).rows, job(1).prompt.schema_
    assert list(result["answers"]) == [row.id for row in rows]  # every row accounted for, in order
    wrong = [row.id for row in rows if result["answers"][row.id] != ["ok", truth(row.fields["text"], schema)]]
    assert wrong == []  # none misaligned
    log = api.log
    assert len(log["answered"]) == 5_000 and set(log["answered"].values()) == {1}  # none paid twice
    assert 6_500 < sum(log["attempts"].values()) < 7_800  # 5,000 / 0.7 is 7,143
    assert log["most"] <= 20
    calls = sum(log["attempts"].values())
    print(f"client CPU {1e3 * result['cpu_s'] / calls:.2f} ms a call, {calls / result['wall_s']:.0f} calls/s")
    assert result["cpu_s"] / calls < 0.005
    with Cache(tmp_path / "claude.sqlite") as cache:
        (row,) = cache.usage()
    assert (row["answers"], row["outcome"]) == (5_000, "ok")


def test_memory_does_not_grow_with_rows_under_way(api, sending, tmp_path):
    process = start(peak_memory, sending(), api.url, tmp_path / "result.json", 100, 500)
    process.join(120)
    small, large = json.loads((tmp_path / "result.json").read_text())
    each = (large - small) / 400
    print(f"peak {small} bytes for 100 rows, {large} for 500: {each:.0f} bytes a row")
    assert each < 2_500  # key, row and answer; a request's body, response and task would be over 10 kB
