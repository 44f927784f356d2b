"""The lock of a run in Blob storage: its mark as a blob below its prefix, with a lease that only one run can have.

A lease lasts a minute and is renewed; the time of the blob is the heartbeat. The id of the lease is the token of the
mark, so that the lease of this dead run, and of no other, can be released.
"""

import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobClient, BlobLeaseClient

from tigerbush.errors import TigerbushError
from tigerbush.runs.blob_errors import OPTIONS, log_in, sentence
from tigerbush.runs.mark import MARK_FILE, LostLockError, Mark, decode_mark, describe_run
from tigerbush.runs.takeover import Takeover

LEASE_SECONDS = 60
# until a lease that is not renewed has certainly expired
_WAIT_SECONDS = 90
_POLL_SECONDS = 2
_PAUSE_SECONDS = 0.2


class BlobLease:
    """The lock on results in Blob storage.

    Parameters
    ----------
    service : BlobServiceClient
        With the account and the credential of the storage plugin.
    prefix : str
        az://container/run
    """

    renew_seconds = 20

    def __init__(self, service: object, prefix: str) -> None:
        container, _, folder = prefix.removeprefix("az://").strip("/").partition("/")
        self.name = f"az://{container}/{folder}".rstrip("/")
        self.service = service
        self.container = service.get_container_client(container)
        self.blob: BlobClient = self.container.get_blob_client(f"{folder}/results/{MARK_FILE}".lstrip("/"))

    def check_access(self) -> None:
        """See that the container can be read, for a run that changes nothing.

        Raises
        ------
        TigerbushError
            When nobody is logged in, the account or container does not exist, or it is not readable.
        """
        log_in(self.service)
        try:
            names = self.container.list_blob_names(
                name_starts_with=self.blob.blob_name, results_per_page=1, **OPTIONS
            )
            next(iter(names), None)
        except AzureError as error:
            raise self._error(error) from None

    def acquire(self, mark: Mark, takeover: Takeover, notify: Callable[[str], None]) -> None:
        """Acquire the lease; of several that try at once, one succeeds.

        Parameters
        ----------
        mark : Mark
        takeover : Takeover
        notify : callable
            Receives a sentence when there is something to wait for.

        Raises
        ------
        TigerbushError
            When another run is alive or has left jobs, or Blob storage refuses or does not respond.
        """
        log_in(self.service)
        try:
            self._wait_for_lease(mark, takeover, notify)
            try:
                other, age, _ = self._holder()
                if other.token:
                    takeover.refuse_leftovers(other, age)
            except TigerbushError:
                self._release(mark)
                raise
            self._write(mark)
        except AzureError as error:
            raise self._error(error) from None

    def _wait_for_lease(self, mark: Mark, takeover: Takeover, notify: Callable[[str], None]) -> None:
        watched: tuple[str, object] | None = None
        end = time.monotonic() + _WAIT_SECONDS
        while not self._try_lease(mark):
            try:
                other, age, changed = self._holder()
            except ResourceNotFoundError:
                if time.monotonic() > end:
                    raise
                continue
            if takeover.known_dead(other, age):
                self._release(other)
                time.sleep(_PAUSE_SECONDS)
                continue
            if watched is None:
                watched = other.token, changed
                notify(
                    f"{self.name} is locked by another run ({describe_run(other, age)}); waiting up to "
                    f"{_WAIT_SECONDS} s to see whether it is alive."
                )
            # a run that has renewed the lease, or acquired it meanwhile, is alive
            if watched != (other.token, changed) or time.monotonic() > end:
                raise takeover.still_running(other, age)
            time.sleep(_POLL_SECONDS)

    def unlock(self, mark: Mark, takeover: Takeover) -> None:
        """Remove the mark of a run that is dead or has let its lease expire.

        Raises
        ------
        TigerbushError
            When it is alive, or Blob storage refuses or does not respond.
        """
        log_in(self.service)
        try:
            other, age, _ = self._holder()
            if takeover.known_dead(other, age):
                self._release(other)
            if not self._try_lease(mark):
                raise takeover.still_running(other, age)
            self.release(mark)
        except ResourceNotFoundError:
            return
        except AzureError as error:
            raise self._error(error) from None

    def _try_lease(self, mark: Mark) -> bool:
        """Create the blob if need be and lease it; return False if another run has the lease."""
        try:
            self.blob.upload_blob(b"", overwrite=False, **OPTIONS)
        except HttpResponseError as error:
            if error.status_code not in (409, 412):
                raise
        try:
            BlobLeaseClient(self.blob, mark.token).acquire(LEASE_SECONDS, **OPTIONS)
        except (ResourceExistsError, ResourceNotFoundError):
            return False
        return True

    def _holder(self) -> tuple[Mark, float, object]:
        """Return the mark in the blob, its age by the clock of the storage, and when it was last modified."""
        raw_headers = {}
        download = self.blob.download_blob(
            raw_response_hook=lambda response: raw_headers.update(response.http_response.headers), **OPTIONS
        )
        headers = {name.lower(): value for name, value in raw_headers.items()}
        changed = download.properties.last_modified
        now = parsedate_to_datetime(headers["date"]).astimezone(UTC)
        return decode_mark(download.readall()), max(0.0, (now - changed).total_seconds()), changed

    def _release(self, dead: Mark) -> None:
        try:
            BlobLeaseClient(self.blob, dead.token).release(**OPTIONS)
        except HttpResponseError as error:
            # another run was faster, or it has expired
            if error.status_code not in (404, 409, 412):
                raise

    def _write(self, mark: Mark) -> None:
        self.blob.upload_blob(mark.encode(), overwrite=True, lease=mark.token, **OPTIONS)

    def renew(self, mark: Mark) -> None:
        """Renew the lease, and the time of the blob; after an interruption acquire it again unless another run has.

        Raises
        ------
        LostLockError
            When another run has it.
        AzureError
            When Blob storage does not respond, perhaps only for a while.
        """
        try:
            BlobLeaseClient(self.blob, mark.token).renew(**OPTIONS)
            self._write(mark)
        except HttpResponseError as error:
            if error.status_code not in (404, 409, 412):
                raise
            other, age, _ = self._holder() if error.status_code != 404 else (mark, 0.0, None)
            if other.token == mark.token and self._try_lease(mark):
                self._write(mark)
                return
            raise LostLockError(
                f"another run has taken over {self.name} ({describe_run(other, age)})"
            ) from None

    def update(self, mark: Mark) -> None:
        """Replace the mark of this run by a more complete one."""
        self._write(mark)

    def release(self, mark: Mark) -> None:
        """Delete the blob, if this run has the lease."""
        try:
            self.blob.delete_blob(lease=mark.token, **OPTIONS)
        except AzureError:
            # without heartbeats the lease expires
            return

    def _error(self, error: AzureError) -> TigerbushError:
        reason = sentence(error, self.service, self.container.container_name)
        return TigerbushError(f"{self.name} cannot be used: {reason}")
