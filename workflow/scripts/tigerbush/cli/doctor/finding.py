"""What a check of `./tigerbush doctor` found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One line of the doctor.

    Attributes
    ----------
    name : str
        What was looked at.
    ok : bool
    text : str
        What there is, or what to do.
    """

    name: str
    ok: bool
    text: str
