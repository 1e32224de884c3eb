"""Licences of data and models, as far as publishing depends on them."""

from typing import Annotated

from pydantic import AfterValidator, Field

from lang_persona.config import Config

#: Licences by their identifier on the Hugging Face hub, and whether changed copies may be passed on. A mixture is a
#: changed copy, so licences without derivatives say no. Conditions (attribution, same licence, no commerce) stay the
#: publisher's to meet: a card names every licence.
LICENCES = {
    "apache-2.0": True,
    "mit": True,
    "bsd-3-clause": True,
    "cc0-1.0": True,
    "cc-by-4.0": True,
    "cc-by-sa-3.0": True,
    "cc-by-sa-4.0": True,
    "cc-by-nc-4.0": True,
    "cc-by-nc-sa-4.0": True,
    "odc-by": True,
    "cdla-permissive-2.0": True,
    "cc-by-nd-4.0": False,
    "cc-by-nc-nd-4.0": False,
}


def _known_licence(name: str) -> str:
    if name not in LICENCES:
        raise ValueError(
            f"unknown licence {name!r}; known: {', '.join(LICENCES)}. For another write "
            "{name: ..., redistribute: true or false}"
        )
    return name


LicenceName = Annotated[str, AfterValidator(_known_licence)]


class OtherLicence(Config):
    """Terms that have no identifier here.

    Attributes:
        name: What the terms are called.
        redistribute: Whether they let changed copies be passed on.
        link: Where they can be read.
    """

    name: str
    redistribute: bool
    link: str | None = None


class Licensed(Config):
    """Something with a licence. It decides what is published and nothing else, so no recipe key holds it.

    Attributes:
        licence: Identifier on the Hugging Face hub, or a name with ``redistribute``; null, unknown, is never published.
    """

    licence: LicenceName | OtherLicence | None = Field(default=None, exclude=True)


def licence_name(licence: str | OtherLicence | None) -> str | None:
    """What a licence is called; None for one that is not known."""
    return licence.name if isinstance(licence, OtherLicence) else licence


def may_redistribute(licence: str | OtherLicence | None) -> bool:
    """Whether changed copies may be passed on; an unknown licence does not allow it."""
    if isinstance(licence, OtherLicence):
        return licence.redistribute
    return licence is not None and LICENCES[licence]
