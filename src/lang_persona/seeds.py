"""One seed for every purpose, derived by name, so that no two uses share a stream and none depends on order."""

import hashlib
import json


def derive_seed(*purpose: str | int) -> int:
    """A seed in [0, 2**31) from a purpose such as ``(42, "generate", "es_en", "directive")``."""
    digest = hashlib.sha256(json.dumps(purpose).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
