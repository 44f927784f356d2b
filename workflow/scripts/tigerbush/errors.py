"""The exceptions that carry a sentence for the user."""


class TigerbushError(Exception):
    """Input that stays wrong however often it is tried again.

    The message is one sentence: which file, which field, what was expected, what to do.
    """


class WriteError(OSError):
    """A result that cannot be written: the machine's fault, never that of a product.

    The message is one sentence that names the file.
    """


class ConfigurationError(Exception):
    """A value of the configuration that cannot be used: never the fault of a product; the message is one sentence."""


class EngineError(OSError):
    """An engine that does not work on this machine: never the fault of a product; the message is one sentence."""


class RemoteError(OSError):
    """Trouble of the network or the server that may pass; the message is one sentence."""
