"""Fingerprints of the code behind every recipe, so that nobody forgets to raise a version.

``python tests/recipe_versions.py --write`` renews ``recipe_versions.json`` after a change that leaves
outputs as they are, or after a version was raised.
"""

import ast
import hashlib
import inspect
import json
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

RECORD = Path(__file__).with_name("recipe_versions.json")
PYTHON = (3, 11)  # syntax trees print differently in other versions
SRC = Path(__file__).parents[1] / "src"
#: Their content reaches a node as data (config, errors, names), which keys cover or which makes no output.
NO_OUTPUT = {"errors", "paths", "recipes", "studies", "environments", "resolve", "datasets.versioned"}
#: Packages whose modules are imported by name, so that no import statement leads to them.
BY_NAME = ("judges", "translators")


def fingerprints() -> dict[str, dict[str, Any]]:
    """Version and code fingerprint of every node function, by name."""
    from kedro.framework.startup import bootstrap_project

    bootstrap_project(SRC.parent)
    from kedro.framework.project import pipelines

    functions = {node.func.__name__: node.func for node in pipelines["all"].nodes}
    return {
        name: {"version": function.__recipe_version__, "fingerprint": _fingerprint(function)}
        for name, function in sorted(functions.items())
    }


def _fingerprint(function: Callable[..., Any]) -> str:
    module = sys.modules[function.__module__]
    tree = ast.parse(inspect.getsource(module))
    own = next(item for item in tree.body if isinstance(item, ast.FunctionDef) and item.name == function.__name__)
    used = {item.id for item in ast.walk(own) if isinstance(item, ast.Name)}
    modules: set[str] = set()
    for item in tree.body:
        if isinstance(item, ast.ImportFrom) and any((alias.asname or alias.name) in used for alias in item.names):
            modules |= _targets(item)
    seen: set[str] = set()
    while modules:
        name = modules.pop()
        if name not in seen:
            seen.add(name)
            modules |= _imported(name) - seen
            modules |= _by_name(name) - seen
    beside = [item for item in tree.body if not isinstance(item, ast.Import | ast.ImportFrom) and not _is_recipe(item)]
    total = hashlib.sha256(_dumped(own))
    for part in [*map(_dumped, beside), *map(_dumped_module, sorted(seen))]:
        total.update(part)
    if "lang_persona.reporting" in seen:
        for template in sorted((SRC / "lang_persona" / "reporting" / "templates").iterdir()):
            total.update(template.read_bytes())
    return total.hexdigest()[:16]


def _by_name(module: str) -> set[str]:
    """Modules of a package that takes them by name."""
    package = module.removeprefix("lang_persona.")
    if package not in BY_NAME:
        return set()
    return {f"{module}.{path.stem}" for path in (SRC / "lang_persona" / package).glob("[a-z]*.py")}


def _is_recipe(item: ast.stmt) -> bool:
    """Whether a statement of a node module is a node function, or the module's docstring."""
    return isinstance(item, ast.Expr) or (isinstance(item, ast.FunctionDef) and bool(item.decorator_list))


def _targets(item: ast.ImportFrom) -> set[str]:
    """Modules of this package that an import names, less those that make no output."""
    if not item.module or not item.module.startswith("lang_persona"):
        return set()
    candidates = {item.module, *(f"{item.module}.{alias.name}" for alias in item.names)}
    found = {name for name in candidates if _file(name).exists()}
    return {name for name in found if name.removeprefix("lang_persona.") not in NO_OUTPUT}


def _file(module: str) -> Path:
    path = SRC.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _parse(module: str) -> ast.Module:
    return ast.parse(_file(module).read_text(encoding="utf-8"))


@cache
def _imported(module: str) -> frozenset[str]:
    imports = [item for item in ast.walk(_parse(module)) if isinstance(item, ast.ImportFrom)]
    return frozenset(target for item in imports for target in _targets(item))


@cache
def _dumped_module(module: str) -> bytes:
    return _dumped(_parse(module))


def _dumped(tree: ast.AST) -> bytes:
    return ast.dump(_bare(tree)).encode()


def _bare(tree: Any) -> Any:
    """The tree without docstrings, so that only what runs counts."""
    for item in ast.walk(tree):
        body = getattr(item, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            item.body = body[1:] or [ast.Pass()]
    return tree


if __name__ == "__main__":
    if "--write" not in sys.argv:
        sys.exit("usage: python tests/recipe_versions.py --write")
    RECORD.write_text(json.dumps(fingerprints(), indent=1) + "\n", encoding="utf-8")
