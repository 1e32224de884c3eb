"""Node of planning."""

from typing import Any

from lang_persona.planning.page import plan_page
from lang_persona.recipes import recipe


@recipe(version=3)
def plan_study(config: dict[str, Any], planning: dict[str, Any], rates: dict[str, Any]) -> str:
    """What the default run of a study takes and can show; nothing is read or asked."""
    page = plan_page(config["sizes"], planning, rates, config["asked"], config["hypotheses"])
    print(page)
    return page
