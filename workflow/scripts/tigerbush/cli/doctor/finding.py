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
    warning : bool
        Whether what works may not be what is meant.
    """

    name: str
    ok: bool
    text: str
    warning: bool = False

    @property
    def state(self) -> str:
        """The word at the beginning of the line."""
        return "failed" if not self.ok else "warning" if self.warning else "ok"
