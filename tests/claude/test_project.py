"""Claude in whole runs of the project: through Kedro, the real SDK and a socket."""

import csv
import json
import os
import re
import shutil
from pathlib import Path

import pytest
import yaml
from claude.conftest import KEY
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.runner import SequentialRunner

from lang_persona.claude.cache import Cache
from lang_persona.claude.cost import compare
from lang_persona.errors import UserError
from lang_persona.imported_labels import measure_judges
from lang_persona.judges.base import LANGUAGE_LABELS

ROOT = Path(__file__).resolve().parents[2]
STUDY = "language_inversion"
TEXTS = [
    "The sea was calm, and the boats came home before the rain began to fall on the harbour.",
    "Bread needs flour, water, salt and time; most people forget about the time it takes.",
    "My neighbour keeps three cats and a dog, and none of them likes the postman very much.",
    "In winter the river freezes, so that children can walk over to the other side of town.",
    "A good book is a friend who never asks where you have been for the last few months.",
    "[[refusal]] This text is one that the model on the other side declines to translate.",
    "[[max_tokens]] This text is one whose translation becomes longer than anybody allowed.",
    "The train was late again, but the coffee at the station was better than I remembered.",
]
SPANISH = "Esta es una respuesta en español, escrita sin prisa y sin ninguna duda."
ENGLISH = "This is an answer in English, written without any hurry and without a doubt."


class Recorder(SequentialRunner):
    ran: set[str]

    def _run(self, pipeline, *args, **kwargs):
        self.ran = {node.name for node in pipeline.nodes}
        super()._run(pipeline, *args, **kwargs)


@pytest.fixture
def project(tmp_path):
    """A copy of the project with a handful of texts, gates that reversed texts pass, and an environment that asks."""
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "conf", folder / "conf")
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copytree(ROOT / "src", folder / "src")  # Kedro wants it below the project
    (folder / "data" / "01_raw").mkdir(parents=True)
    (folder / "data" / "01_raw" / "pilot").symlink_to(ROOT / "data" / "01_raw" / "pilot")
    lines = [json.dumps({"source_id": f"s{n}", "text": text}) for n, text in enumerate(TEXTS)]
    (folder / "texts.jsonl").write_text("\n".join(lines) + "\n")
    file = folder / "conf" / "base" / "studies" / f"{STUDY}.yml"
    for other in set(file.parent.iterdir()) - {file}:  # every parameter of every study costs a run time to start
        other.unlink()
    study = yaml.safe_load(file.read_text())
    study["scales"]["smoke"]["sources"] = {"kind": "file", "path": "texts.jsonl", "origin": "tests"}
    study["scales"]["smoke"]["selection"] |= {"keep": len(TEXTS)}
    study["scales"]["smoke"]["translate"] = "default"
    study["translation"]["gates"] |= {
        "translated_at_least": 0.7, "identified_at_least": 0, "leak_free_at_least": 0, "outside_range_below": 1.0
    }  # fmt: skip
    file.write_text(yaml.safe_dump(study, sort_keys=False))
    before = Path.cwd()
    os.chdir(folder)
    environment(folder)
    bootstrap_project(folder)
    yield folder
    os.chdir(before)
    bootstrap_project(ROOT)


def environment(folder, name="asking", sending=(), claude=(), **changes):
    """Write an environment: the tests', with Claude; every environment shares one folder of data."""
    parameters = yaml.safe_load((ROOT / "conf" / "test" / "parameters.yml").read_text())
    parameters |= {
        "judges": {"language": ["langdetect_published", "claude_language"], "leakage": ["claude_leakage"]},
        "translator": {"kind": "claude", "model": {"name": "claude-sonnet-5-5", "max_tokens": 2000}},
        "claude": {
            "judge": {"name": "claude-haiku-4-5", "temperature": 0.0, "max_tokens": 200},
            "sending": {
                "cache": "data/claude.sqlite", "budget_usd": 10.0, "attempts": 1, "backoff_seconds": 0.005,
                "backoff_most_seconds": 0.01, "requests_per_minute": 1000000, "tokens_per_minute": 1000000000,
                "poll_seconds": 0.01, "settle_seconds": 0.0, **dict(sending),
            },
            **dict(claude),
        },
        **changes,
    }  # fmt: skip
    place = folder / "conf" / name
    place.mkdir(exist_ok=True)
    (place / "parameters.yml").write_text(yaml.safe_dump(parameters))
    (place / "globals.yml").write_text("data_root: data/asking\n")


def run(folder, *pipelines, env="asking", only_missing=False, namespaces=None, **runtime):
    runner = Recorder()
    with KedroSession.create(project_path=folder, env=env, runtime_params=runtime) as session:
        options = {"namespaces": namespaces} if namespaces else {}
        session.run(runner=runner, pipeline_names=list(pipelines), only_missing_outputs=only_missing, **options)
    return {name.split(".")[-1] for name in runner.ran}


def newest(folder, *parts):
    place = folder.joinpath("data", "asking", *parts)
    version = max(item for item in place.iterdir() if not item.name.startswith("."))
    text = (version / parts[-1]).read_text()
    return [json.loads(line) for line in text.splitlines()] if parts[-1].endswith("jsonl") else json.loads(text)


def versions(folder, *parts):
    place = folder.joinpath("data", "asking", *parts)
    return [item for item in place.iterdir() if not item.name.startswith(".")] if place.is_dir() else []


# A replay: completions made elsewhere, judged by Claude
def completions(folder, n=40, **named):
    rows = [
        {**named, "probe": "directive", "item_id": f"{code}.a", "sample": sample,
         "variables": {"language": code, "phrasing": "a"},
         "prompt": [{"role": "user", "content": "Speak in Spanish."}],
         "completion": f"{SPANISH if sample % 2 else ENGLISH} ({code}{sample})"}
        for code in ("en", "es") for sample in range(n // 2)
    ]  # fmt: skip
    file = folder / "given.jsonl"
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return str(file)


REPLAY = ("08_reporting", "replay", "versions")


def metrics(folder):
    import pandas as pd

    place = folder.joinpath("data", "asking", *REPLAY, "metrics.parquet")
    frame = pd.read_parquet(max(place.iterdir()) / "metrics.parquet")
    return frame[frame["judge"] == "langdetect_published"].reset_index(drop=True), frame


def test_a_replay_is_judged_by_claude(project, api):
    run(project, "replay", replay_file=completions(project, study=STUDY, condition="es_en"))
    rows = newest(project, *REPLAY, "judgements.jsonl")
    claude = [row for row in rows if row["judge"] == "claude_language"]
    assert len(claude) == 40 and {row["outcome"] for row in claude} == {"ok"}
    assert {row["details"]["prompt_version"] for row in claude} == {1}
    assert "Speak in" not in json.dumps(api.log["seen"])  # the directive stays here
    agreement = newest(project, *REPLAY, "judge_agreement.json")
    (arm,) = [row for row in agreement["agreement"] if row["value"] == "all"]
    assert (arm["n"], arm["judges"]) == (40, ["langdetect_published", "claude_language"])
    assert sum(count for _, _, count in arm["confusion"]) == 40
    # The server labels by a digest, so the two can't agree; the cells say so.
    assert {row["value"] for row in agreement["indeterminate"]} == {"en", "es"}
    page = (project / "data/asking/08_reporting/replay/report.md").read_text()
    assert "claude_language" in page and "Cohen's kappa" in page
    verdicts = {row["hypothesis"]: row for row in newest(project, *REPLAY, "verdicts.json")}
    inversion = verdicts["A_inversion"]  # which speaks of the English directive alone
    assert inversion["verdict"] == "not evaluated" and [row["value"] for row in inversion["left_out"]] == ["en"]
    assert inversion["why"].startswith(
        "English is indeterminate and left out: langdetect_published and claude_language"
    )
    assert inversion["why"] in page.replace("\\_", "_")
    assert re.search(r"Cost of paid interfaces: \$0\.0\d+ \(claude_language \$0\.0\d+\)", page)
    written = [file for file in (project / "data" / "asking").rglob("*") if file.is_file()]
    assert len(written) > 10 and not any(KEY.encode() in file.read_bytes() for file in written)


def test_the_published_failure_replayed(project, api):
    """Most calls are rate-limited: not one number of langdetect changes, and no label is made up."""
    file = completions(project)
    environment(project, "alone", judges={"language": ["langdetect_published"], "leakage": []})
    run(project, "replay", env="alone", replay_file=file)
    before, _ = metrics(project)
    environment(project, claude={"missing_at_most": 1.0})
    api.set(fail_rate=0.9, faults=["429"])
    run(project, "replay", replay_file=file)
    after, everything = metrics(project)
    assert after.equals(before)
    rows = newest(project, *REPLAY, "judgements.jsonl")
    claude = [row for row in rows if row["judge"] == "claude_language"]
    limited = [row for row in claude if row["outcome"] == "rate_limited"]
    assert len(claude) == 40 and len(limited) > 30
    assert all(row["label"] is None for row in limited)
    assert {row["label"] for row in rows} <= {*LANGUAGE_LABELS, None}
    assert not any("parse" in json.dumps(row["label"]) for row in rows)
    outcomes = everything[(everything["judge"] == "claude_language") & (everything["metric"] == "outcome")]
    counted = {json.loads(row["variables"])["outcome"]: row["successes"] for _, row in outcomes.iterrows()}
    assert counted["rate_limited"] == len(limited)
    shares = everything[(everything["judge"] == "claude_language") & (everything["metric"] == "followed")]
    assert shares["n"].max() <= 40 - len(limited)  # of those that were labelled
    assert "rate_limited" in (project / "data/asking/08_reporting/replay/report.md").read_text()


@pytest.mark.parametrize("mode", ["requests", "batches"])
def test_what_is_incomplete_is_not_finished_and_costs_only_the_rest(project, api, mode):
    file = completions(project)
    environment(project, sending={"mode": mode})
    if mode == "requests":
        api.set(fail_rate=0.8, faults=["429", "529"])
    else:
        text = (project / "given.jsonl").read_text()
        (project / "given.jsonl").write_text(text.replace("(en", "[[expired]] (en"))
    with pytest.raises(UserError, match=r"of 40 rows have no answer, mostly .*Run again: only the missing") as caught:
        run(project, "replay", replay_file=file)
    assert "claude_language on replay.replayed.0.directive" in str(caught.value)
    assert versions(project, *REPLAY, "judgements.jsonl") == []
    answered = set(api.log["answered"])
    assert 0 < len(answered) < 40
    if mode == "batches":
        assert len(answered) == 20
        return
    api.set(fail_rate=0)
    ran = run(project, "replay", only_missing=True, replay_file=file)
    assert {"judge", "score", "write_replay_report"} == ran - {"measure_replay_agreement"}
    log = api.log
    assert len(log["answered"]) == 40 and max(log["answered"].values()) == 1  # none was paid twice
    assert {row["outcome"] for row in newest(project, *REPLAY, "judgements.jsonl")} == {"ok"}


def test_without_a_key_one_line_says_how_to_set_it(project, api, monkeypatch):
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    with pytest.raises(UserError) as caught:
        run(project, "replay", replay_file=completions(project))
    assert "\n" not in str(caught.value) and "set the environment variable ANTHROPIC_API_KEY" in str(caught.value)
    assert api.log["paths"].get("POST /v1/messages") is None


# Translation
def translated(folder):
    return {
        (row["source_id"], row["language"]): row for row in newest(folder, "03_primary", STUDY, "translations.jsonl")
    }


def test_translations_gates_skip_list_and_spot_check(project, api):
    run(project, "data_engineering", "translation")
    rows = translated(project)
    assert len(rows) == len(TEXTS)  # fr_it alone needs a language that the sources are not in
    assert rows["s0", "it"]["text"] == TEXTS[0][::-1]
    assert rows["s0", "it"]["translator"] == "claude-sonnet-5-5, prompt translation version 1"
    assert {key for key, row in rows.items() if row["outcome"] != "ok"} == {("s5", "it"), ("s6", "it")}
    skipped = newest(project, "03_primary", STUDY, "skip_list.json")
    assert {row["source_id"]: row["reason"].split(" ")[1] for row in skipped} == {"s5": "refused", "s6": "truncated"}
    checks = newest(project, "03_primary", STUDY, "translation_checks.json")
    (leaks,) = [gate for gate in checks["gates"] if gate["gate"] == "leak free"]
    leaked = [row for row in checks["failing"] if row["gate"] == "leak free"]
    assert leaks["n"] == 6 and leaks["value"] == (6 - len(leaked)) / 6 and checks["not_measured"] == []
    assert all(row["why"].startswith("leaked: ") and row["source"] and row["translation"] for row in leaked)
    spot = newest(project, "03_primary", STUDY, "translation_spot_check.jsonl")
    assert {row["source_id"]: (row["source"], row["translation"]) for row in spot} == {
        f"s{n}": (TEXTS[n], TEXTS[n][::-1]) for n in (0, 1, 2, 3, 4, 7)
    }


def test_how_it_is_sent_is_no_part_of_the_recipe_and_what_is_asked_is(project, api):
    stages = ("data_engineering", "translation")
    run(project, *stages)
    paid = api.log["paths"]["POST /v1/messages"]
    environment(
        project, sending={"mode": "batches", "concurrency": 3, "budget_usd": 99.0, "cache": "data/other.sqlite"}
    )
    assert run(project, *stages, only_missing=True) == set()
    environment(project, claude={"judge": {"name": "claude-haiku-5-5", "max_tokens": 200}})
    assert run(project, *stages, only_missing=True) == {"check_translations", "require_translations"}
    environment(project, translator={"kind": "claude", "model": {"name": "claude-sonnet-5", "max_tokens": 2000}})
    ran = run(project, *stages, only_missing=True)
    assert {"translate_sources", "check_translations", "skip_sources"} <= ran and "select_sources" not in ran
    environment(project)
    assert run(project, *stages, only_missing=True) == set()  # the first version is still there
    prompt = project / "conf/base/prompts/translation.yml"
    prompt.write_text(prompt.read_text().replace("version: 1", "version: 2"))
    before = api.log["paths"]["POST /v1/messages"]
    assert "translate_sources" in run(project, *stages, only_missing=True)
    assert api.log["paths"]["POST /v1/messages"] > before > paid


def test_a_failed_leak_gate_stops_the_run_with_the_rows(project, api):
    file = project / "conf/base/studies" / f"{STUDY}.yml"
    file.write_text(file.read_text().replace("leak_free_at_least: 0", "leak_free_at_least: 1.0"))
    with pytest.raises(UserError, match=r"it: leak free is 0\.\d+, must be >= 1.0 \(n = 6\)") as caught:
        run(project, "data_engineering", "translation")
    assert "(leaked: " in str(caught.value)


def test_rate_limited_translations_are_not_skipped_but_asked_again(project, api):
    api.set(fail_rate=0.6, faults=["429"])
    with pytest.raises(UserError, match=r"translations by claude-sonnet-5-5.* of 8 rows have no answer"):
        run(project, "data_engineering", "translation")
    assert versions(project, "03_primary", STUDY, "translations.jsonl") == []
    api.set(fail_rate=0)
    run(project, "translation")
    assert max(api.log["answered"].values()) == 2  # its translation and its leak check, each once
    assert len(newest(project, "03_primary", STUDY, "skip_list.json")) == 2


def test_the_budget_stops_a_run(project, api):
    environment(project, sending={"budget_usd": 0.0001})
    with pytest.raises(UserError, match=r"budget of \$0.00 reached"):
        run(project, "data_engineering", "translation")
    assert api.log["paths"].get("POST /v1/messages") is None


# Cost
def test_cost_before_and_after(project, api, monkeypatch, caplog):
    study = ("08_reporting", STUDY, "versions")
    run(project, "cost")
    log = api.log
    assert log["paths"].get("POST /v1/messages") is None and log["counted"] > 0
    before = newest(project, *study, "cost_estimate.json")
    stages = {(row["stage"], row["what"]): row for row in before["estimates"]}
    assert set(stages) == {
        (f"{STUDY}.translation", "into it"), (f"{STUDY}.claude_leakage", "leaks in it"),
        (f"{STUDY}.claude_language", "completions"),
    }  # fmt: skip
    assert stages[f"{STUDY}.translation", "into it"]["requests"] == 8
    judged = stages[f"{STUDY}.claude_language", "completions"]
    assert judged["requests"] == 3 * 7 * 2 * 2 and "not drawn yet" in judged["supposed"]
    total = before["total_usd"]
    assert 0 < total["low"] < total["value"] < total["high"] and before["counted"]
    assert newest(project, *study, "claude_usage.json")["usd"] == 0
    run(project, "cost", first_batch=3)
    assert sum(api.log["answered"].values()) <= 3  # of the texts to translate; nothing else is there yet
    run(project, "translation", only_missing=True)
    run(project, "evaluation", namespaces=[f"{STUDY}.baseline"])
    run(project, "cost")
    after = newest(project, *study, "cost_estimate.json")
    stages = {(row["stage"], row["supposed"][:3]): row for row in after["estimates"]}
    assert stages[f"{STUDY}.translation", ""]["cached"] == 6  # two were refused or cut: asked again
    assert stages[f"{STUDY}.claude_leakage", ""]["requests"] == 0
    assert stages[f"{STUDY}.claude_language", ""]["requests"] == 0
    assert stages[f"{STUDY}.claude_language", "not"]["requests"] == 2 * 7 * 2 * 2
    usage = newest(project, *study, "claude_usage.json")
    by_stage = {row["stage"]: row for row in usage["stages"]}
    # The refused and the cut one stood in the first batch, and were asked again.
    assert by_stage[f"{STUDY}.translation"]["answers"] == 10 and by_stage[f"{STUDY}.translation"]["usd"] > 0
    assert usage["usd"] == pytest.approx(sum(row["usd"] for row in usage["stages"]))
    with Cache(project / "data/claude.sqlite") as cache:
        stages = {row["stage"]: row for row in compare(cache, f"{STUDY}.")}
    first, latest = stages[f"{STUDY}.translation"]["estimates"]
    assert first["spent_usd"] == 0 and first["answers"] == 8 and latest["spent_usd"] > 0
    assert stages[f"{STUDY}.translation"]["usd"] == by_stage[f"{STUDY}.translation"]["usd"]
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    environment(project, sending={"budget_usd": 0.001})
    run(project, "cost")
    assert "may reach its budget" in caplog.text
    assert newest(project, *study, "cost_estimate.json")["counted"] is False


def test_where_nobody_is_asked_nothing_is_paid(project, monkeypatch):
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    run(project, "cost", env="test")
    place = project / "data/test/08_reporting" / STUDY / "versions" / "cost_estimate.json"
    assert json.loads((next(place.iterdir()) / "cost_estimate.json").read_text())["estimates"] == []


# Labels by people
def test_a_blind_sample_is_labelled_and_judges_measured_against_it(project, api, capsys):
    environment(project, translator={"kind": "parallel_file", "path": "texts.jsonl"})
    run(project, "data_engineering", "evaluation", namespaces=[f"{STUDY}.baseline"])
    capsys.readouterr()
    run(project, "export_labels", label_study=STUDY, label_probe="directive", label_rows=20)
    said = capsys.readouterr().out
    (place,) = [line.split(": ")[1] for line in said.splitlines() if line.startswith("Sample to label")]
    text = Path(place).read_text()
    for hidden in ("baseline", "langdetect", "claude", "es.", "Speak", "seed"):
        assert hidden not in text.split("\n", 1)[0]
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == 20 and set(rows[0]) == {"row", "completion", "language", "note"}
    judged = newest(project, "07_model_output", STUDY, "baseline", "seed_42", "directive", "judgements.jsonl")
    drawn = newest(project, "07_model_output", STUDY, "baseline", "seed_42", "directive", "generations.jsonl")
    langdetect = {
        (row["item_id"], row["sample"]): row["label"] for row in judged if row["judge"] == "langdetect_published"
    }
    by_text = {row["completion"]: langdetect[row["item_id"], row["sample"]] for row in drawn}
    # A person who says what langdetect says, but for two rows, and leaves three blank.
    for number, row in enumerate(rows):
        shown = row["completion"]
        row["language"] = "" if number < 3 else by_text.get(shown, by_text.get(shown[1:]))
        if number in (3, 4):
            row["language"] = "nl" if row["language"] != "nl" else "en"
    with (project / "filled.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0], delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    run(project, "import_labels", label_file=str(project / "filled.csv"))
    found = newest(project, "08_reporting", "human_labels", "accuracy.json")
    (of,) = [row for row in found["judges"] if (row["judge"], row["label"]) == ("langdetect_published", "all")]
    assert (of["right"], of["n"], found["blank"], found["stale"]) == (15, 17, 3, 0)
    assert of["low"] < 15 / 17 < of["high"]
    assert {row["judge"] for row in found["judges"]} == {"langdetect_published", "claude_language"}
    assert "Accuracy of the judges: " in capsys.readouterr().out
    # The labels are kept, for reports to measure their own judges against.
    (sample,) = measure_judges(str(project / "data/asking/01_raw/human_labels"), STUDY, lambda probe: (drawn, judged))
    assert (sample["probe"], sample["axis"], sample["stale"]) == ("directive", "language", 0)
    assert sample["judges"] == found["judges"]
