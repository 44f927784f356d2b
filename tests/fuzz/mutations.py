"""Random mutations of bytes and of JSON trees, repeatable by their seed."""

import copy
import math
import re

from numpy.random import Generator

# what parsers stumble over
FRAGMENTS = (
    b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"-", b"1e999", b"9" * 400, b"nan", b"\t", b"\n", b'"', b"<", b"&x;", b"]]>",
    b"../../", b"%s{0}", b"\xef\xbb\xbf", b"<!DOCTYPE x>", b"\x1b[2J", b"=1+1", b"/" * 200, b"T", b",", b";", b"a" * 3000,
)  # fmt: skip
VALUES = (
    None, True, False, 0, -1, 1, 7, 10**400, -(10**18), 0.5, 1e-320, 1e308, math.inf, -math.inf, math.nan, "", " ", "x",
    "x" * 5000, "../../etc/passwd", "/dev/zero", "2017-02-30", "2017-01-01", "0500", "null", "1", "-999", "\x00", "\ud800",
    "a\nb", "{site}", "=1+1", "$(id)", [], {}, [[]], [None], ["x"] * 300, {"": 1}, {"a": {"b": {"c": []}}}, [1, "2", None],
)  # fmt: skip


def mutated_bytes(content: bytes, random: Generator) -> bytes:
    """Return bytes with one to four random changes."""
    data = bytearray(content)
    for _ in range(random.integers(1, 5)):
        start = int(random.integers(0, len(data) + 1))
        end = min(start + int(2 ** random.uniform(0, 10)), len(data))
        kind = random.integers(0, 7)
        if kind == 0:
            data[start:end] = random.bytes(end - start)
        elif kind == 1:
            del data[start:end]
        elif kind == 2:
            data[start:start] = data[start:end]
        elif kind == 3:
            data[start:start] = FRAGMENTS[random.integers(0, len(FRAGMENTS))]
        elif kind == 4:
            del data[start:]
        elif kind == 5:
            data[start:end] = bytes(end - start)
        elif start < len(data):
            data[start] ^= 1 << int(random.integers(0, 8))
    return bytes(data)


def mutated_xml(content: bytes, random: Generator) -> bytes:
    """Return XML with the text of one to three elements replaced, or with random changes of its bytes."""
    if random.random() < 0.4:
        return mutated_bytes(content, random)
    for _ in range(random.integers(1, 4)):
        texts = list(re.finditer(rb">([^<>]+)<|=\"([^\"]*)\"", content))
        start, end = texts[random.integers(0, len(texts))].span(1)
        value = str(VALUES[random.integers(0, len(VALUES))]).encode(errors="surrogatepass")
        if start >= 0:
            content = content[:start] + value.replace(b"<", b"").replace(b"&", b"") + content[end:]
    return content


def paths_of(tree: object, path: tuple = ()) -> list[tuple]:
    """Return the paths of all values in nested mappings and lists."""
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path, *(deeper for key, child in children for deeper in paths_of(child, (*path, key)))]


def mutated_tree(tree: object, random: Generator) -> object:
    """Return a JSON tree with one to three of its values replaced, removed or renamed."""
    tree = copy.deepcopy(tree)
    for _ in range(random.integers(1, 4)):
        paths = paths_of(tree)
        *parents, last = paths[random.integers(0, len(paths))] or (None,)
        if last is None:
            if random.random() < 0.05:
                return VALUES[random.integers(0, len(VALUES))]
            continue
        place = tree
        for key in parents:
            place = place[key]
        if random.random() < 0.15:
            del place[last]
        elif random.random() < 0.1 and isinstance(place, dict):
            place[f"{last}_"] = place.pop(last)
        else:
            place[last] = copy.deepcopy(VALUES[random.integers(0, len(VALUES))])
    return tree
