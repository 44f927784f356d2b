"""An object store and web servers in memory: what is asked of them, and what they answer, without a server."""

import hashlib
import io
from types import SimpleNamespace

from botocore.exceptions import ClientError

from tigerbush.sources import store as remote
from tigerbush.sources.store import Store
from tigerbush.sources.web import Response


def md5(content):
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def refusal(status, code="", headers=None):
    """The error of botocore for an answer."""
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": headers or {}}
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": metadata}, "GetObject")


class Bucket:
    """What remote asks of botocore's client.

    Attributes
    ----------
    objects : dict of key to bytes
    page : int
        Names on a page of a listing.
    listed, read : list of dict
        The options of each request.
    answers : list
        What comes of the next requests: an exception, a whole page of a listing, or what differs in the answer.
    """

    def __init__(self, objects=(), page=2):
        self.objects, self.page = dict(objects), page
        self.listed, self.read, self.answers = [], [], []

    def list_objects_v2(self, **options):
        self.listed.append(options)
        if "IsTruncated" in (changes := self._changes()):
            return changes
        prefix, delimiter = options["Prefix"], options["Delimiter"]
        below = [key for key in sorted(self.objects) if key.startswith(prefix)]
        names: dict[str, bool] = {}
        for key in below:
            folder, found, _ = key.removeprefix(prefix).partition(delimiter or "\0")
            names.setdefault(f"{prefix}{folder}{found}", bool(found))
        first = int(options.get("ContinuationToken", 0))
        last = first + min(options.get("MaxKeys", self.page), self.page)
        page = list(names)[first:last]
        answer = {"IsTruncated": last < len(names)}
        if contents := [self._entry(name) for name in page if not names[name]]:
            answer["Contents"] = contents
        if folders := [{"Prefix": name} for name in page if names[name]]:
            answer["CommonPrefixes"] = folders
        if answer["IsTruncated"]:
            answer["NextContinuationToken"] = str(last)
        return answer | changes

    def get_object(self, **options):
        self.read.append(options)
        changes = self._changes()
        content = self.objects.get(options["Key"])
        if content is None:
            raise refusal(404, "NoSuchKey")
        tag = f'"{md5(content)}"'
        if options.get("IfMatch", tag) != tag:
            raise refusal(412, "PreconditionFailed")
        answer, part = {"ETag": tag, "ContentType": "image/jp2"}, content
        if "Range" in options:
            first, last = map(int, options["Range"].removeprefix("bytes=").split("-"))
            part = content[first : last + 1]
            answer["ContentRange"] = f"bytes {first}-{first + len(part) - 1}/{len(content)}"
        answer |= {"ContentLength": len(part)}
        return answer | {"Body": io.BytesIO(part)} | changes

    def _entry(self, name):
        content = self.objects[name]
        return {"Key": name, "Size": len(content), "ETag": f'"{md5(content)}"'}

    def _changes(self):
        change = self.answers.pop(0) if self.answers else None
        if isinstance(change, Exception):
            raise change
        return change or {}

    @property
    def ranges(self):
        """First and last byte of each read; None of a whole object."""
        return [
            tuple(map(int, options["Range"].removeprefix("bytes=").split("-")))
            if "Range" in options
            else None
            for options in self.read
        ]


class Servers:
    """What is asked of `tigerbush.sources.web.Web`, which it stands in for.

    Attributes
    ----------
    answers : dict of address to bytes, an Response, an exception, or a list of these, of which the last one stays
        Also a function of the method, the address and the options; None is for all other addresses.
    asked : list of (method, address, options)
    opened : list of (hosts, options)
    """

    def __init__(self, answers=()):
        self.answers, self.asked, self.opened = dict(answers), [], []

    def __call__(self, hosts, **options):
        self.opened.append((hosts, options))
        return self

    def request(self, method, url, **options):
        self.asked.append((method, url, options))
        found = self.answers.get(url) or self.answers.get(None, Response(404, b"", {}, "host"))
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        if callable(found):
            found = found(method, url, **options)
        if isinstance(found, Exception):
            raise found
        return found if isinstance(found, Response) else Response(200, found, {}, "host")


def store_of(monkeypatch, bucket, servers=None, **options):
    """A `Store` of a bucket named eodata, and of web servers, in memory."""
    options = {"bucket": "eodata", "tries": 3, "connections": 1} | options
    with monkeypatch.context() as patched:
        patched.setattr(remote, "_client", lambda **_: bucket)
        # a store opens the web again for the host of a catalogue
        monkeypatch.setattr(remote, "Web", servers or Servers())
        return Store(**options)


def without_waiting(monkeypatch):
    """Let no try be waited for; gives the seconds that it would have been, without their jitter."""
    from tigerbush.sources import retries

    waits = []
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=waits.append))
    monkeypatch.setattr(retries, "random", SimpleNamespace(random=lambda: 0.5))
    return waits
