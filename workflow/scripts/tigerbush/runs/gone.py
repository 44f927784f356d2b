"""Products that a source no longer holds as they were listed; a folder, or a day of a bucket, is listed once."""

import logging
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from tigerbush.errors import GoneError, RemoteError, TigerbushError, raise_machine_fault
from tigerbush.readers import list_files

log = logging.getLogger(__name__)

Row = Mapping[str, str]


def gone_products(
    rows: Iterable[Row], files: Mapping[str, Sequence[Row]], open_store: Callable[[], object]
) -> dict[str, str]:
    """Return the products that are gone, and for each the reason why it cannot be read any more.

    Parameters
    ----------
    rows : rows of products.tsv
        The products to look for.
    files : mapping of product to rows of files.tsv
        Their files as they were listed.
    open_store : callable
        Returns the `tigerbush.sources.store.Store` of the source; called only if a product is not in a folder.

    Returns
    -------
    dict of product to reason
        A store that does not respond makes no product count as gone, and is tried only once.

    Raises
    ------
    TigerbushError, MachineError
        When a folder of products does not exist or cannot be listed, or a store refuses: its disk is not mounted, keys
        have expired, or the configuration is wrong, which is the fault of no product.
    """
    gone, remote = {}, []
    listed: dict[Path, set[str]] = {}
    for row in rows:
        if "://" in row["url"]:
            remote.append(row)
            continue
        path = Path(row["url"])
        if path.parent not in listed:
            listed[path.parent] = _names_in(path.parent)
        if path.name not in listed[path.parent]:
            gone[row["product"]] = f"is no longer in {path.parent}"
        elif reason := _difference(path, files.get(row["product"], ())):
            gone[row["product"]] = reason
    return gone | (_gone_remote(remote, files, open_store()) if remote else {})


def _names_in(folder: Path) -> set[str]:
    try:
        return {path.name for path in folder.iterdir()}
    except OSError as error:
        raise TigerbushError(
            f"the folder {folder}, whose products have finished results that this run would replace, cannot be listed "
            f"({error.strerror}); mount its disk, or correct source.path."
        ) from error


def _difference(path: Path, files: Sequence[Row]) -> str | None:
    """Say how a product differs from what was listed; only names and sizes are read."""
    try:
        size_of = _size_reader(path)
        for row in files:
            size = size_of(row["name"])
            if size is None:
                return f"has lost its file {row['name']}"
            if size != int(row["size"]):
                return f"has {size} bytes of {row['name']}, of which {row['size']} were listed"
    except (OSError, zipfile.BadZipFile) as error:
        raise_machine_fault(error, path)
        return f"cannot be read any more ({getattr(error, 'strerror', None) or error})"
    return None


def _size_reader(path: Path) -> Callable[[str], int | None]:
    """Return a function that gives the size of a file of a product."""
    if path.is_dir():
        return lambda name: (path / name).stat().st_size if (path / name).is_file() else None
    try:
        return list_files(path).get
    except TigerbushError as error:
        raise zipfile.BadZipFile(str(error.__cause__ or error).rstrip(".")) from error


def _gone_remote(rows: Sequence[Row], files: Mapping[str, Sequence[Row]], store: object) -> dict[str, str]:
    gone: dict[str, str] = {}
    # hosts that do not respond are left to the jobs, which retry and wait longer
    listed: dict[str, set[str]] = {}
    unreachable: set[str] = set()
    for row in rows:
        url, product = row["url"].rstrip("/"), row["product"]
        bands = [file for file in files.get(product, ()) if file["role"] == "band"]
        try:
            if url.startswith(f"s3://{store.bucket}/"):
                key = url.removeprefix(f"s3://{store.bucket}/")
                host, parent = store.bucket, f"{PurePosixPath(key).parent}/"
                if host not in unreachable and parent not in listed:
                    listed[parent] = set(store.folders(parent))
                if parent in listed and f"{key}/" not in listed[parent]:
                    gone[product] = f"is no longer in s3://{store.bucket}/{parent}"
            elif url.startswith("s3://"):
                gone[product] = f"lies in another bucket than source.bucket ({url})"
            elif bands:
                host = urlsplit(bands[0]["key"]).netloc
                if host not in unreachable:
                    size = store.size_of(bands[0]["key"])
                    if int(bands[0]["size"]) not in (0, size):
                        gone[product] = (
                            f"has {size} bytes of {bands[0]['key']}, of which {bands[0]['size']} were listed"
                        )
        except RemoteError as error:
            log.warning("%s; it is unknown whether the products are still there", error)
            unreachable.add(host)
        except GoneError as error:
            gone[product] = f"cannot be read any more ({error})"
    return gone


def loss_sentence(losses: Mapping[str, Mapping[str, str]]) -> str:
    """Return the error for a run that would replace finished results without some of their products.

    Parameters
    ----------
    losses : mapping of result to mapping of product to reason
        A result is for example `results/here/2017-01-16`.
    """
    products = {product: reason for reasons in losses.values() for product, reason in reasons.items()}
    examples = "; ".join(f"{product} {reason}" for product, reason in list(products.items())[:5])
    results = ", ".join(list(losses)[:10]) + (f" and {len(losses) - 10} more" if len(losses) > 10 else "")
    more = f"; and {len(products) - 5} more" if len(products) > 5 else ""
    return (
        f"{len(products)} product(s) whose finished results this run would replace cannot be read: {examples}{more}. "
        f"No result was changed; the results are {results}. Restore the products (after an intended change run "
        "./tigerbush discover), or set on_gone: keep, which keeps these results as they are and leaves their dates out "
        "of the summary."
    )
