"""Machinery of typed config: strict models, errors in the user's words, YAML without repeated keys."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from lang_persona.errors import UserError
from lang_persona.languages import LANGUAGES

Model = TypeVar("Model", bound=BaseModel)
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
#: A commit on the Hugging Face hub.
Revision = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]


def _known_language(code: str) -> str:
    if code not in LANGUAGES:
        raise ValueError(f"unknown language {code!r}; known: {', '.join(LANGUAGES)}")
    return code


LanguageCode = Annotated[str, AfterValidator(_known_language)]


class Config(BaseModel):
    """A frozen model that knows all its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``below`` changed by ``above``: mappings merge by key, all else is replaced.

    A mapping with another ``kind`` replaces the whole mapping, since the old kind's keys mean nothing to it.
    """
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            same_kind = value.get("kind", old.get("kind")) == old.get("kind")
            merged[key] = merge(old, value) if same_kind else value
        else:
            merged[key] = value
    return merged


def fill(value: Any, variables: Mapping[str, str]) -> Any:
    """Replace a string that is exactly ``{variable}`` by its value, everywhere in a nested value."""
    if isinstance(value, str):
        inner = value[1:-1]
        return variables[inner] if value == f"{{{inner}}}" and inner in variables else value
    if isinstance(value, Mapping):
        return {key: fill(item, variables) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [fill(item, variables) for item in value]
    return value


def unfilled(value: Any) -> Iterator[str]:
    """Names of variables that :func:`fill` left unfilled; ``{language}`` alone is a phrasing's own."""
    if isinstance(value, str):
        inner = value[1:-1]
        if value == f"{{{inner}}}" and inner.isidentifier() and inner != "language":
            yield inner
    elif isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from unfilled(item)


def validate(model: type[Model], value: Any, where: str) -> Model:
    """Build a model from plain data.

    Raises:
        UserError: One line a mistake: where, what, and the allowed keys.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise UserError(f"{where}: " + "; ".join(_explain(model, item) for item in error.errors())) from None


def _explain(model: type[BaseModel], item: Any) -> str:
    # pydantic also names the branch of a union that it tried ("function-after[...]"): no key of the user's
    location = ".".join(str(part) for part in item["loc"] if "[" not in str(part))
    if item["type"] == "extra_forbidden":
        return f"unknown key {location!r}; known: {', '.join(_known_keys(model, item['loc']))}"
    message = item["msg"].removeprefix("Value error, ")
    return f"{location}: {message}" if location else message


def _known_keys(model: Any, location: tuple[Any, ...]) -> list[str]:
    """Keys allowed where ``location`` points, following fields, mappings and unions as far as they are models."""
    current = [model]
    for part in location[:-1]:
        following: list[Any] = []
        for candidate in current:
            fields = getattr(candidate, "model_fields", None)
            if fields is not None:
                names = {field.alias or name: field.annotation for name, field in fields.items()}
                following += [names[part]] if part in names else []
            else:
                following.append(candidate)
        current = [leaf for candidate in following for leaf in _models(candidate)] or current
    return sorted(
        {field.alias or name for candidate in current for name, field in getattr(candidate, "model_fields", {}).items()}
    )


def _models(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML as usual, except that a key given twice in one mapping is an error."""


def _mapping(loader: _UniqueKeyLoader, node: yaml.MappingNode) -> dict[str, Any]:
    seen: set[str] = set()
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, bool):
            said = f'YAML reads {key_node.value} as {str(key).lower()}: write "{key_node.value}"'
            raise yaml.constructor.ConstructorError(None, None, said, key_node.start_mark)
        if key in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"{key!r} is given twice in one mapping", key_node.start_mark
            )
        seen.add(key)
    loader.flatten_mapping(node)
    return dict(loader.construct_pairs(node, deep=True))


_UniqueKeyLoader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_yaml(path: Path) -> Any:
    """Read a YAML file in which no key stands twice.

    Raises:
        UserError: Names the file, line and problem.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)  # a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise UserError(f"{path}, line {mark.line + 1 if mark else '?'}: {error.problem}") from None
