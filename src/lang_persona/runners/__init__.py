"""Kedro runners of the project: cells side by side on Ray, and a dry run.

``kedro run --runner=lang_persona.runners.RayRunner``, ``--runner=lang_persona.runners.DryRunner``.
"""

from lang_persona.runners.dry_runner import DryRunner
from lang_persona.runners.ray_runner import RayRunner

__all__ = ["DryRunner", "RayRunner"]
