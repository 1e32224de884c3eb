"""The documentation: the reference is what the models say, links lead somewhere, commands name what exists."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lang_persona.config_reference import PAGE, reference_page
from lang_persona.pipeline_registry import register_pipelines

ROOT = Path(__file__).parents[1]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])


def build(folder, site):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


def test_the_config_reference_is_what_the_models_say():
    assert (ROOT / PAGE).read_text(encoding="utf-8") == reference_page(), "stale: run `make docs`"


def test_the_reference_has_every_key_of_the_shipped_studies_and_environments():
    page = reference_page()
    for key in (
        "applies_to",
        "coherence_drop",
        "size_tolerance",
        "micro_batch_size",
        "budget_usd",
        "namespace",
        "from",
    ):
        assert f"| `{key}` |" in page
    assert "| `learning_rate` | number (> 0) |  | Peak learning rate (AdamW). |" in page
    assert "| `licence` | text (licence) or [OtherLicence](#otherlicence) or null | `null` |" in page


def test_the_site_builds_without_a_broken_link_and_a_planted_one_is_found(tmp_path):
    for name in ("docs", "mkdocs.yml", "CHANGELOG.md", "CONTRIBUTING.md"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "reference" / "config" / "index.html").exists()
    page = tmp_path / "docs" / "index.md"
    page.write_text(page.read_text() + "\n[gone](gone.md) [nowhere](tutorial.md#nowhere)\n")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode != 0
    assert "gone.md" in done.stderr
    assert "#nowhere" in done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_pipeline_that_a_page_names_exists(page, registered):
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"kedro run [^`\n]*--pipelines?[= ]([\w.]+)", text)
    own = set(re.findall(r"^  (\w+): \{variables|^  (\w+): \{kind", text, flags=re.MULTILINE))
    for name in named:
        added = any(name.endswith(f".{one}") for pair in own for one in pair if one)  # by the page itself
        assert name in registered or added, f"{page}: no pipeline {name}"


@pytest.fixture(scope="module")
def registered():
    return set(register_pipelines())
