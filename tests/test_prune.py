"""What is kept and what goes when versions are pruned, on a project whose sources are selected twice."""

import os
import re
import shutil
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from projects import ROOT, one_study
from reporting.toy_language import inputs_of

from lang_persona.cli import cli
from lang_persona.prune import LISTED, left_checkpoints, named_files, prunable
from lang_persona.reporting import render_report

STUDY = "language_inversion"


@pytest.fixture(scope="module")
def selected_twice(tmp_path_factory):
    """A copy of the project with one study, whose sources have two versions, the second of them current."""
    folder = one_study(tmp_path_factory.mktemp("selected"), STUDY)
    with entered(folder):
        select(folder)
        change(folder, 31)
        select(folder)
    return folder


@contextmanager
def entered(folder):
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        bootstrap_project(ROOT)


@pytest.fixture
def project(tmp_path, selected_twice):
    """A copy of it of the test's own, and in it."""
    folder = shutil.copytree(selected_twice, tmp_path / "project", symlinks=True)
    with entered(folder):
        yield folder


def select(project, env="test"):
    bootstrap_project(project)
    with KedroSession.create(project_path=project, env=env) as session:
        session.run(pipeline_names=["data_engineering"], only_missing_outputs=True)


def prune(project, *arguments, answer=None):
    metadata = bootstrap_project(project)
    done = CliRunner().invoke(cli, ["prune", "--env", "test", *arguments], obj=metadata, input=answer)
    assert done.exit_code == 0, done.output
    return done.output


def versions(project):
    return sorted(item.name for item in (project / "data/test/02_intermediate" / STUDY / "sources.jsonl").iterdir())


def change(project, keep):
    path = project / "conf/base/studies" / f"{STUDY}.yml"
    text = path.read_text()
    path.write_text(text.replace("keep: 32", f"keep: {keep}"))
    assert path.read_text() != text


@pytest.fixture
def twice(project):
    """The name of the first version."""
    first, _ = versions(project)
    return first


def test_a_stale_version_goes_and_the_current_one_stays(project, twice):
    told = prune(project, answer="n\n")
    assert twice in told
    assert "2 versions" in told  # the sources and their ledger
    assert len(versions(project)) == 2
    labels = project / "data/test/08_reporting/human_labels/accuracy.json"
    for version in ("v1", "v2"):  # made by what was said on a command line, which no config repeats
        (labels / version).mkdir(parents=True)
        (labels / version / "accuracy.json").write_text("{}")
        (labels / version / "version.json").write_text('{"key": "k"}')
    assert "Removed 3 versions" in prune(project, "--yes")
    assert [item.name for item in labels.iterdir()] == ["v2"]
    assert twice not in versions(project)
    assert len(versions(project)) == 1


def test_what_another_environment_with_the_same_data_refers_to_stays(project, twice):
    for name, root in (("other", "data/test"), ("elsewhere", "data/elsewhere")):
        shutil.copytree(project / "conf/test", project / "conf" / name)
        (project / "conf" / name / "globals.yml").write_text(f"data_root: {root}\n")
    parameters = project / "conf/other/parameters.yml"
    parameters.write_text(parameters.read_text().replace("scale: smoke", "scale: pilot"))
    select(project, "other")
    assert len(versions(project)) == 3
    told = prune(project, "--yes")
    assert "environments: other, test" in told
    assert len(versions(project)) == 2
    assert twice not in versions(project)


@pytest.fixture
def trained(project, twice):
    """The adapters of a recipe that is no longer in the config, versions v1 and v2."""
    root = project / "data/test/06_models" / STUDY / "es_en/seed_42/adapter"
    for version in ("v1", "v2"):
        (root / version / "adapter").mkdir(parents=True)
        (root / version / "version.json").write_text(f'{{"key": "k", "version": "{version}"}}')
        (root / version / "adapter/config.json").write_text("{}")
    return root


@pytest.mark.parametrize("key", ["adapter", "checkpoint"])
def test_a_version_that_a_study_names_as_an_arm_stays(project, trained, key):
    path = project / "conf/base/studies" / f"{STUDY}.yml"
    named = (trained / "v1/adapter").relative_to(project)
    path.write_text(f"{path.read_text()}arms:\n  theirs: {{{key}: {named}, base: chat}}\n")
    prune(project, "--yes")
    assert [item.name for item in trained.iterdir()] == ["v1"]


def test_a_version_that_a_study_names_at_a_scale_that_no_environment_runs_stays(project, trained):
    path = project / "conf/base/studies" / f"{STUDY}.yml"
    path.write_text(path.read_text().replace("data/01_raw/pilot/texts.jsonl", str(trained / "v1/adapter/config.json")))
    for environment in ("laptop", "test"):
        parameters = project / "conf" / environment / "parameters.yml"
        parameters.write_text(re.sub("^scale: .*", "scale: full", parameters.read_text(), flags=re.MULTILINE))
    prune(project, "--yes")
    assert [item.name for item in trained.iterdir()] == ["v1"]


def test_a_version_that_is_the_base_of_any_environment_stays(project, trained):
    """Also of one with another data root: a base may be what was trained in full under this one."""
    shutil.copytree(project / "conf/test", project / "conf/elsewhere")
    (project / "conf/elsewhere/globals.yml").write_text("data_root: data/elsewhere\n")
    parameters = project / "conf/elsewhere/parameters.yml"
    text = parameters.read_text().replace("data/01_raw/pilot/model", str(trained / "v1/adapter"))
    assert str(trained) in text
    parameters.write_text(text)
    prune(project, "--yes")
    assert [item.name for item in trained.iterdir()] == ["v1"]


def test_what_a_named_folder_holds_stays(tmp_path):
    version = tmp_path / "02_intermediate/s/sources.jsonl/v1"
    version.mkdir(parents=True)
    (version / "version.json").write_text('{"key": "k", "version": "v1"}')
    assert prunable(tmp_path, set(), {version.parent}) == []
    assert prunable(tmp_path, set(), {version / "sources.jsonl"}) == []
    assert [one.path for one in prunable(tmp_path, set(), {version.with_name("v2")})] == [version]


def test_paths_are_found_at_any_depth_and_in_lists():
    config = {
        "s": {"arms": [{"adapter": "/a", "label": "/b"}], "base": {"path": "/c", "name": None}},
        "instructions": {"path": {"en": "/d", "zh": "/e"}},
    }
    assert named_files(config) == {Path(f"/{name}") for name in "acde"}


def checkpoint(folder, cell, days):
    """What a killed training leaves, written to for the last time so many days ago."""
    kept = folder / cell / "checkpoint-8"
    kept.mkdir(parents=True)
    (kept / "trainer_state.json").write_text("{}")
    (kept.parent / "identity.json").write_text("x")
    then = time.time() - days * 24 * 3600
    for item in (*kept.parent.rglob("*"), kept.parent):
        os.utime(item, (then, then))
    return kept.parent


def test_checkpoints_go_a_week_after_the_last_or_a_day_after_where_the_cell_is_trained(tmp_path):
    kept = [checkpoint(tmp_path, "s.a.seed_1", 6), checkpoint(tmp_path, "s.b.seed_1", 0.5)]
    gone = [checkpoint(tmp_path, "s.c.seed_1", 8), checkpoint(tmp_path, "s.b.seed_2", 2)]
    (tmp_path / "not_ours").mkdir()
    os.utime(tmp_path / "not_ours", (0, 0))
    os.utime(gone[0].parent / kept[0].name / "identity.json", (0, 0))  # the age is that of the newest file
    found = left_checkpoints(tmp_path, {"s.b.seed_1", "s.b.seed_2"})
    assert sorted(one.path for one in found) == sorted(gone)
    assert {one.why for one in found} == {"checkpoint"}


def test_the_command_lists_checkpoints_and_keeps_those_of_a_cell_that_is_not_trained(project, twice):
    folder = project / "data/test/06_models/checkpoints"
    old, young = (checkpoint(folder, f"{STUDY}.es_en.seed_{seed}", days) for seed, days in ((1, 8), (2, 2)))
    told = prune(project, "--yes")
    assert f"checkpoint  06_models/checkpoints/{old.name}" in told
    assert "1 checkpoints" in told
    assert not old.exists()
    assert young.exists()


def test_a_cell_counts_as_trained_where_every_environment_with_the_folder_has_its_adapter(project, twice, monkeypatch):
    shutil.copytree(project / "conf/test", project / "conf/other")
    cell = f"{STUDY}.es_en.seed_2"
    left = checkpoint(project / "data/test/06_models/checkpoints", cell, 2)
    trained = {f"{cell}.adapter": project / "v1"}
    for environments, goes in (([trained, {}], False), ([trained, trained], True)):
        current = iter([{}, *environments])  # the laptop's root is there too, and keeps its checkpoints elsewhere
        monkeypatch.setattr("lang_persona.prune.current_versions", lambda *_, current=current: next(current))
        assert (left.name in prune(project, answer="n\n")) == goes


def test_what_a_published_report_lists_stays(project, twice):
    stamp = project / "data/test/02_intermediate" / STUDY / "sources.jsonl" / twice / "version.json"
    key = stamp.read_text().split('"key": "')[1].split('"')[0]
    page = project / "data/test/08_reporting" / STUDY / "report.md"
    page.parent.mkdir(parents=True)
    page.write_text(f"# Report\n\n| data set | version | key |\n| {STUDY}.sources | {twice} | {key} |\n")
    prune(project, "--yes")
    assert twice in versions(project)


def test_rows_are_read_as_a_report_writes_them():
    made_of = {f"{STUDY}.sources": {"version": "2026-01-01T00.00.00.000Z", "key": 32 * "a"}}
    page = render_report(replace(inputs_of(), provenance={"datasets": made_of}))["report.md"]
    assert LISTED.findall(page) == [("2026-01-01T00.00.00.000Z", 32 * "a")]


def test_half_written_versions_go_only_when_they_are_old(tmp_path):
    young, old = (tmp_path / "06_models" / name / ".v1.abc.partial" for name in ("young", "old"))
    for folder in (young, old):
        folder.mkdir(parents=True)
    yesterday = time.time() - 25 * 3600
    os.utime(old, (yesterday, yesterday))
    (found,) = prunable(tmp_path, set())
    assert (found.path, found.why) == (old, "unfinished")


def test_data_beside_the_layers_is_left_alone(tmp_path):
    for place in ("02_intermediate/s/sources.jsonl/v1", "pod/02_intermediate/s/sources.jsonl/v1", "01_raw/x/v1"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "version.json").write_text('{"key": "k", "version": "v1"}')
    assert [one.path for one in prunable(tmp_path, set())] == [tmp_path / "02_intermediate/s/sources.jsonl/v1"]
