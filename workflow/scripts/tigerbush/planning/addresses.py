"""Object keys and whole addresses in tables, which become parts of requests and paths."""

import re

# ASCII, without the folders . and ..
KEY = re.compile(r"(?!.*(?:^|/)\.{1,2}(?:/|$))[A-Za-z0-9_.=+-]+(?:/[A-Za-z0-9_.=+-]+)*")
ADDRESS = re.compile(r"(?:s3|https?)://[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]{1,5})?/(?P<key>.+)")
MAX_KEY_LENGTH = 1024


def is_address(key: str) -> bool:
    """Whether a text is an object key or a whole address, of plain characters and without relative folders."""
    match = ADDRESS.fullmatch(key)
    return len(key) <= MAX_KEY_LENGTH and KEY.fullmatch(match["key"] if match else key) is not None
