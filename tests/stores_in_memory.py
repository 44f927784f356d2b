"""An object store and web servers in memory, which record requests and return prepared answers."""

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
    """Return botocore's error for a status."""
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": headers or {}}
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": metadata}, "GetObject")


class Bucket:
    """The part of botocore's client that `tigerbush.sources.store` uses.

    Attributes
    ----------
    objects : dict of key to bytes
    page : int
        Number of names per page of a listing.
    listed, read : list of dict
        The options of each request.
    answers : list
        Answers to the next requests: an exception, a whole page of a listing, or changes to the regular answer.
    """

    def __init__(self, objects=(), page=2):
        self.objects, self.page = dict(objects), page
        self.listed, self.read, self.answers = [], [], []

    def list_objects_v2(self, **options):
        self.listed.append(options)
        if "IsTruncated" in (changes := self._changes()):
            return changes
        prefix, delimiter = options["Prefix"], options["Delimiter"]
        keys = [key for key in sorted(self.objects) if key.startswith(prefix)]
        is_folder: dict[str, bool] = {}
        for key in keys:
            name, slash, _ = key.removeprefix(prefix).partition(delimiter or "\0")
            is_folder.setdefault(f"{prefix}{name}{slash}", bool(slash))
        first = int(options.get("ContinuationToken", 0))
        last = first + min(options.get("MaxKeys", self.page), self.page)
        page = list(is_folder)[first:last]
        response = {"IsTruncated": last < len(is_folder)}
        if contents := [self._entry(name) for name in page if not is_folder[name]]:
            response["Contents"] = contents
        if folders := [{"Prefix": name} for name in page if is_folder[name]]:
            response["CommonPrefixes"] = folders
        if response["IsTruncated"]:
            response["NextContinuationToken"] = str(last)
        return response | changes

    def get_object(self, **options):
        self.read.append(options)
        changes = self._changes()
        content = self.objects.get(options["Key"])
        if content is None:
            raise refusal(404, "NoSuchKey")
        tag = f'"{md5(content)}"'
        if options.get("IfMatch", tag) != tag:
            raise refusal(412, "PreconditionFailed")
        response, part = {"ETag": tag, "ContentType": "image/jp2"}, content
        if "Range" in options:
            first, last = map(int, options["Range"].removeprefix("bytes=").split("-"))
            part = content[first : last + 1]
            response["ContentRange"] = f"bytes {first}-{first + len(part) - 1}/{len(content)}"
        response |= {"ContentLength": len(part)}
        return response | {"Body": io.BytesIO(part)} | changes

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
        """First and last byte of each read; None for a whole object."""
        return [
            tuple(map(int, options["Range"].removeprefix("bytes=").split("-")))
            if "Range" in options
            else None
            for options in self.read
        ]


class Servers:
    """A stand-in for `tigerbush.sources.web.Web`.

    Attributes
    ----------
    answers : dict of address to bytes, a Response, an exception, or a list of these, whose last one is repeated
        Also a function of method, address and options; the key None stands for all other addresses.
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
        answer = self.answers.get(url) or self.answers.get(None, Response(404, b"", {}, "host"))
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if callable(answer):
            answer = answer(method, url, **options)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Response) else Response(200, answer, {}, "host")


def store_of(monkeypatch, bucket, servers=None, **options):
    """Return a `Store` with the bucket eodata and web servers in memory."""
    options = {"bucket": "eodata", "tries": 3, "connections": 1} | options
    with monkeypatch.context() as patched:
        patched.setattr(remote, "_client", lambda **_: bucket)
        # a store opens another Web for the host of a catalogue
        monkeypatch.setattr(remote, "Web", servers or Servers())
        return Store(**options)


def without_waiting(monkeypatch):
    """Skip the waits between attempts; return the list of their seconds, without jitter."""
    from tigerbush.sources import retries

    waits = []
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=waits.append))
    monkeypatch.setattr(retries, "random", SimpleNamespace(random=lambda: 0.5))
    return waits
