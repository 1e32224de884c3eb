"""No code behind a recipe changes unnoticed."""

import json
import sys

import pytest
from recipe_versions import PYTHON, RECORD, fingerprints


@pytest.mark.skipif(sys.version_info[:2] != PYTHON, reason=f"fingerprints are of Python {PYTHON}'s syntax tree")
def test_code_behind_every_recipe_is_as_recorded():
    recorded, present = json.loads(RECORD.read_text()), fingerprints()
    changed = sorted(name for name in present if present[name] != recorded.get(name))
    assert not changed, (
        f"the code behind {', '.join(changed)} changed. Where outputs can differ, raise @recipe(version=...) of that "
        "node function, so that old outputs are not taken for current; then run `make recipe-versions`."
    )
    assert set(recorded) == set(present)
