"""Source texts: read from the pilot's corpus, the user's file or the hub, then selected."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from lang_persona.errors import UserError
from lang_persona.paths import locate
from lang_persona.questions import parse_questions, split_questions
from lang_persona.studies import (
    FileQuestions,
    FileSource,
    HubQuestions,
    HubSource,
    PilotSource,
    Selection,
)


def read_json_lines(path: str, required: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Rows of a JSON lines file.

    Raises:
        UserError: No such file, or a line that is not a JSON object with the required keys; names file and line.
    """
    file = locate(path)
    if not file.is_file():
        raise UserError(f"{path} does not exist: put the file there or name another")
    with file.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                row = json.loads(line.decode("utf-8"))
            except UnicodeDecodeError:
                raise UserError(f"{path}, line {number}: not UTF-8") from None
            except json.JSONDecodeError as error:
                raise UserError(f"{path}, line {number}: not JSON ({error.msg})") from None
            missing = [key for key in required if not isinstance(row, dict) or key not in row]
            if missing:
                raise UserError(f"{path}, line {number}: lacks {', '.join(missing)}")
            yield row


def read_source(source: PilotSource | FileSource | HubSource, language: str) -> Iterator[dict[str, Any]]:
    """Candidate rows ``source_id, text, language, origin`` in the source's own order.

    Raises:
        UserError: The file or data set can't be read; says what to do.
    """
    if isinstance(source, PilotSource):
        for row in read_json_lines(source.path, ("text_id", "kind", "texts")):
            if language not in row["texts"]:
                raise UserError(f"{source.path}: {row['text_id']} has no text in {language}")
            if row["kind"] == "ordinary":
                yield _row(row["text_id"], row["texts"][language], language, "pilot corpus")
    elif isinstance(source, FileSource):
        for number, row in enumerate(read_json_lines(source.path, ("text",))):
            if not isinstance(row["text"], str):
                raise UserError(
                    f"{source.path}, line {number + 1}: 'text' is {type(row['text']).__name__}, must be str"
                )
            yield _row(row.get("source_id", f"row-{number}"), row["text"], row.get("language", language), source.origin)
    else:
        yield from _read_hub(source, language)


def select_sources(
    rows: Iterable[Mapping[str, Any]], selection: Selection, identify: Callable[[str], str | None]
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Keep the first rows that are long enough, in the right language and not seen before.

    Args:
        rows: Candidates, in order.
        selection: Of the ``first`` candidates, the first ``keep`` that pass are kept.
        identify: Names the language of a text; called on its first ``identify_characters`` characters.

    Returns:
        The kept rows, and a ledger that counts what became of every candidate.

    Raises:
        UserError: Fewer rows passed than ``keep``; a short selection is never passed on silently.
    """
    kept: list[dict[str, Any]] = []
    ledger: Counter[str] = Counter()
    ids: set[str] = set()
    for number, row in enumerate(rows):
        if number == selection.first or len(kept) == selection.keep:
            break
        reason = _reject(row, ids, selection, identify)
        ledger[reason or "kept"] += 1
        if reason is None:
            kept.append(dict(row))
        ids.add(row["source_id"])
    if len(kept) < selection.keep:
        raise UserError(
            f"only {len(kept)} of the {selection.keep} rows wanted passed the selection ({dict(ledger)}): "
            "lower selection.keep or raise selection.first"
        )
    return kept, dict(ledger)


def _reject(
    row: Mapping[str, Any], ids: set[str], selection: Selection, identify: Callable[[str], str | None]
) -> str | None:
    if row["source_id"] in ids:
        return "duplicate id"
    if len(row["text"]) < selection.min_characters:
        return f"under {selection.min_characters} characters"
    if identify(row["text"][: selection.identify_characters]) != selection.language:
        return f"not identified as {selection.language}"
    return None


def _row(source_id: str, text: str, language: str, origin: str) -> dict[str, Any]:
    return {"source_id": str(source_id), "text": text, "language": language, "origin": origin}


def read_questions(source: FileQuestions | HubQuestions) -> list[dict[str, Any]]:
    """Multiple-choice questions with their halves, in the source's own order; see :mod:`lang_persona.questions`.

    Raises:
        UserError: The file or data set can't be read, or holds a row that is no question.
    """
    if isinstance(source, FileQuestions):
        questions = parse_questions(read_json_lines(source.path, ("question",)), source.origin)
    else:
        questions = parse_questions(_hub_rows(source), _hub_origin(source))
    return split_questions(questions, source.halves.seed, source.halves.train)


def _read_hub(source: HubSource, language: str) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(_hub_rows(source)):
        replies = [message["content"] for message in row["messages"] if message["role"] == "assistant"]
        if replies:
            yield _row(row.get("prompt_id", str(number)), replies[0].strip(), language, _hub_origin(source))


def _hub_origin(source: HubSource | HubQuestions) -> str:
    return f"{source.dataset}@{source.revision[:12]}"


def _hub_rows(source: HubSource | HubQuestions) -> Iterator[dict[str, Any]]:
    """Rows of a hub data set at its pinned revision, streamed."""
    import datasets

    pinned = {"revision": source.revision, "split": source.split, "streaming": True}
    if isinstance(source, HubQuestions):
        pinned["name"] = source.config
    try:
        yield from datasets.load_dataset(source.dataset, **pinned)
    except Exception as error:  # the hub's clients raise errors of their own, which change with their versions
        raise UserError(
            f"can't read {_hub_origin(source)} from the hub ({type(error).__name__}: {str(error)[:200]}). Connect to "
            "the network, or download it elsewhere and name it in the study as {kind: file, path: ..., origin: ...}"
        ) from error
