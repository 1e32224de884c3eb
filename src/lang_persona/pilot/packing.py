"""Conversations of the pilot model as token ids, packed into rows of one length."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lang_persona.errors import UserError
from lang_persona.pilot.config import Training
from lang_persona.pilot.corpus import named_random
from lang_persona.pilot.tokenizer import render_pair

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EncodedPool:
    """Token ids of many conversations end to end.

    Attributes:
        ids: All token ids, uint16, shape (tokens,).
        starts: Where each conversation begins, and the end of the last, shape (conversations + 1,).
        reply_starts: Where each conversation's reply begins, shape (conversations,).
    """

    ids: np.ndarray
    starts: np.ndarray
    reply_starts: np.ndarray


@dataclass(frozen=True)
class Batch:
    """Packed rows; every array has shape (rows, row_length).

    Attributes:
        ids: Token ids.
        documents: Number of the conversation within its row; -1 is padding.
        positions: Position of the token within its conversation.
        replies: Whether the token belongs to a reply.
    """

    ids: np.ndarray
    documents: np.ndarray
    positions: np.ndarray
    replies: np.ndarray


def encode(conversations: Iterable[Mapping[str, Any]], tokenizer: "PreTrainedTokenizerFast", limit: int) -> EncodedPool:
    """Render and tokenise conversations; those longer than ``limit`` tokens are left out and counted in the log."""
    pieces: list[np.ndarray] = []
    lengths: list[int] = []
    prompt_lengths: list[int] = []
    dropped = 0
    for chunk in _chunks(conversations, 4096):
        pairs = [render_pair(row["messages"]) for row in chunk]
        encoded = tokenizer.backend_tokenizer.encode_batch(
            [t for pair in pairs for t in pair], add_special_tokens=False
        )
        for prompt, reply in zip(encoded[::2], encoded[1::2], strict=True):
            if len(prompt.ids) + len(reply.ids) > limit:
                dropped += 1
                continue
            pieces.append(np.array(prompt.ids + reply.ids, dtype=np.uint16))
            lengths.append(len(pieces[-1]))
            prompt_lengths.append(len(prompt.ids))
    if not pieces:
        raise UserError("no conversation fits pilot.training.row_length")
    if dropped:
        logger.warning("%d conversations of more than %d tokens left out", dropped, limit)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return EncodedPool(np.concatenate(pieces), starts, starts[:-1] + np.array(prompt_lengths))


def _chunks(rows: Iterable[Any], size: int) -> Iterator[list[Any]]:
    chunk = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def pack(pool: EncodedPool, order: Sequence[int], row_length: int) -> list[list[int]]:
    """Fill rows with whole conversations in this order; eight are open, and the fullest is closed for a new one."""
    lengths = np.diff(pool.starts)
    rows: list[list[int]] = []
    open_rows: list[tuple[int, list[int]]] = []
    for index in order:
        length = int(lengths[index])
        for at, (used, row) in enumerate(open_rows):
            if used + length <= row_length:
                row.append(index)
                open_rows[at] = (used + length, row)
                break
        else:
            if len(open_rows) == 8:
                fullest = max(range(8), key=lambda i: open_rows[i][0])
                rows.append(open_rows.pop(fullest)[1])
            open_rows.append((length, [index]))
    return rows + [row for _, row in open_rows]


def batches(pool: EncodedPool, settings: Training, pad_id: int, seed: int, skip: int = 0) -> Iterator[Batch]:
    """Yield batches without end, epoch after epoch in new orders; the order depends on the seed only.

    Args:
        pool: The conversations.
        settings: ``tokens_per_step`` and ``row_length`` give the shape of a batch.
        pad_id: Token that fills the rest of a row.
        seed: Seed of the orders.
        skip: Batches to leave out from the beginning, for a run that is resumed.
    """
    rows_per_batch = max(1, settings.tokens_per_step // settings.row_length)
    epoch = 0
    while True:
        order = list(range(len(pool.reply_starts)))
        named_random(seed, "order", epoch).shuffle(order)
        rows = pack(pool, order, settings.row_length)
        # A short last batch would be another shape and another weight per row: its rows wait for the next epoch.
        for first in range(0, max(1, len(rows) // rows_per_batch) * rows_per_batch, rows_per_batch):
            if skip:
                skip -= 1
            else:
                yield _fill(pool, rows[first : first + rows_per_batch], rows_per_batch, settings.row_length, pad_id)
        epoch += 1


def _fill(pool: EncodedPool, rows: Sequence[Sequence[int]], n: int, length: int, pad_id: int) -> Batch:
    ids = np.full((n, length), pad_id, dtype=np.int64)
    documents = np.full((n, length), -1, dtype=np.int64)
    positions = np.zeros((n, length), dtype=np.int64)
    replies = np.zeros((n, length), dtype=bool)
    for r, row in enumerate(rows):
        at = 0
        for number, index in enumerate(row):
            start, end = pool.starts[index], pool.starts[index + 1]
            here = slice(at, at + end - start)
            ids[r, here] = pool.ids[start:end]
            documents[r, here] = number
            positions[r, here] = np.arange(end - start)
            replies[r, at + pool.reply_starts[index] - start : at + end - start] = True
            at += end - start
    return Batch(ids, documents, positions, replies)
