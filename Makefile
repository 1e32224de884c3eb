# Every target starts from nothing: it makes .venv and installs into it first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test test-gpu check docs bench cells-table choice-table claude-table coverage-table pilot-table judges-table
.PHONY: refusal-table viz prune recipe-versions clean

run: $(VENV)/installed  ## the whole path on the pilot model; resumes what a killed run left
	$(BIN)/kedro run --only-missing-outputs

test: $(VENV)/installed  ## the test suite, two files at a time, a core each
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-gpu: $(VENV)/installed  ## the tests that need a GPU
	LANG_PERSONA_TEST_GPU=1 $(BIN)/pytest

check: $(VENV)/installed  ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(VENV)/installed  ## the config reference, and the site in build/docs; a broken link is an error
	$(BIN)/python -m lang_persona.config_reference
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(VENV)/installed  ## time per stage, tokens/s, documents/s
	$(BIN)/python benchmarks/laptop.py

judges-table: $(VENV)/installed  ## docs/tables/language_judges.md (needs the reference data)
	$(BIN)/python benchmarks/language_judges.py

refusal-table: $(VENV)/installed  ## docs/tables/refusal_judge.md (needs the reference data)
	$(BIN)/python benchmarks/refusal_judge.py

choice-table: $(VENV)/installed  ## docs/tables/choice_scores.md: label scores against lm-evaluation-harness
	$(BIN)/python benchmarks/choice_scores.py

claude-table: $(VENV)/installed  ## docs/tables/claude_client.md: the client of Claude against a local server
	$(BIN)/python benchmarks/claude_client.py

cells-table: $(VENV)/installed  ## docs/tables/many_cells.md: a study of 1,000 cells
	$(BIN)/python benchmarks/many_cells.py

coverage-table: $(VENV)/installed  ## docs/tables/interval_coverage.md: how often printed intervals hold the truth (ten minutes)
	$(BIN)/python benchmarks/interval_coverage.py

pilot-table: $(VENV)/installed  ## docs/tables/pilot_model.md
	$(BIN)/kedro run --pipelines pilot_evaluation

viz: $(VENV)/installed  ## lineage of one study in the browser
	$(BIN)/kedro viz run --pipeline language_inversion

prune: $(VENV)/installed  ## remove versions that nothing refers to; asks first
	$(BIN)/kedro prune

recipe-versions: $(VENV)/installed  ## after a change of code behind recipe keys: see docs/architecture.md
	$(BIN)/python tests/recipe_versions.py --write

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@

clean:  ## remove the environment; data stays
	rm -rf $(VENV)
