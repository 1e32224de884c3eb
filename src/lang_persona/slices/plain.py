"""Models as plain data."""

from typing import Any

from pydantic import BaseModel


def plain(model: BaseModel) -> dict[str, Any]:
    """A model as its file would have it: keys as they are written, values that JSON knows."""
    return model.model_dump(mode="json", by_alias=True)
