"""Results in Blob storage: how they are listed and read, and what goes wrong, in sentences; without Azure."""

from types import SimpleNamespace

import azure.identity
import azure.storage.blob
import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ServiceRequestError

from stores_in_memory import without_waiting
from tigerbush.cli.results import storage as result_storage
from tigerbush.cli.results.storage import Container, Item
from tigerbush.errors import MachineError, RemoteError, TigerbushError


def blob(name, size, tag, md5=None):
    settings = SimpleNamespace(content_md5=md5)
    return SimpleNamespace(name=name, size=size, etag=f'"{tag}"', content_settings=settings)


class Service:
    """A client of Blob storage whose container has pages of blobs.

    Attributes
    ----------
    pages : dict of token to (blobs, next token)
    content : list of bytes, or an exception
    """

    def __init__(self):
        self.pages, self.content, self.asked = {None: ([], None)}, [], []

    def __call__(self, url, credential, **options):
        self.opened = url, credential, options
        return self

    def from_connection_string(self, text, **options):
        if text == "wrong":
            raise ValueError(text)
        self.opened = text, options
        return self

    def get_container_client(self, name):
        self.name = name
        return self

    def list_blobs(self, name_starts_with):
        return SimpleNamespace(by_page=lambda token: self.page(name_starts_with, token))

    def page(self, prefix, token):
        self.asked.append((prefix, token))
        blobs, following = self.pages[token]
        if isinstance(blobs, Exception):
            raise blobs

        class Pages:
            continuation_token = following
            left = iter([blobs])

            def __next__(self):
                return next(self.left)

        return Pages()

    def download_blob(self, name, **options):
        self.asked.append((name, options))
        if isinstance(self.content, Exception):
            raise self.content
        return SimpleNamespace(chunks=lambda: iter(self.content))


@pytest.fixture
def service(monkeypatch):
    made = Service()
    without_waiting(monkeypatch)
    monkeypatch.setattr(azure.storage.blob, "BlobServiceClient", made)
    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", lambda: "credential")
    monkeypatch.delenv("AZURITE_CONNECTION_STRING", raising=False)
    return made


OPTIONS = {
    "retry_total": 0, "connection_timeout": 20, "read_timeout": 20, "max_single_get_size": 2_097_152, "max_chunk_get_size": 2_097_152,
}  # fmt: skip


def test_how_a_container_is_opened(service, monkeypatch):
    place = Container("runs", "sahel", "store")
    assert (place.prefix, place.address, service.name) == ("sahel/", "az://runs", "runs")
    assert service.opened == ("https://store.blob.core.windows.net", "credential", OPTIONS)
    monkeypatch.setattr(result_storage, "_account", lambda: "mine")
    assert Container("runs", "", None).prefix == ""
    assert service.opened[0] == "https://mine.blob.core.windows.net"
    monkeypatch.setenv("AZURITE_CONNECTION_STRING", "text")
    Container("runs", "", "store")
    assert service.opened == ("text", OPTIONS)
    monkeypatch.setenv("AZURITE_CONNECTION_STRING", "wrong")
    with pytest.raises(
        TigerbushError, match=r"^AZURITE_CONNECTION_STRING is not a connection string; correct or unset it\.$"
    ):
        Container("runs", "", "store")


def test_blobs_are_listed_page_by_page(service):
    service.pages = {
        None: ([blob("sahel/a", 3, "t", bytearray(b"\x01\xff")), blob("sahel/b", 4, "u")], "x"), "x": ([], "y"), "y": ([blob("sahel/c", 0, "v")], None),
    }  # fmt: skip
    assert list(Container("runs", "sahel", "s").items()) == [
        Item("a", 3, "t", "01ff"),
        Item("b", 4, "u", ""),
        Item("c", 0, "v", ""),
    ]
    assert service.asked == [("sahel/", None), ("sahel/", "x"), ("sahel/", "y")]
    service.asked.clear()
    service.pages = {None: ([], "x"), "x": ([], "x")}
    with pytest.raises(TigerbushError) as error:
        list(Container("runs", "", "s").items())
    assert str(error.value) == (
        "az://runs/: Blob storage says that its listing goes on, but gives the same page again or none; try again later, or ask "
        "who runs it."
    )
    assert service.asked == [(None, None), (None, "x")]


def test_a_blob_comes_piece_by_piece(service):
    """If it is still the one that was listed."""
    service.content = [b"ab", b"c"]
    place = Container("runs", "sahel", "s")
    assert list(place.pieces(Item("a", 3, "t"))) == [b"ab", b"c"]
    assert service.asked == [("sahel/a", {"etag": '"t"', "match_condition": MatchConditions.IfNotModified})]


def refused(status, code=None, text="Reason.\nmore"):
    error = HttpResponseError(text)
    error.status_code, error.error_code = status, code
    return error


AGAIN = "check --account and 'az login', or try again; files already pulled are kept."


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (refused(404), TigerbushError, "Reason; check the name of the container."),
        (refused(403), TigerbushError, "Reason; the caller needs the role Storage Blob Data Reader."),
        (refused(412), TigerbushError, "Reason; it has changed meanwhile; start again, files already pulled are kept."),
        (refused(400), TigerbushError, f"Reason; {AGAIN}"),
        *((refused(status), RemoteError, f"Reason; {AGAIN}") for status in (408, 429, 500, 502, 503, 504)),
        (ServiceRequestError("no host"), RemoteError, f"no host; {AGAIN}"), (ConnectionResetError(), RemoteError, f"ConnectionResetError; {AGAIN}"),
    ],
)  # fmt: skip
def test_what_goes_wrong_with_a_blob(service, error, kind, sentence):
    service.content = error
    with pytest.raises((TigerbushError, RemoteError)) as raised:
        list(Container("runs", "sahel", "s").pieces(Item("a", 3, "t")))
    assert (type(raised.value), str(raised.value)) == (kind, f"az://runs/sahel/a: {sentence}")


def test_other_trouble_of_a_blob(service):
    for error, kind, sentence in (
        (refused(409, "BlobArchived"), TigerbushError, "az://runs/a is in the archive tier; rehydrate it there, then start again."),
        (KeyError("x"), TigerbushError, "az://runs/a: the answer is not from Blob storage (perhaps a login page); check --account and AZURITE_CONNECTION_STRING."),
        (OSError("CERTIFICATE_VERIFY_FAILED"), TigerbushError, "az://runs/a: the certificate of Blob storage is not trusted here; set REQUESTS_CA_BUNDLE to your authority's."),
        (MemoryError(), MachineError, "the memory of the job is used up (MemoryError); give it more (mem_mb of its rule) and run again."),
    ):  # fmt: skip
        service.content = error
        with pytest.raises((TigerbushError, MachineError)) as raised:
            list(Container("runs", "", "s").pieces(Item("a", 3, "t")))
        assert (type(raised.value), str(raised.value)) == (kind, sentence)
