"""The reference of every config key, written from the typed models (``docs/reference/config.md``).

``python -m lang_persona.config_reference`` writes the page; a test fails when it is stale.
"""

import inspect
import re
import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, RootModel
from pydantic.fields import FieldInfo

from lang_persona.environments import Environment
from lang_persona.paths import project_path
from lang_persona.pilot.config import PilotConfig
from lang_persona.run_parameters import RunParameters
from lang_persona.studies import Component, FileComponent, Study

PAGE = Path("docs/reference/config.md")
#: Chapters: title, what the file is, the models that it begins with.
CHAPTERS: tuple[tuple[str, str, tuple[type[BaseModel], ...]], ...] = (
    (
        "Study files",
        "`conf/base/studies/<study>.yml`. The file's name is the study's, so `name` is not written. A component of "
        "`mixture`, and what a condition changes of it, is a `Component` or a `FileComponent` once put together.",
        (Study, Component, FileComponent),
    ),
    ("Environments", "`conf/<env>/parameters.yml`.", (Environment,)),
    ("Run parameters", "`conf/base/parameters.yml`, an environment's file or `--params`.", (RunParameters,)),
    ("The pilot model", "`conf/base/parameters_pilot_model.yml`, key `pilot`.", (PilotConfig,)),
)


def reference_page() -> str:
    """The page, as Markdown."""
    lines = [
        "# Config reference",
        "",
        "Written by `make docs` from the typed models, which refuse every key that is not listed here. A key without a "
        "default must be given. Names of types link to their tables.",
    ]
    described: set[type[BaseModel]] = set()
    for title, what, roots in CHAPTERS:
        lines += ["", f"## {title}", "", what]
        for model in _reachable(roots):
            if model not in described:
                described.add(model)
                lines += ["", *_section(model)]
    return "\n".join(lines) + "\n"


def _reachable(roots: tuple[type[BaseModel], ...]) -> list[type[BaseModel]]:
    """The models and all that their fields name, in the order in which they are first named."""
    found: list[type[BaseModel]] = []
    waiting = list(roots)
    while waiting:
        model = waiting.pop(0)
        if model not in found and not issubclass(model, RootModel):
            found.append(model)
            waiting += [one for field in model.model_fields.values() for one in _models(field.annotation)]
    return found


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _section(model: type[BaseModel]) -> list[str]:
    text, attributes = _docstring(model)
    comments = {name: comment for one in reversed(model.__mro__) for name, comment in _comments(one).items()}
    lines = [f"### {_name(model)}", "", text, "", "| key | type | default | what |", "| --- | --- | --- | --- |"]
    own = inspect.get_annotations(model)
    for name, field in sorted(model.model_fields.items(), key=lambda item: item[0] not in own):  # inherited ones last
        what = attributes.get(field.alias or name) or comments.get(name, "")
        if name == "kind" and not what:
            what = "Says that it is this form."
        cells = [f"`{field.alias or name}`", _type(field), _default(field), _escaped(what)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _name(model: type[BaseModel]) -> str:
    """A model's name on the page; the pilot's have some names that a study's have too."""
    own = model.__name__
    return f"Pilot{own}" if model.__module__.endswith("pilot.config") and not own.startswith("Pilot") else own


def _docstring(model: type[BaseModel]) -> tuple[str, dict[str, str]]:
    """A model's docstring as Markdown, and what it and its bases say of single attributes (Google style)."""
    attributes: dict[str, str] = {}
    own = ""
    for one in reversed(model.__mro__):
        head, _, tail = inspect.cleandoc(one.__dict__.get("__doc__") or "").partition("Attributes:")
        attributes |= {
            match["name"]: " ".join(match["text"].split())
            for match in re.finditer(r"^    (?P<name>\w+): (?P<text>.*(?:\n     +.*)*)", tail, flags=re.MULTILINE)
        }
        own = head if one is model else own
    return _markdown(own.strip()), attributes


def _comments(model: type) -> dict[str, str]:
    """Trailing comments of a class's fields, which say what a name can't."""
    if not issubclass(model, BaseModel) or model.__module__.startswith("pydantic"):
        return {}
    found = re.finditer(r"^    (\w+): [^#\n]*  # (.+)$", inspect.getsource(model), flags=re.MULTILINE)
    return {match[1]: match[2] for match in found if not match[2].startswith("type: ignore")}


def _markdown(text: str) -> str:
    """Docstring markup (roles, double backquotes) as Markdown; shown on one page, references need no link."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text)
    return re.sub(r"``([^`]+)``", r"`\1`", text)


def _escaped(text: str) -> str:
    return re.sub(r"\bNone\b", "null", _markdown(text)).replace("|", r"\|")


def _type(field: FieldInfo) -> str:
    bounds = ", ".join(one for one in map(_bound, field.metadata) if one)
    return _spelled(field.annotation) + (f" ({bounds})" if bounds else "")


def _spelled(annotation: Any) -> str:
    """A type as a reader of YAML would say it; models link to their tables."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is None or annotation is type(None):
        return "null"
    if isinstance(annotation, type) and issubclass(annotation, RootModel):
        return "text or null"  # chat.System
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{_name(annotation)}](#{_name(annotation).lower()})"
    if origin is Annotated:
        bounds = ", ".join(one for one in map(_bound, annotation.__metadata__) if one)
        return _spelled(arguments[0]) + (f" ({bounds})" if bounds else "")
    if origin is Literal:
        return " or ".join(f"`{one}`" for one in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(_spelled, arguments)))
    if origin is tuple:
        inner = arguments[:1] if arguments[-1] is Ellipsis else arguments
        return f"list of {_spelled(inner[0])}" if len(inner) == 1 else f"[{', '.join(map(_spelled, inner))}]"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"mapping of {_spelled(arguments[0])} to {_spelled(arguments[1])}"
    plain = {str: "text", int: "integer", float: "number", bool: "true or false", Any: "any"}
    return plain.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _bound(limit: Any) -> str:
    """A bound of a value in words; constraints that are none (discriminators, validators) say nothing."""
    inner = getattr(limit, "metadata", None)
    if inner:
        return ", ".join(one for one in map(_bound, inner) if one)
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    said = [f"{sign} {getattr(limit, key)}" for key, sign in signs.items() if getattr(limit, key, None) is not None]
    validator = getattr(limit, "func", None)
    if validator is not None and validator.__name__.startswith("_known_"):
        said.append(validator.__name__.removeprefix("_known_").replace("_", " "))
    return ", ".join(said)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "null" if isinstance(value, RootModel) else "its own defaults"
    spelled = {None: "null", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return f"`{spelled[value]}`"
    if value == "":
        return '`""`'
    return f"`{list(value) if isinstance(value, tuple) else value}`"


if __name__ == "__main__":
    target = project_path() / PAGE
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(reference_page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
