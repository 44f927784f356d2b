"""A copy of a product is never replaced by a placeholder; records of kept results, and their retry."""

import json
import shutil
import zipfile

import pytest
import yaml

from bundles import write_bundle, write_index
from fabricate import ROOT
from test_kept_results import NAME, SITE, files_of, keeping, kept_window, script, without_band
from tigerbush.bundle import index_at, unpacked
from tigerbush.cli.__main__ import main as tigerbush
from tigerbush.errors import KeptError, TigerbushError
from tigerbush.files import write_json
from tigerbush.placeholder import (
    failed_outputs,
    is_finished,
    kept_results,
    placeholder_on_failure,
    write_placeholder_zip,
)
from tigerbush.planning.tables import COLUMNS, FILE_COLUMNS, table_row, write_table
from tigerbush.planning.windows import Made
from tigerbush.raster import STATUS, write_raster
from tigerbush.readers import list_files
from tigerbush.scenes.scene import scene_placeholder
from tigerbush.sensors import parse_name
from tigerbush.sources.folder import copy_product

DOWNLOAD, STREAM = script("download_product"), script("stream_product")


def of_folder(path, out, *, last_attempt=True):
    DOWNLOAD(
        out,
        path=str(path),
        bands=["B4"],
        snap_masks=False,
        source={"kind": "local", "verify": "once"},
        files=[],
        fetched=[],
        last_attempt=last_attempt,
    )


def test_a_copy_of_a_product_is_kept(product, tmp_path):
    safe, out = product(), tmp_path / "results" / "downloads" / f"{NAME}.zip"
    of_folder(safe, out)
    (safe / "MTD_MSIL1C.xml").unlink()
    reason = (
        f"{safe} has 0 files MTD_MSIL1C.xml, expected one; restore the product, then run ./tigerbush retry."
    )
    with keeping(out, reason):
        of_folder(safe, out, last_attempt=False)
    shutil.rmtree(safe)
    of_folder(product(), out)
    assert files_of(out.parent) == [out.name]


def test_a_copy_is_not_replaced_by_one_that_lacks_a_band(product, tmp_path):
    safe, out = product(), tmp_path / "results" / "downloads" / f"{NAME}.zip"
    of_folder(safe, out)
    without_band(safe)
    with keeping(
        out,
        f"{NAME}: the file of band B4 is missing; restore the product, then run ./tigerbush retry.",
    ):
        of_folder(safe, out)
    # the first copy contains all available bands; a missing one is reported when it is read
    out.unlink()
    of_folder(safe, out)
    assert is_finished(out)


def test_a_copy_may_lose_a_band_that_is_not_wanted(product, tmp_path):
    safe, out = product(), tmp_path / f"{NAME}.zip"
    copy_product(safe, out, ["B2", "B4"])
    copy_product(safe, out, ["B2"])
    without_band(safe)
    copy_product(safe, out, ["B2"])
    copy_product(safe, tmp_path / "whole" / out.name, None)
    next(safe.glob("GRANULE/*/IMG_DATA/*_B8A.jp2")).unlink()
    with pytest.raises(TigerbushError) as error:
        copy_product(safe, tmp_path / "whole" / out.name, None)
    assert str(error.value) == (
        f"{NAME}: the file of band B8A is missing; restore the product, then run ./tigerbush retry."
    )


def test_a_copy_of_a_store_is_not_replaced_by_one_of_fewer_files(product, tmp_path):
    """Files that are missing from a new listing of the store."""
    out = tmp_path / f"{NAME}.zip"
    copy_product(product(), out, ["B2", "B4"])
    rows = [ROW, ROW | {"name": "GRANULE/L1C_T33TVL/MTD_TL.xml"}]
    with keeping(
        out, f"{NAME}: the file of band B2 is missing; restore the product, then run ./tigerbush retry."
    ):
        DOWNLOAD(
            out,
            path="s3://b/k",
            bands=[],
            snap_masks=False,
            source=STORE,
            files=rows,
            fetched=[],
            last_attempt=False,
        )


@pytest.mark.parametrize("damage", ["cut", "a byte", "failed"])
def test_a_damaged_copy_is_replaced(product, tmp_path, damage):
    safe, out = product(), tmp_path / "results" / "downloads" / f"{NAME}.zip"
    copy_product(safe, out, None)
    if damage == "failed":
        write_placeholder_zip(out, "earlier")
    elif damage == "cut":
        out.write_bytes(out.read_bytes()[:-300])
    else:
        content = bytearray(out.read_bytes())
        content[len(content) // 2] ^= 1
        out.write_bytes(content)
    shutil.rmtree(safe)
    (safe.parent / "another").touch()
    of_folder(safe, out)
    with zipfile.ZipFile(out) as archive:
        assert archive.read("TIGERBUSH_FAILED.txt").decode() == (
            f"{safe} does not exist; restore the product, or run ./tigerbush discover to refresh the table."
        )


STORE = {
    "kind": "s3",
    "bucket": "b",
    # no server listens there
    "endpoint_url": "http://127.0.0.1:9",
    "region": None,
    "anonymous": True,
    "requester_pays": False,
}
ROW = {
    "product": NAME,
    "role": "metadata",
    "band": "",
    "name": "MTD_MSIL1C.xml",
    "key": "k",
    "size": "9",
    "etag": "",
}
UNREACHED = "RemoteError: s3://b/k: http://127.0.0.1:9 did not respond, or its response was cut off (EndpointConnectionError)"


def streamed(bundle, made, last_attempt):
    STREAM(
        [bundle], product=NAME, source=STORE, files=[ROW], sites={"here": (SITE, Made(made))}, buffer=0, connections=1,
        last_attempt=last_attempt,
    )  # fmt: skip


def fetched(out, last_attempt):
    DOWNLOAD(
        out,
        path="s3://b/k",
        bands=["B4"],
        snap_masks=False,
        source=STORE,
        files=[ROW],
        fetched=[],
        last_attempt=last_attempt,
    )


def test_a_copy_of_a_store_is_kept_when_the_store_is_gone(product, tmp_path, monkeypatch):
    monkeypatch.setattr("tigerbush.sources.retries.WAIT_SECONDS", 0)
    out = tmp_path / "results" / "downloads" / f"{NAME}.zip"
    copy_product(product(), out, [])
    # transient errors are retried first
    with pytest.raises(OSError, match=r"s3://b/k: http://127\.0\.0\.1:9 did not respond"):
        fetched(out, last_attempt=False)
    assert files_of(out.parent) == [out.name]
    with keeping(out, UNREACHED):
        fetched(out, last_attempt=True)
    out.unlink()
    fetched(out, last_attempt=True)
    with zipfile.ZipFile(out) as archive:
        assert archive.read("TIGERBUSH_FAILED.txt").decode() == UNREACHED
    assert f"{NAME}.unreadable.json" not in files_of(out.parent)


def test_what_was_fetched_for_a_site_is_kept_when_the_store_is_gone(tmp_path, monkeypatch):
    monkeypatch.setattr("tigerbush.sources.retries.WAIT_SECONDS", 0)
    bundle = tmp_path / "results" / "downloads" / NAME / "0.zip"
    write_bundle(bundle, here={f"{NAME}.zip": b"a window"}, there={f"{NAME}.zip": b"another"})
    # there is nothing to fetch
    streamed(bundle, "m", last_attempt=True)
    before = bundle.read_bytes()
    with pytest.raises(OSError, match=r"s3://b/k: http://127\.0\.0\.1:9 did not respond"):
        streamed(bundle, "otherwise", last_attempt=False)
    with pytest.raises(KeptError) as error:
        streamed(bundle, "otherwise", last_attempt=True)
    assert str(error.value) == kept_window(bundle, UNREACHED)
    assert bundle.read_bytes() == before
    assert json.loads((bundle.parent / "here.unreadable.json").read_text())["reason"] == UNREACHED
    # a placeholder where there is none, which leaves what is there of the other site
    write_bundle(bundle, there={f"{NAME}.zip": b"another"})
    streamed(bundle, "otherwise", last_attempt=True)
    assert {site: (entry.status, entry.reason) for site, entry in index_at(bundle).items()} == {
        "here": ("failed", UNREACHED), "there": ("ok", "")
    }  # fmt: skip
    with zipfile.ZipFile(bundle) as archive:
        assert archive.read(f"there/{NAME}.zip") == b"another"
    with (
        unpacked(bundle, "here", f"{NAME}.zip") as path,
        pytest.raises(TigerbushError, match="did not respond"),
    ):
        list_files(path)
    assert files_of(bundle.parent) == ["0.json", "0.zip"]


def test_success_needs_no_record(tmp_path):
    result = tmp_path / f"{NAME}.tif"
    write_json(tmp_path / f"{NAME}.unreadable.json", {"product": NAME, "reason": "gone"})
    assert placeholder_on_failure(lambda: 1, str, last_attempt=True, result=result) == 1
    assert not list(tmp_path.iterdir())


@pytest.fixture
def records(tmp_path):
    """Records of every kind, beside finished results."""
    raster = scene_placeholder(NAME, "", ["B2"], 20)
    raster.tags[STATUS] = "ok"
    results = tmp_path / "results"
    write_raster(results / "scenes" / f"{NAME}.tif", raster)
    copy_product_into(results / "downloads")
    for folder in ("windows", "downloads"):
        write_index(results / folder / NAME / "0.zip", here="ok", there="ok")
    assert failed_outputs(results) == []
    for path in (f"scenes/{NAME}", f"downloads/{NAME}", f"windows/{NAME}/here", f"downloads/{NAME}/here"):
        write_json(results / f"{path}.unreadable.json", {"product": NAME, "reason": "B4 is missing."})
    return tmp_path


def copy_product_into(folder):
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / f"{NAME}.zip", "w") as archive:
        archive.writestr(f"{NAME}.SAFE/MTD_MSIL1C.xml", "x")


PATHS = [f"downloads/{NAME}/here", f"downloads/{NAME}.zip", f"scenes/{NAME}.tif", f"windows/{NAME}/here"]


def test_records_count_as_failed(records):
    results = records / "results"
    assert failed_outputs(results) == [results / path for path in PATHS]
    assert kept_results(results) == {results / path: "B4 is missing." for path in PATHS}


@pytest.mark.parametrize(("access", "wanted"), [("storage", [0, 1, 2, 3]), ("stream", [0, 2, 3])])
def test_retry_forces_what_was_kept_and_is_still_made(records, monkeypatch, capsys, access, wanted):
    """A folder is read in place, or copied for all sites."""
    calls = []
    monkeypatch.setattr("tigerbush.cli.retry.snakemake", lambda words: calls.append(words) or 0)
    config = records / "config.yaml"
    whole = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    changes = {
        "sites": "sites.tsv",
        "products": "products.tsv",
        "period": {"start": "2017-01-01", "end": "2018-01-01", "step": "1m"},
        "source": {"kind": "local", "path": "products", "access": access},
    }
    (records / "sites.tsv").write_text("site\tlongitude\tlatitude\tregion_size\nhere\t14.5\t45.8\t0.1\n")
    config.write_text(yaml.safe_dump(whole | changes))
    row = table_row(parse_name(NAME), url=f"products/{NAME}.SAFE", granule="", size_bytes=1, cloud_percent=0)
    write_table(records / "products.tsv", [row], COLUMNS)
    (records / "files.tsv").write_text("\t".join(FILE_COLUMNS) + "\n")
    assert tigerbush(["retry", "--directory", str(records), "--configfile", str(config)]) == 0
    forced = calls[0][calls[0].index("--forcerun") + 1 : calls[0].index("--rerun-incomplete")]
    paths = [f"results/{path}" for path in PATHS]
    again = [paths[i] for i in wanted]
    assert forced == [path for path in again if not path.endswith("/here")]
    others = [path for path in paths if path not in again]
    assert capsys.readouterr().out.splitlines() == (
        []
        if not others
        else [
            f"{len(others)} result(s) that this configuration does not want, passed over:",
            *(f"  {path}" for path in others),
        ]
    ) + [
        f"{len(again)} kept result(s) of products that could not be read again:",
        *(f"  {path}" for path in again),
    ]
