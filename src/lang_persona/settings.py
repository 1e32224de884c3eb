"""Kedro project settings."""

from lang_persona.config_loader import StudyConfigLoader
from lang_persona.hooks import ProjectHooks

HOOKS = (ProjectHooks(),)
# Telemetry reports usage to Kedro's makers; the project opts out (pyproject and .telemetry say so as well).
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)
CONFIG_LOADER_CLASS = StudyConfigLoader
CONFIG_LOADER_ARGS = {"base_env": "base", "default_run_env": "laptop"}
