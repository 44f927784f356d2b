"""The mark of a run in Blob storage: a blob below its prefix, with a lease that another run cannot have.

A lease lasts a minute and is renewed, with the time of the blob as the sign of life. Its id is the token of the mark,
so that the lease of one dead run, and of no other, can be released.
"""

import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobClient, BlobLeaseClient

from tigerbush.errors import TigerbushError
from tigerbush.runs.blob_errors import OPTIONS, log_in, sentence
from tigerbush.runs.judge import Judge
from tigerbush.runs.mark import NAME, LostError, Mark, decoded, who

LEASE_SECONDS = 60
# until a lease that nobody renews has ended for certain
_WAIT_SECONDS = 90
_POLL_SECONDS = 2
_PAUSE_SECONDS = 0.2


class Lease:
    """The lease of a run.

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
        self.blob: BlobClient = self.container.get_blob_client(f"{folder}/results/{NAME}".lstrip("/"))

    def look(self) -> None:
        """See that the container can be read, for a run that changes nothing.

        Raises
        ------
        TigerbushError
            When nobody is logged in, there is no such account or container, or it may not be read.
        """
        log_in(self.service)
        try:
            names = self.container.list_blob_names(
                name_starts_with=self.blob.blob_name, results_per_page=1, **OPTIONS
            )
            next(iter(names), None)
        except AzureError as error:
            raise TigerbushError(self._sentence(error)) from None

    def take(self, mark: Mark, judge: Judge, say: Callable[[str], None]) -> None:
        """Take the lease; of several that try it, one does.

        Parameters
        ----------
        mark : Mark
        judge : Judge
        say : callable
            Gets a sentence when there is something to wait for.

        Raises
        ------
        TigerbushError
            When another run is alive or has left jobs, or Blob storage refuses or does not answer.
        """
        log_in(self.service)
        try:
            self._await(mark, judge, say)
            try:
                other, age, _ = self._holder()
                if other.token:
                    judge.refuse_leftovers(other, age)
            except TigerbushError:
                self._release(mark)
                raise
            self._write(mark)
        except AzureError as error:
            raise TigerbushError(self._sentence(error)) from None

    def _await(self, mark: Mark, judge: Judge, say: Callable[[str], None]) -> None:
        watched: tuple[str, object] | None = None
        end = time.monotonic() + _WAIT_SECONDS
        while not self._acquired(mark):
            try:
                other, age, changed = self._holder()
            except ResourceNotFoundError:
                if time.monotonic() > end:
                    raise
                continue
            if judge.known_dead(other, age):
                self._release(other)
                time.sleep(_PAUSE_SECONDS)
                continue
            if watched is None:
                watched = other.token, changed
                say(
                    f"{self.name} is marked by another run ({who(other, age)}); waiting for up to {_WAIT_SECONDS} s to "
                    "see whether it is alive."
                )
            # whoever has renewed it, or taken it meanwhile, is alive
            if watched != (other.token, changed) or time.monotonic() > end:
                raise judge.at_work(other, age)
            time.sleep(_POLL_SECONDS)

    def unlock(self, mark: Mark, judge: Judge) -> None:
        """Take away the mark of a run that is dead or has let its lease end.

        Raises
        ------
        TigerbushError
            When it is alive, or Blob storage refuses or does not answer.
        """
        log_in(self.service)
        try:
            other, age, _ = self._holder()
            if judge.known_dead(other, age):
                self._release(other)
            if not self._acquired(mark):
                raise judge.at_work(other, age)
            self.release(mark)
        except ResourceNotFoundError:
            return
        except AzureError as error:
            raise TigerbushError(self._sentence(error)) from None

    def _acquired(self, mark: Mark) -> bool:
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
        """Return the mark that is there, its age by the clock of the storage, and when it was changed."""
        answer = {}
        download = self.blob.download_blob(
            raw_response_hook=lambda response: answer.update(response.http_response.headers), **OPTIONS
        )
        headers = {name.lower(): value for name, value in answer.items()}
        changed = download.properties.last_modified
        now = parsedate_to_datetime(headers["date"]).astimezone(UTC)
        return decoded(download.readall()), max(0.0, (now - changed).total_seconds()), changed

    def _release(self, dead: Mark) -> None:
        try:
            BlobLeaseClient(self.blob, dead.token).release(**OPTIONS)
        except HttpResponseError as error:
            # somebody else was faster, or it has ended
            if error.status_code not in (404, 409, 412):
                raise

    def _write(self, mark: Mark) -> None:
        self.blob.upload_blob(mark.encoded(), overwrite=True, lease=mark.token, **OPTIONS)

    def renew(self, mark: Mark) -> None:
        """Renew the lease, and the time of the blob; take it again when nobody else has after an interruption.

        Raises
        ------
        LostError
            When another run has it.
        AzureError
            When Blob storage does not answer; that may pass.
        """
        try:
            BlobLeaseClient(self.blob, mark.token).renew(**OPTIONS)
            self._write(mark)
        except HttpResponseError as error:
            if error.status_code not in (404, 409, 412):
                raise
            other, age, _ = self._holder() if error.status_code != 404 else (mark, 0.0, None)
            if other.token == mark.token and self._acquired(mark):
                self._write(mark)
                return
            raise LostError(f"{self.name} is in the hands of another run ({who(other, age)})") from None

    def rewrite(self, mark: Mark) -> None:
        """Write what is known by then into one's own mark."""
        self._write(mark)

    def release(self, mark: Mark) -> None:
        """Delete the blob, if the lease is one's own."""
        try:
            self.blob.delete_blob(lease=mark.token, **OPTIONS)
        except AzureError:
            # without a sign of life it ends by itself
            return

    def _sentence(self, error: AzureError) -> str:
        reason = sentence(error, self.service, self.container.container_name)
        return f"{self.name} cannot be used: {reason}"
