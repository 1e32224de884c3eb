"""What versions and reports say of the code and packages that made them."""

import subprocess
from importlib.metadata import PackageNotFoundError

import pytest
from projects import ROOT

from lang_persona import provenance


def test_the_engine_and_the_runner_are_named_where_they_are_installed(monkeypatch):
    def installed(name):
        if name == "vllm":
            return "0.24.0"
        raise PackageNotFoundError(name)

    monkeypatch.setattr(provenance, "version", installed)
    named = provenance.packages()
    assert named["vllm"] == "0.24.0"
    assert named["torch"] == "not installed"
    assert "ray" not in named


@pytest.mark.parametrize("git", [FileNotFoundError("git"), subprocess.CalledProcessError(128, "git")])
def test_an_image_without_git_tells_the_commit_that_it_was_built_of(monkeypatch, git):
    def fails(*_, **__):
        raise git

    monkeypatch.setenv(provenance.COMMIT_VARIABLE, "abc")
    with monkeypatch.context() as answering:
        answering.setattr(provenance, "_git", lambda *asked: "ours" if "rev-parse" in asked else "")
        assert provenance.commit() == "ours"
    monkeypatch.setattr(subprocess, "run", fails)
    assert provenance.commit() == "abc"
    monkeypatch.setenv(provenance.COMMIT_VARIABLE, "")  # built without the argument
    assert provenance.commit() is None
    assert f"ENV {provenance.COMMIT_VARIABLE}=$COMMIT\n" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
