"""A last look at a training's batches: the loss falls on completions and on nothing else."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any


def check_loss_mask(trainer: Any, expected: set[tuple[int, ...]]) -> None:
    """Check on a batch as the model gets it that the loss falls on whole completions and on nothing else.

    Raises:
        RuntimeError: An unmasked stretch is no completion with its stop token.
    """
    batch = next(iter(trainer.get_train_dataloader()))
    for ids, labels in _rows_of(batch):
        scored = tuple(label for label in labels if label != -100)
        at = [place for place, label in enumerate(labels) if label != -100]
        text = trainer.processing_class.decode(scored)
        if scored not in expected:
            raise RuntimeError(f"the loss would fall on {text[:200]!r}, which is no completion of the mixture")
        if tuple(ids[place] for place in at) != scored or at != list(range(at[0], at[-1] + 1)):
            raise RuntimeError(f"labels of {text[:200]!r} are not the inputs at their places")


def _rows_of(batch: Mapping[str, Any]) -> Iterator[tuple[list[int], list[int]]]:
    """Ids and labels row by row, of a padded batch or of rows laid end to end."""
    if "cu_seq_lens_q" not in batch:
        yield from zip(batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True)
        return
    ids, labels = batch["input_ids"][0].tolist(), batch["labels"][0].tolist()
    if batch["targets"].tolist() != [ids[place + 1] for place in batch["places"].tolist()]:
        raise RuntimeError("the loss would compare positions with other tokens than the next ones")
    if len(batch["targets"]) != sum(label != -100 for label in labels):
        raise RuntimeError("the loss would fall on other tokens than the labels name")
    for start, end in pairwise(batch["cu_seq_lens_q"].tolist()):
        yield ids[start:end], labels[start:end]
