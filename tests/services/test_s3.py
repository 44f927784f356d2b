"""From an object store to the summary: the same as from a local folder."""


import pytest

from runs import BASE, SITE, Run
from weed import KEYED, PUBLIC

pytestmark = pytest.mark.workflow


def configured(folder, server, bucket, root, sites=(SITE,), base=BASE, **source):
    """A run on the products below the prefix `root` of a bucket."""
    keys = {"kind": "s3", "level": "L1C", "endpoint_url": server.url, "bucket": bucket, "prefixes": [root]}
    return Run(folder, base | {"source": keys | {"anonymous": bucket == PUBLIC} | source}, sites)


def same_summary(one, other, site="here"):
    """All but how it was configured."""

    def comparable(run):
        summary = run.summary(site)
        metadata = {key: value for key, value in summary["metadata"].items() if not key.startswith("config")}
        return summary | {"metadata": metadata}

    assert comparable(one) == comparable(other)


@pytest.fixture(scope="module")
def local(written, tmp_path_factory):
    run = Run(tmp_path_factory.mktemp("local"), BASE | {"source": {"path": str(written)}})
    run.snakemake("all", "scenes")
    return run


@pytest.mark.parametrize(("access", "bucket"), [("stream", PUBLIC), ("storage", KEYED)])
def test_the_same_as_from_a_local_folder(local, weed, keys, written, tmp_path, access, bucket):
    for safe in written.iterdir():
        weed.put_product(bucket, safe, f"{access}/")
    run = configured(tmp_path / "s3", weed, bucket, f"{access}/", access=access)
    run.snakemake("all", "scenes")
    same_summary(run, local)
    for one in (local.folder / "results" / "scenes").iterdir():
        assert (run.folder / "results" / "scenes" / one.name).read_bytes() == one.read_bytes()
    assert len(list((run.folder / "results" / "here" / "downloads").glob("*"))) == 3 * (access == "stream")
    assert "Nothing to be done" in run.snakemake("all", "scenes")
    text = "".join(path.read_text() for path in run.folder.rglob("logs/**/*.log"))
    assert "reads-only" not in text
