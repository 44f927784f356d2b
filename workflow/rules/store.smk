"""The object store of `source.access: storage`, whose files Snakemake's plugin looks for and fetches.

What the plugin raises is a traceback of botocore: credentials and one file are tried before, by the library, which has
sentences.
"""

# the file that this run has tried
ASKED = []


@lru_cache(maxsize=1)
def open_store():
    """The store by the library, with the credentials of the environment; no request is made of it."""
    return refused_by_store(
        lambda: from_library("sources.store").Store(
            **{key: config["source"][key] for key in SOURCE.STORE_KEYS}
        )
    )


def ask_store(key):
    """Ask for a byte of the first file that is needed, once in a run; that it is missing the plugin says well."""
    if is_main_process() and not ASKED:
        ASKED.append(key)
        refused_by_store(lambda: open_store().size_of(key))


def refused_by_store(ask):
    """What the library gives, or its sentence."""
    errors = from_library("errors")
    try:
        return ask()
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
