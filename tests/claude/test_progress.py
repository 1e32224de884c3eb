import io

from lang_persona.claude.answers import Answer, failed
from lang_persona.claude.ask import ask
from lang_persona.claude.progress import Progress
from lang_persona.judges.base import Outcome


def shown(monkeypatch, work):
    """What a terminal would show of the bars that are drawn."""
    import tqdm

    stream = io.StringIO()

    class Bar(tqdm.tqdm):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **{**options, "file": stream, "mininterval": 0, "ncols": 140})

    monkeypatch.setattr(tqdm, "tqdm", Bar)
    work()
    return stream.getvalue().split("\r")


def test_rows_rate_time_left_cost_and_failures_stand_in_the_bar(monkeypatch):
    def work():
        with Progress("toy.translation", 10, 4, 1.0) as bar:
            for spent in (1.25, 1.5):
                bar.done(Answer("x"), spent)
            bar.done(failed(Outcome.RATE_LIMITED, "429"), 1.5, rows=2)

    lines = shown(monkeypatch, work)
    assert any("toy.translation" in line and "4/10" in line for line in lines)
    last = next(line for line in reversed(lines) if "8/10" in line)
    assert "$0.50, 2 not ok" in last and ("row/s" in last or "s/row" in last)
    assert "<" in last  # tqdm's [elapsed<left]


def test_a_job_draws_it(api, make_job, sending, monkeypatch):
    lines = shown(monkeypatch, lambda: ask(make_job(20), sending()))
    assert any("20/20" in line and "$0.0" in line for line in lines)
    assert shown(monkeypatch, lambda: ask(make_job(["more"]), sending(), bar=False)) == [""]


def test_a_batch_under_way_is_named(api, make_job, sending, monkeypatch):
    api.reset(batch_polls=2)
    lines = shown(monkeypatch, lambda: ask(make_job(20), sending(mode="batches")))
    assert any("of 20 requests is under way" in line for line in lines) and any("20/20" in line for line in lines)
