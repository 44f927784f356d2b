"""The object store of `source.access: storage`, from which Snakemake's storage plugin fetches files.

The plugin fails with a traceback of botocore. So the library tries the credentials and one file first, and fails with
a sentence.
"""

# the file by which this run has checked its access
CHECKED_KEYS = []


@lru_cache(maxsize=1)
def open_store():
    """Return the library's client of the store, with the credentials of the environment; no request is made yet."""
    return call_store(
        lambda: from_library("sources.store").Store(
            **{key: config["source"][key] for key in SOURCE.STORE_KEYS}
        )
    )


def check_access(key):
    """Request the first file that is needed, once per run; a missing file is left to the plugin, which names it well."""
    if is_main_process() and not CHECKED_KEYS:
        CHECKED_KEYS.append(key)
        call_store(lambda: open_store().size_of(key))


def call_store(request):
    """Call the library; its errors, and those of the network, become WorkflowErrors. None for a missing file."""
    errors = from_library("errors")
    try:
        return request()
    except errors.GoneError:
        return None
    except (errors.TigerbushError, OSError) as error:
        raise WorkflowError(str(error)) from None


if REMOTE and config["source"]["access"] == "storage":
    import botocore

    if is_main_process():
        open_store()

    storage source:
        provider="s3",
        endpoint_url=config["source"]["endpoint_url"],
        region=config["source"]["region"] or "us-east-1",
        signature_version=botocore.UNSIGNED if config["source"]["anonymous"] else None,
