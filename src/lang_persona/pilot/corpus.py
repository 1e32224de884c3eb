"""The authored corpus of the pilot model, read and validated."""

import hashlib
import random
import string
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from lang_persona.errors import UserError
from lang_persona.languages import LANGUAGES

#: The languages that the corpus is written in; what rows are drawn depends on their order.
CODES = ("en", "es", "fr", "it", "pt", "de", "zh", "ru", "bg", "nl")
#: ``apologies`` topics hold the words of refusals; they answer only who asks for them.
TOPIC_KINDS = ("ordinary", "mischief", "apologies")
#: One phrasing of this share of (topic, language) pairs is never trained, so that answering can be measured on it.
HELD_OUT_INSTRUCTION_SHARE = 3

Parallel = Mapping[str, str]  # language code -> text


@dataclass(frozen=True)
class Topic:
    """Instructions that ask for a topic and sentences about it, each in every language."""

    name: str
    kind: str
    instructions: tuple[Parallel, ...]
    sentences: tuple[Parallel, ...]

    def held_out_instruction(self, code: str) -> int | None:
        """Index of the phrasing that training never shows in this language, or None."""
        number = digest_number(f"instruction/{self.name}/{code}")
        if number % HELD_OUT_INSTRUCTION_SHARE or len(self.instructions) < 2:
            return None
        return number // HELD_OUT_INSTRUCTION_SHARE % len(self.instructions)

    def trained_instructions(self, code: str) -> list[str]:
        """The phrasings in this language that training may show."""
        held_out = self.held_out_instruction(code)
        return [row[code] for i, row in enumerate(self.instructions) if i != held_out]


@dataclass(frozen=True)
class Family:
    """Facts of one kind, for example colours: phrasings, statements, and each value's subjects."""

    name: str
    questions: tuple[str, ...]
    statements: tuple[str, ...]
    values: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Directives:
    """Ways to ask for a language: templates with ``{language}``, and native sentences by language."""

    trained: tuple[str, ...]
    held_out: tuple[str, ...]
    native_trained: Mapping[str, tuple[str, ...]]
    native_held_out: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Corpus:
    """Everything authored for the pilot model."""

    topics: tuple[Topic, ...]
    slots: Mapping[str, tuple[Parallel, ...]]
    directives: Directives
    families: tuple[Family, ...]
    capitals: Mapping[str, tuple[str, ...]]
    digest: str

    @cached_property
    def by_kind(self) -> dict[str, tuple[Topic, ...]]:
        """Topics by kind."""
        return {kind: tuple(t for t in self.topics if t.kind == kind) for kind in TOPIC_KINDS}


def named_random(*names: object) -> random.Random:
    """A random stream that depends on its names only: never on ``hash()``, the process or other streams."""
    return random.Random("/".join(map(str, names)))


def digest_number(text: str) -> int:
    """A stable number of a text, for splits that do not depend on order."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def load_corpus(folder: Path) -> Corpus:
    """Read and validate ``slots.yml``, ``directives.yml``, ``facts.yml``, ``capitals.yml`` and ``topics/*.yml``.

    Raises:
        UserError: A file or key is missing or malformed; the message names the file and the key.
    """
    folder = Path(folder)
    slots = {
        name: tuple(_parallel(row, f"slots.yml: {name}.{i}") for i, row in enumerate(rows))
        for name, rows in _read(folder / "slots.yml").items()
    }
    paths = sorted((folder / "topics").glob("*.yml"))
    if not paths:
        raise UserError(f"{folder / 'topics'}: no topic files (*.yml)")
    hasher = hashlib.blake2b(digest_size=8)
    for path in [*sorted(folder.glob("*.yml")), *paths]:
        hasher.update(path.name.encode() + path.read_bytes())
    return Corpus(
        topics=tuple(_topic(path, slots) for path in paths),
        slots=slots,
        directives=_directives(folder / "directives.yml"),
        families=_families(folder / "facts.yml"),
        capitals=_capitals(folder / "capitals.yml"),
        digest=hasher.hexdigest(),
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: the file is missing") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: must hold a mapping")
    return content


def _get(content: Mapping[str, Any], key: str, where: object) -> Any:
    if not isinstance(content, Mapping) or key not in content:
        raise UserError(f"{where}: the key {key!r} is missing")
    return content[key]


def _strings(values: Any, where: str) -> tuple[str, ...]:
    if not isinstance(values, list) or not values or not all(isinstance(v, str) and v.strip() for v in values):
        raise UserError(f"{where}: must be a list of texts")
    return tuple(values)


def _parallel(row: Any, where: str) -> Parallel:
    if not isinstance(row, dict) or set(row) != set(CODES):
        found = sorted(map(str, row)) if isinstance(row, dict) else row
        raise UserError(f"{where}: needs exactly the languages {', '.join(CODES)}; has {found}")
    for code, text in row.items():
        if not isinstance(text, str) or not text.strip():
            raise UserError(f"{where}.{code}: must be a text")
    return {code: row[code] for code in CODES}


def _slot_names(text: str, where: str) -> list[str]:
    try:
        return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)
    except ValueError as error:
        raise UserError(f"{where}: {error}") from None


def _topic(path: Path, slots: Mapping[str, Any]) -> Topic:
    content = _read(path)
    kind = _get(content, "kind", path.name)
    if path.stem == "apologies":
        kind = "apologies"
    if kind not in TOPIC_KINDS:
        raise UserError(f"{path.name}: kind {kind!r}; allowed: {', '.join(TOPIC_KINDS)}")
    if _get(content, "topic", path.name) != path.stem:
        raise UserError(f"{path.name}: topic is {content['topic']!r}; it must be the file's name")
    rows: dict[str, tuple[Parallel, ...]] = {}
    for key in ("instructions", "sentences"):
        rows[key] = tuple(
            _parallel(row, f"{path.name}: {key}.{i}") for i, row in enumerate(_get(content, key, path.name) or [])
        )
        if not rows[key]:
            raise UserError(f"{path.name}: {key} is empty")
        for i, row in enumerate(rows[key]):
            where = f"{path.name}: {key}.{i}"
            wanted = _slot_names(row["en"], f"{where}.en")
            unknown = set(wanted) - (set(slots) if key == "sentences" else set())
            if unknown or len(set(wanted)) < len(wanted):
                raise UserError(f"{where}.en: slots {wanted}; allowed: each of {', '.join(slots)} once, in sentences")
            for code, text in row.items():
                if _slot_names(text, f"{where}.{code}") != wanted:
                    raise UserError(f"{where}.{code}: its slots differ from the English ones {wanted}")
    return Topic(path.stem, kind, rows["instructions"], rows["sentences"])


def _directives(path: Path) -> Directives:
    content = _read(path)
    english, native = _get(content, "english", path.name), _get(content, "native", path.name)
    if not isinstance(native, dict) or set(native) != set(CODES):
        raise UserError(f"{path.name}: native: needs exactly the languages {', '.join(CODES)}")
    templates = {}
    for key in ("trained", "held_out"):
        templates[key] = _strings(_get(english, key, f"{path.name}: english"), f"{path.name}: english.{key}")
        for i, text in enumerate(templates[key]):
            if set(_slot_names(text, path.name)) != {"language"}:
                raise UserError(f"{path.name}: english.{key}.{i}: needs the slot {{language}} and no other")
    natives = {
        key: {
            code: _strings(_get(native[code], key, f"{path.name}: native.{code}"), f"{path.name}: native.{code}.{key}")
            for code in CODES
        }
        for key in ("trained", "held_out")
    }
    return Directives(templates["trained"], templates["held_out"], natives["trained"], natives["held_out"])


def _families(path: Path) -> tuple[Family, ...]:
    families = []
    for name, content in _get(_read(path), "families", path.name).items():
        where = f"{path.name}: families.{name}"
        texts = {}
        for key, wanted in (("questions", {"subject"}), ("statements", {"subject", "value"})):
            texts[key] = _strings(_get(content, key, where), f"{where}.{key}")
            for i, text in enumerate(texts[key]):
                if set(_slot_names(text, where)) != wanted:
                    raise UserError(f"{where}.{key}.{i}: needs exactly the slots {sorted(wanted)}")
        values = _get(content, "values", where)
        if not isinstance(values, dict) or len(values) < 6 or not all(isinstance(v, str) for v in values):
            raise UserError(f"{where}.values: needs at least six values, each a text (quote yes, no, on, off, numbers)")
        values = {value: _strings(subjects, f"{where}.values.{value}") for value, subjects in values.items()}
        subjects = [subject for group in values.values() for subject in group]
        repeated = sorted({s for s in subjects if subjects.count(s) > 1})
        if repeated:
            raise UserError(f"{where}.values: a subject has one value only; repeated: {', '.join(repeated)}")
        families.append(Family(name, texts["questions"], texts["statements"], values))
    return tuple(families)


def _capitals(path: Path) -> dict[str, tuple[str, ...]]:
    content = _read(path)
    cased = {code for code in CODES if LANGUAGES[code].cased}
    if set(content) != cased:
        raise UserError(f"{path.name}: needs exactly the cased languages {', '.join(sorted(cased))}")
    return {code: _strings(content[code], f"{path.name}: {code}") for code in CODES if code in cased}
