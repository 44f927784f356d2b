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
from tigerbush.sensors import suffixes
from tigerbush.sources.store import Store
from tigerbush.sources.tree import find_products
from tigerbush.sources.web import plain_session

# of one request; a slower server would make a run crawl, too
SECONDS = 3
# object stores refuse signatures that are more than 15 minutes off
MAX_SKEW = 300


def check_source(config: dict, directory: Path) -> Iterator[Finding]:
    """Check the source in the configuration."""
    settings = config["source"]
    kind = settings["kind"]
    if kind == "local":
        yield check_folder(directory / settings["path"])
    if kind == "stac":
        yield from check_server("catalogue", settings["catalogue"], "source.catalogue")
    table = directory / config["products"]
    if kind == "stac" and not settings["bucket"]:
        yield from check_listed_file(settings, table)
    elif kind in {"s3", "stac"}:
        region = settings["region"] or "us-east-1"
        endpoint = settings["endpoint_url"] or f"https://s3.{region}.amazonaws.com"
        findings = list(check_server("endpoint", endpoint, "source.endpoint_url"))
        yield from findings
        # an unreachable server would only be reported twice
        if findings[0].ok:
            yield from check_bucket(settings)


def check_folder(path: Path) -> Finding:
    """Count the products in a local folder."""
    if not path.is_dir():
        return Finding(
            "source", False, f"{path} is not a folder; set source.path to the folder of your products"
        )
    count = len(find_products(path))
    text = f"{count} products in {path}"
    return Finding("source", count > 0, text if count else f"{text}; put {suffixes()} folders or zips there")


def check_server(name: str, url: str, key: str) -> Iterator[Finding]:
    """Check that a server responds at all, and compare its clock with that of this machine."""
    try:
        # redirects are not followed: jobs will use this address itself
        with plain_session() as session:
            answer = session.get(url, timeout=SECONDS, stream=True, allow_redirects=False)
            answer.close()
    except requests.Timeout:
        yield Finding(name, False, f"{url} did not respond within {SECONDS} s; check {key} and the network")
        return
    except requests.RequestException as error:
        yield Finding(name, False, f"{url} cannot be reached ({type(error).__name__}); check {key}")
        return
    yield Finding(name, answer.status_code < 500, f"{url} answers ({answer.status_code})")
    try:
        server_time = parsedate_to_datetime(answer.headers["Date"])
        skew = (datetime.now(UTC) - server_time).total_seconds()
    except (KeyError, ValueError, TypeError):
        return
    accurate = abs(skew) <= MAX_SKEW
    text = f"{skew:+.0f} s from that of {url}"
    yield Finding("clock", accurate, text if accurate else f"{text}; set the clock of this machine")


def check_bucket(settings: dict) -> Iterator[Finding]:
    """List the bucket and read a few bytes of one object, with the credentials of a run."""
    try:
        store = _store(settings)
        first = store.first_object((settings["prefixes"] or [""])[0])
        yield Finding("bucket", True, f"s3://{settings['bucket']} can be listed")
        if first:
            yield _read(store, first.key, first.size, first.etag)
        else:
            yield Finding("bucket", False, "there are no objects; check source.bucket and source.prefixes")
    except (TigerbushError, RemoteError) as error:
        yield Finding("bucket", False, str(error))


def check_listed_file(settings: dict, table: Path) -> Iterator[Finding]:
    """Read a few bytes of a file that discovery has listed on a web server."""
    rows = (row for row in read_rows(table.with_name("files.tsv")) if row["role"] == "band")
    try:
        store = _store(settings)
        for row in rows:
            yield _read(store, row["key"], int(row["size"]), row["etag"])
            return
    except (TigerbushError, RemoteError) as error:
        yield Finding("reading", False, str(error))


def _store(settings: dict) -> Store:
    servers = {"hosts": settings["hosts"], "catalogue": settings["catalogue"]}
    return Store(**{key: settings[key] for key in STORE_KEYS}, **servers, timeout=SECONDS, tries=1)


def _read(store: Store, key: str, size: int, etag: str) -> Finding:
    size = size or store.size_of(key)
    length = min(size, 16)
    store.read_range(key, 0, length, size, etag)
    return Finding("reading", True, f"{length} bytes of {store.label(key)}")
