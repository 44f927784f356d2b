"""The one exception that carries a sentence for the user."""


class TigerbushError(Exception):
    """Input that stays wrong however often it is tried again.

    The message is one sentence: which file, which field, what was expected, what to do.
    """
