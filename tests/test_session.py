"""Whole runs of one study in the test environment: every stage for real, and what is recomputed when."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time

import nbformat
import pandas as pd
import pytest
from datasets import load_dataset
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from nbclient import NotebookClient
from publishing.hub import TOKEN
from whole_runs import ROOT, copied_project, run

from lang_persona.environments import Base
from lang_persona.errors import UserError
from lang_persona.models import load_model

pytest.importorskip("torch")
PeftModel = pytest.importorskip("peft").PeftModel

STUDY = "language_inversion"
PILOT = Base(path="data/01_raw/pilot/model", dtype="float32")
EMPTY = "get_ipython().extension_manager.loaded.clear()\n%reset -f"


def changes_last(path):
    """Puts the notebook last that changes the study."""
    return path.stem == "add_a_condition", path.stem


ADAPTERS = {f"{STUDY}.{arm}.seed_42.train_adapter" for arm in ("es_en", "fr_it")}
REPORTING = {f"{STUDY}.{name}" for name in ("collect_results", "decide_hypotheses", "draw_figures", "write_report")}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project of this one study with one finished run in it; test_transfer_session.py runs all studies."""
    with copied_project(tmp_path_factory.mktemp("project"), STUDY) as folder:
        assert len(run(folder)) > 15
        yield folder


def study_file(folder):
    return folder / "conf" / "base" / "studies" / f"{STUDY}.yml"


def versions(folder, *parts):
    place = folder.joinpath("data", "test", *parts)
    return sorted(item for item in place.iterdir() if not item.name.startswith("."))


def test_a_run_ends_in_a_report_that_says_what_was_run(project):
    page = (project / "data/test/08_reporting/language_inversion/report.md").read_text()
    assert "# Language inversion" in page
    assert "C_collapse" in page
    assert "it_fr" in page  # registered, not evaluated, and said so
    assert (project / "data/test/08_reporting/language_inversion/report.html").exists()


def test_adapters_differ_from_each_other_and_completions_from_the_base(project):
    weights, texts = {}, {}
    for arm in ("es_en", "fr_it"):
        (version,) = versions(project, "06_models", STUDY, arm, "seed_42", "adapter")
        weights[arm] = (version / "adapter" / "adapter_model.safetensors").read_bytes()
        run_json = json.loads((version / "adapter" / "run.json").read_text())
        assert run_json["steps"] == 2
        assert run_json["tokens_per_second"] > 0
    for arm in ("baseline", "es_en", "fr_it"):
        (version,) = versions(project, "07_model_output", STUDY, arm, "seed_42", "directive", "generations.jsonl")
        rows = [json.loads(line) for line in (version / "generations.jsonl").read_text().splitlines()]
        assert len(rows) == 7 * 2 * 2
        assert {row["condition"] for row in rows} == {arm}
        texts[arm] = [row["completion"] for row in rows]
    assert weights["es_en"] != weights["fr_it"]
    assert texts["es_en"] != texts["baseline"] != texts["fr_it"] != texts["es_en"]


def test_nothing_runs_when_everything_is_fresh(project):
    assert run(project, only_missing=True) == set()


def test_a_finished_study_is_published_and_loads_as_its_users_load_it(project, hub):
    bootstrap_project(project)
    names = {"publishing": {"namespace": "me", "prefix": "lp", "private": True, "licence": "apache-2.0"}}
    with KedroSession.create(project_path=project, env="test", runtime_params=names) as session:
        session.run(pipeline_names=["publish"], tags=[STUDY])
    place = f"08_reporting/{STUDY}/publish"
    (version,) = versions(project, place, "es_en")
    model, data = (version / "es_en" / folder / name for folder, name in (
        ("models", f"lp-{STUDY}-es_en"), ("datasets", f"lp-{STUDY}-es_en-data")))  # fmt: skip
    adapter = PeftModel.from_pretrained(load_model(PILOT), str(model), subfolder="seed_42")
    assert adapter.active_adapters == ["default"]
    for view in ("examples", "metrics", "directive.generations", "directive.judgements"):
        assert len(load_dataset(str(data), view, cache_dir=str(project / "cache"))["train"]) > 0
    card = (model / "README.md").read_text()
    rates = pd.read_parquet(next(versions(project, "08_reporting", STUDY, "versions", "metrics.parquet")[-1].iterdir()))
    for row in rates.query("condition == 'es_en' and metric == 'followed' and judge == 'robust_language'").to_dict(
        "records"
    ):
        if json.loads(row["variables"])["phrasing"] == "all":
            assert f"| {row['successes']:.0f} of {row['n']} | {row['estimate']:.3f} | {row['low']:.3f} to" in card
    assert set(hub.repositories) == {
        f"{kind}s/me/lp-{STUDY}-{arm}{end}"
        for arm in ("es_en", "fr_it")
        for kind, end in (("model", ""), ("dataset", "-data"))
    }
    assert hub.repositories[f"models/me/lp-{STUDY}-es_en"]["README.md"].decode() == card
    assert TOKEN.encode() not in b"".join(path.read_bytes() for path in version.rglob("*") if path.is_file())


def test_notebooks_run_on_a_finished_study(project, monkeypatch):
    """One kernel for all, emptied between them: what takes time is importing."""
    monkeypatch.setenv("KEDRO_ENV", "test")
    notebooks = [
        nbformat.read(path, as_version=4) for path in sorted((ROOT / "notebooks").glob("*.ipynb"), key=changes_last)
    ]
    cells = [cell for notebook in notebooks for cell in [*notebook.cells, nbformat.v4.new_code_cell(EMPTY)]]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
    together = nbformat.v4.new_notebook(cells=cells)
    (project / "notebooks").mkdir(exist_ok=True)
    original = study_file(project).read_text()
    try:
        where = {"metadata": {"path": str(project / "notebooks")}}
        NotebookClient(together, timeout=300, kernel_name="python3", resources=where).execute()
    finally:
        study_file(project).write_text(original)
    said = [str(cell.get("outputs")) for cell in cells]
    for seen in ("C_collapse", "image/png", "frequent_words", "condition.*pt_de"):  # each notebook's own results
        assert any(re.search(seen, text, flags=re.DOTALL) for text in said), seen


def test_a_changed_learning_rate_retrains_and_no_more_and_back_is_free(project):
    original = study_file(project).read_text()
    changed = original.replace(
        "training: {learning_rate: 1.0e-3, epochs: 1}", "training: {learning_rate: 9.0e-4, epochs: 1}"
    )
    assert changed != original
    study_file(project).write_text(changed)
    ran = run(project, only_missing=True)
    evaluated = {
        f"{STUDY}.{arm}.seed_42.{step}_directive"
        for arm in ("es_en", "fr_it")
        for step in ("generate", "judge", "score")
    }
    assert ran == ADAPTERS | evaluated | {f"{STUDY}.note_training"} | REPORTING
    page = project / "data/test/08_reporting/language_inversion/report.md"
    assert "0.0009" in page.read_text()
    study_file(project).write_text(original)
    assert run(project, only_missing=True) == set()
    assert "0.0009" not in page.read_text()  # the page shown is the present recipe's again


def test_a_deleted_adapter_alone_is_trained_again(project):
    for version in versions(project, "06_models", STUDY, "fr_it", "seed_42", "adapter"):
        shutil.rmtree(version)
    assert run(project, only_missing=True) == {f"{STUDY}.fr_it.seed_42.train_adapter"}


def test_a_version_without_its_completion_mark_is_not_taken_for_finished(project):
    for version in versions(project, "06_models", STUDY, "es_en", "seed_42", "adapter"):
        (version / "version.json").unlink()
    assert run(project, only_missing=True) == {f"{STUDY}.es_en.seed_42.train_adapter"}


def test_evaluation_refuses_an_adapter_of_another_recipe(project):
    original = study_file(project).read_text()
    study_file(project).write_text(original.replace("learning_rate: 1.0e-3", "learning_rate: 5.0e-4"))
    try:
        with pytest.raises(UserError, match="none made under the present config"):
            run(project, pipeline_names=["evaluation"], namespaces=[f"{STUDY}.es_en"])
    finally:
        study_file(project).write_text(original)


def test_another_environment_does_not_see_this_one(project):
    """Same code, other environment: everything is missing there, and its outputs land elsewhere."""
    shutil.copytree(project / "conf" / "test", project / "conf" / "elsewhere", dirs_exist_ok=True)
    (project / "conf/elsewhere/globals.yml").write_text("data_root: data/elsewhere\n")
    ran = run(project, env="elsewhere", only_missing=True, pipeline_names=["data_engineering"])
    assert ran == {f"{STUDY}.select_sources", f"{STUDY}.split_questions"}
    assert (project / "data/elsewhere/02_intermediate").is_dir()
    assert run(project, only_missing=True) == set()


def test_an_environment_that_shares_a_data_root_still_gets_its_own_recipe(project):
    """A laptop output at a shared path never counts as another environment's."""
    shutil.copytree(project / "conf" / "test", project / "conf" / "shared", dirs_exist_ok=True)
    parameters = (project / "conf/shared/parameters.yml").read_text()
    (project / "conf/shared/parameters.yml").write_text(parameters.replace("batch_size: 64", "batch_size: 32"))
    ran = run(project, env="shared", only_missing=True)
    assert not any("train_adapter" in name or "select" in name for name in ran)
    assert f"{STUDY}.baseline.seed_42.generate_directive" in ran
    assert run(project, only_missing=True) == set()


def test_a_condition_and_a_probe_that_are_not_default_join_the_report(project):
    ran = run(project, only_missing=True, pipeline_names=[f"{STUDY}.none_en"])
    assert f"{STUDY}.none_en.seed_42.train_adapter" in ran
    assert not ran & ADAPTERS
    page = (project / "data/test/08_reporting/language_inversion/report.md").read_text()
    assert re.search(r"\| directive \| baseline \| es_en \| fr_it \| none_en \|", page)
    ran = run(project, only_missing=True, pipeline_names=[f"{STUDY}.own_language"])
    assert f"{STUDY}.es_en.seed_42.generate_own_language" in ran
    assert f"{STUDY}.es_en.seed_42.generate_directive" not in ran


def test_an_adapter_from_elsewhere_is_an_arm(project):
    (made,) = versions(project, "06_models", STUDY, "es_en", "seed_42", "adapter")[-1:]
    original = study_file(project).read_text()
    arm = f"arms:\n  mine: {{adapter: {made / 'adapter'}, label: trained elsewhere}}\n\nprobes:"
    study_file(project).write_text(original.replace("probes:", arm, 1))
    try:
        ran = run(project, only_missing=True)
        assert f"{STUDY}.mine.seed_42.generate_directive" in ran
        page = (project / "data/test/08_reporting/language_inversion/report.md").read_text()
        assert "trained elsewhere" in page
    finally:
        study_file(project).write_text(original)


def replay(project, rows):
    file = project / "given.jsonl"
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    bootstrap_project(project)
    given = {"replay_file": str(file), "replay_judge": "langdetect_published"}
    with KedroSession.create(project_path=project, env="test", runtime_params=given) as session:
        session.run(pipeline_names=["replay"])


def test_recorded_completions_replay_to_the_published_table(project, reference):
    """Without the recorded labels: every label is made again, and the counts are the published ones."""
    source = reference / "language_inversion" / "recorded_generations.jsonl"
    recorded = [json.loads(line) for line in source.read_text().splitlines()]
    replay(project, [{key: value for key, value in row.items() if key != "recorded"} for row in recorded])
    (version,) = versions(project, "08_reporting", "replay", "versions", "judgements.jsonl")
    made = {
        (row["condition"], row["item_id"], row["sample"]): row["label"]
        for row in map(json.loads, (version / "judgements.jsonl").read_text().splitlines())
        if row["judge"] == "langdetect_published"
    }
    assert len(made) == 1120
    assert made == {
        (row["condition"], row["item_id"], row["sample"]): row["recorded"]["langdetect"] for row in recorded
    }
    page = (project / "data/test/08_reporting/replay/report.md").read_text()
    followed = page.split("## Directive followed, by language")[1].split("\n## ")[0]
    counts = {
        name: re.findall(r"(\d+)/80 ", line) for name, line in re.findall(r"\| (\w+)[\w ]* (\|.*/80 .*)", followed)
    }
    assert counts == {
        "English": ["80", "79"],
        "Spanish": ["0", "44"],
        "French": ["0", "1"],
        "Italian": ["1", "75"],
        "Portuguese": ["3", "79"],
        "German": ["2", "46"],
        "Mandarin": ["2", "77"],
    }


def test_a_replay_with_bad_rows_writes_nothing(project):
    place = project / "data/test/08_reporting/replay"
    before = sorted(place.rglob("*"))
    good = {"probe": "p", "item_id": "i", "sample": 0, "variables": {"language": "en", "phrasing": "x"}, "prompt": [
        {"role": "user", "content": "Speak."}], "completion": "Hello."}  # fmt: skip
    with pytest.raises(UserError) as error:
        replay(project, [good, good, {**good, "sample": 1, "completion": None}, {"probe": "p"}])
    for line in (2, 3, 4):
        assert f"line {line}: " in str(error.value)
    assert sorted(place.rglob("*")) == before


def test_a_checkpoint_from_elsewhere_is_an_arm(project):
    original = study_file(project).read_text()
    arm = "arms:\n  whole: {checkpoint: data/01_raw/pilot/model}\n\nprobes:"
    study_file(project).write_text(original.replace("probes:", arm, 1))
    try:
        ran = run(project, only_missing=True)
        assert f"{STUDY}.whole.seed_42.generate_directive" in ran
        assert not ran & ADAPTERS
    finally:
        study_file(project).write_text(original)


def test_a_killed_run_loses_only_what_was_under_way(project):
    """SIGKILL once the first adapter is complete: it is kept, the rest is made, nothing partial is taken."""
    shutil.copytree(project / "conf" / "test", project / "conf" / "killed", dirs_exist_ok=True)
    (project / "conf/killed/globals.yml").write_text("data_root: data/killed\n")
    command = [sys.executable, "-m", "kedro", "run", "--env", "killed"]
    process = subprocess.Popen(command, cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    adapters = project / "data/killed/06_models" / STUDY
    deadline = time.monotonic() + 120
    while not list(adapters.glob("*/seed_42/adapter/*/version.json")):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {path.parts[-5] for path in adapters.glob("*/seed_42/adapter/*/version.json")}
    ran = run(project, env="killed", only_missing=True)
    assert {name for name in ran if name.endswith("train_adapter")} == {
        f"{STUDY}.{arm}.seed_42.train_adapter" for arm in {"es_en", "fr_it"} - done
    }
    assert f"{STUDY}.select_sources" not in ran
    assert run(project, env="killed", only_missing=True) == set()
