"""Keys of objects and whole addresses: what stands in a table and reaches a server or a path."""

import re

# ASCII, and no folder that leads upwards or nowhere
KEY = re.compile(r"(?!.*(?:^|/)\.{1,2}(?:/|$))[A-Za-z0-9_.=+-]+(?:/[A-Za-z0-9_.=+-]+)*")
ADDRESS = re.compile(r"(?:s3|https?)://[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]{1,5})?/(?P<key>.+)")
LONGEST_KEY = 1024


def is_address(key: str) -> bool:
    """Tell whether a text is an object's key or a whole address, of plain characters, that leads nowhere else."""
    match = ADDRESS.fullmatch(key)
    return len(key) <= LONGEST_KEY and KEY.fullmatch(match["key"] if match else key) is not None
