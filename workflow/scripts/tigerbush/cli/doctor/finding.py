"""The result of a check of `./tigerbush doctor`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One line of output.

    Attributes
    ----------
    name : str
        What was checked.
    ok : bool
    text : str
        The state, or what to do.
    """

    name: str
    ok: bool
    text: str
