"""Kedro project settings."""

import logging
import warnings

from lang_persona.config_loader import StudyConfigLoader
from lang_persona.context import StudyContext
from lang_persona.hooks import ProjectHooks
from lang_persona.logs import tell_mistakes_once

# Kedro 1.7 registers its resolvers the way that omegaconf 2.4 deprecates.
warnings.filterwarnings("ignore", message=r"register_new_resolver\(\) is deprecated")
# transformers 5.23 renamed gradient checkpointing; the old name is the one that 5.17 knows as well.
warnings.filterwarnings("ignore", message=r".*gradient_checkpointing.* is deprecated")
# Kedro can't read the type hints of nodes that load pandas only when they run, and says so for every node.
logging.getLogger("kedro.validation.type_extractor").setLevel(logging.ERROR)
tell_mistakes_once()

HOOKS = (ProjectHooks(),)
# Telemetry reports usage to Kedro's makers; the project opts out (pyproject and .telemetry say so as well).
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)
CONTEXT_CLASS = StudyContext
CONFIG_LOADER_CLASS = StudyConfigLoader
# Soft: an environment, or --params tracking.report_to=[...], changes a key of a mapping and leaves the others.
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "laptop",
    "merge_strategy": {"parameters": "soft"},
}
