"""Checks of the source of products: folder, object store, catalogue."""

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import requests

from tigerbush.cli.doctor.finding import Finding
from tigerbush.errors import RemoteError, TigerbushError
from tigerbush.planning.source import STORE_KEYS
from tigerbush.planning.tables import read_rows
from tigerbush.sensors import ends_like_product, suffixes
from tigerbush.sources.store import Store
from tigerbush.sources.web import plain_session

# of one request; an answer that takes longer would make a run crawl, too
SECONDS = 3
# object stores refuse signatures that are 15 minutes off
MOST_SKEW = 300


def source(config: dict, directory: Path) -> Iterator[Finding]:
    """Check what the configuration names as its source."""
    chosen = config["source"]
    kind = chosen["kind"]
    if kind == "local":
        yield folder(directory / chosen["path"])
    if kind == "stac":
        yield from answers("catalogue", chosen["catalogue"], "source.catalogue")
    table = directory / config["products"]
    if kind == "stac" and not chosen["bucket"]:
        yield from one_file(chosen, table)
    elif kind in {"s3", "stac"}:
        region = chosen["region"] or "us-east-1"
        endpoint = chosen["endpoint_url"] or f"https://s3.{region}.amazonaws.com"
        reached = list(answers("endpoint", endpoint, "source.endpoint_url"))
        yield from reached
        # what cannot be reached would only be said again
        if reached[0].ok:
            yield from bucket(chosen)


def folder(path: Path) -> Finding:
    """Count what a local folder holds."""
    if not path.is_dir():
        return Finding("source", False, f"{path} is not a folder; set source.path to that of your products")
    count = sum(map(ends_like_product, path.iterdir()))
    text = f"{count} products in {path}"
    return Finding("source", count > 0, text if count else f"{text}; put {suffixes()} folders or zips there")


def answers(name: str, url: str, key: str) -> Iterator[Finding]:
    """See that a server answers at all, and compare its clock with ours."""
    try:
        # not followed: the address itself is what jobs will ask
        with plain_session() as session:
            answer = session.get(url, timeout=SECONDS, stream=True, allow_redirects=False)
            answer.close()
    except requests.Timeout:
        yield Finding(name, False, f"{url} does not answer within {SECONDS} s; check {key} and the network")
        return
    except requests.RequestException as error:
        yield Finding(name, False, f"{url} cannot be reached ({type(error).__name__}); check {key}")
        return
    yield Finding(name, answer.status_code < 500, f"{url} answers ({answer.status_code})")
    try:
        theirs = parsedate_to_datetime(answer.headers["Date"])
        skew = (datetime.now(UTC) - theirs).total_seconds()
    except (KeyError, ValueError, TypeError):
        return
    right = abs(skew) <= MOST_SKEW
    text = f"{skew:+.0f} s from that of {url}"
    yield Finding("clock", right, text if right else f"{text}; set the clock of this machine")


def bucket(chosen: dict) -> Iterator[Finding]:
    """List the bucket and read a few bytes of one object, with the keys of a run."""
    try:
        store = _store(chosen)
        found = store.first_object((chosen["prefixes"] or [""])[0])
        yield Finding("bucket", True, f"s3://{chosen['bucket']} can be listed")
        if found:
            yield _read(store, found.key, found.size, found.etag)
        else:
            yield Finding("bucket", False, "it holds nothing there; check source.bucket and source.prefixes")
    except (TigerbushError, RemoteError) as error:
        yield Finding("bucket", False, str(error))


def one_file(chosen: dict, table: Path) -> Iterator[Finding]:
    """Read a few bytes of a file that discovery found on a web server."""
    rows = (row for row in read_rows(table.with_name("files.tsv")) if row["role"] == "band")
    try:
        store = _store(chosen)
        for row in rows:
            yield _read(store, row["key"], int(row["size"]), row["etag"])
            return
    except (TigerbushError, RemoteError) as error:
        yield Finding("reading", False, str(error))


def _store(chosen: dict) -> Store:
    servers = {"hosts": chosen["hosts"], "catalogue": chosen["catalogue"]}
    return Store(**{key: chosen[key] for key in STORE_KEYS}, **servers, timeout=SECONDS, tries=1)


def _read(store: Store, key: str, size: int, etag: str) -> Finding:
    size = size or store.size_of(key)
    length = min(size, 16)
    store.read_range(key, 0, length, size, etag)
    return Finding("reading", True, f"{length} bytes of {store.label(key)}")
