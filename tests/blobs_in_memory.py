"""Blob storage in memory: one blob, its lease, and a clock."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from tigerbush.runs import lease as run_lease
from tigerbush.runs.mark import Mark, decode_mark

OPTIONS = {"retry_total": 0, "connection_timeout": 4, "read_timeout": 8}
NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
ELSEWHERE = Mark(
    "0b6ad8d1-66c1-5ab6-8b34-1ee8cd4d4fd5", "login1", "another", 4711, "1", "noon", "/d", "local"
)


def refused(status, kind=HttpResponseError):
    error = kind(f"status {status}")
    error.status_code = status
    return error


class Storage:
    """A container with one blob, its lease, and a clock.

    Attributes
    ----------
    content, lease : bytes or None, str or None
    seconds : float
        Since noon; waiting moves it on.
    during : callable
        What others do while somebody waits.
    faults : dict of str to Exception
        What a request raises.
    """

    account_name, primary_hostname, credential = "store", "store.blob.core.windows.net", "key"
    container_name = "runs"

    def __init__(self, monkeypatch):
        self.content, self.lease, self.seconds, self.changed = None, None, 0.0, 0.0
        self.calls, self.faults, self.during = [], {}, lambda: None
        clock = SimpleNamespace(monotonic=lambda: self.seconds, sleep=self.sleep)
        monkeypatch.setattr(run_lease, "time", clock)
        monkeypatch.setattr(run_lease, "BlobLeaseClient", lambda blob, token: SimpleNamespace(
            acquire=lambda seconds, **options: self.acquire(token, seconds, **options),
            renew=lambda **options: self.own("renew", token, **options),
            release=lambda **options: self.free(token, **options),
        ))  # fmt: skip

    def sleep(self, seconds):
        self.seconds += seconds
        self.calls.append(("sleep", seconds))
        self.during()

    def called(self, name, **options):
        self.calls.append((name,))
        assert {key: options.pop(key) for key in OPTIONS} == OPTIONS
        if name in self.faults:
            raise self.faults[name]
        return options

    def get_container_client(self, name):
        self.container = name
        return self

    def get_blob_client(self, name):
        self.blob_name = name
        return self

    def list_blob_names(self, **options):
        # asked for when the first name is
        self.listed = self.called("list", **options)
        yield from ()

    def upload_blob(self, content, *, overwrite, lease=None, **options):
        assert self.called("write" if overwrite else "make", **options) == {}
        if overwrite:
            assert lease == self.lease
        elif self.content is not None:
            raise refused(409, ResourceExistsError)
        self.content, self.changed = content, self.seconds

    def acquire(self, token, seconds, **options):
        assert (self.called("acquire", **options), seconds) == ({}, 60)
        if self.lease not in (None, token):
            raise refused(409, ResourceExistsError)
        self.lease = token

    def own(self, name, token, **options):
        assert self.called(name, **options) == {}
        if self.content is None:
            raise refused(404, ResourceNotFoundError)
        if self.lease != token:
            raise refused(409)

    def free(self, token, **options):
        self.own("release", token, **options)
        self.lease = None

    def delete_blob(self, *, lease, **options):
        assert self.called("delete", **options) == {}
        if self.lease != lease:
            raise refused(412)
        self.content = self.lease = None

    def download_blob(self, *, raw_response_hook, **options):
        assert self.called("read", **options) == {}
        if self.content is None:
            raise refused(404, ResourceNotFoundError)
        headers = {"Date": format_datetime(NOON + timedelta(seconds=self.seconds), usegmt=True)}
        raw_response_hook(SimpleNamespace(http_response=SimpleNamespace(headers=headers)))
        properties = SimpleNamespace(last_modified=NOON + timedelta(seconds=self.changed))
        return SimpleNamespace(properties=properties, readall=lambda content=self.content: content)

    def hold(self, mark, age=0.0):
        """Let another run hold the lease."""
        self.content, self.lease, self.changed = mark.encode(), mark.token, self.seconds - age

    @property
    def requests(self):
        return [call[0] for call in self.calls]

    @property
    def marked(self):
        return decode_mark(self.content) if self.content else None
