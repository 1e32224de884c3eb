"""One seed for every purpose, derived by name, so that no two uses share a stream and none depends on order."""

import hashlib


def derive_seed(*purpose: str | int) -> int:
    """A seed in [0, 2**31) from a purpose such as ``(42, "generate", "es_en", "directive")``."""
    text = "/".join(str(part) for part in purpose)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
