"""Folders of products as people keep them, damage that only a checksum shows, and results that were damaged later."""

import csv
import hashlib
import json
import os
import re
import shutil
import zipfile

import numpy as np
import pytest

from fabricate import name_of, scene_of
from runs import BASE, DAYS, SUMMARIES, Run
from tigerbush.sentinel2.writer import write_product
from tigerbush.sources.tree import find_products

pytestmark = pytest.mark.workflow


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def zip_folder(folder, target, prefix, separator="/"):
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            archive.writestr(
                (prefix + file.relative_to(folder).as_posix()).replace("/", separator), file.read_bytes()
            )
    shutil.rmtree(folder)


@pytest.mark.input(
    "Products in a folder",
    "products of several baselines; `~` in `source.path`",
    "`missing.tsv` names those whose place another baseline takes; the home folder",
)
def test_products_in_any_packing_give_the_same_windows(finished, tmp_path):
    """Zips with other folders or none, in sub-folders, with what a Mac adds, below `~`, and a copy of an older baseline."""
    home = tmp_path / "home"
    products = home / "archive" / "33TVL"
    first, second, third = (
        write_product(products, name_of(day), scene_of(seed, clouds=[])) for seed, day in enumerate(DAYS)
    )
    zip_folder(first, products / "2017" / f"{first.stem}.ZIP", "", "\\")
    zip_folder(second, products / "2017" / f"{second.stem}.SAFE.zip", f"downloads/{second.name}/")
    third.rename(third.with_suffix(""))
    for file in [path for path in third.with_suffix("").rglob("*") if path.is_file()]:
        file.with_name(f"._{file.name}").write_bytes(b"\0\5\x16\7")
    write_product(products, name_of(DAYS[0], baseline="9999"), scene_of(9, offset=-1000))
    (products / f"{name_of('20170118')}.tgz").write_bytes(b"x")
    run = Run(tmp_path / "run", BASE | {"source": {"path": "~/archive"}})
    run.variables = {"HOME": str(home)}
    output = run.snakemake(SUMMARIES)
    assert f"unpack it by: tar -xf {products / name_of('20170118')}.tgz -C {products}" in output
    for product in map(name_of, DAYS):
        for mine, theirs in zip(run.window(product), finished.window(product), strict=True):
            np.testing.assert_array_equal(mine.data, theirs.data)
    assert run.summary()["COPERNICUS/S2"] == finished.summary()["COPERNICUS/S2"]
    missing = [row for row in rows_of(run.folder / "results/here/missing.tsv") if row["product"]]
    assert [(row["date"], row["product"], row["reason"]) for row in missing] == [
        (
            "2017-01-16",
            name_of(DAYS[0], baseline="9999"),
            f"{name_of(DAYS[0])} takes its place (another baseline of the same data)",
        )
    ]
    assert "Nothing to be done" in run.snakemake(SUMMARIES)
    # another clone has the table alone
    note = f"# replaced\t{name_of(DAYS[0], baseline='9999')}\t{name_of(DAYS[0])}"
    table = run.folder / "results" / "products.tsv"
    assert [line for line in table.read_text().splitlines() if "# replaced" in line] == [note]
    assert {path.name for path in table.parent.glob("*.tsv")} == {"products.tsv", "files.tsv"}


def write_manifest(safe):
    files = sorted(path for path in safe.rglob("*") if path.is_file())
    streams = "".join(
        f'<byteStream size="{file.stat().st_size}"><fileLocation href="./{file.relative_to(safe).as_posix()}"/>'
        f'<checksum checksumName="SHA3-256">{hashlib.sha3_256(file.read_bytes()).hexdigest()}</checksum></byteStream>'
        for file in files
    )
    (safe / "manifest.safe").write_text(f"<a>{streams}</a>")


@pytest.mark.parametrize("access", ["stream", "storage"])
def test_damage_that_only_a_checksum_shows(run, access):
    """GDAL decodes the band without an error."""
    for safe in (run.folder / "products").glob("*.SAFE"):
        write_manifest(safe)
    [band] = (run.folder / "products" / f"{name_of(DAYS[2])}.SAFE").glob("GRANULE/*/IMG_DATA/*_B04.jp2")
    content = band.read_bytes()
    band.write_bytes(content[:-400] + bytes([content[-400] ^ 1]) + content[-399:])
    run.configure(run.config | {"source": {"path": "products", "access": access}})
    run.snakemake(SUMMARIES, status=1)
    sentence = (
        f"{band.relative_to(run.folder)} is damaged: its checksum is not the one that the product states; fetch the product "
        "again, then run ./tigerbush retry (if it was changed on purpose, set source.verify: never)."
    )
    assert run.summary()["metadata"]["failed_products"] == {name_of(DAYS[2]): sentence}
    records = sorted(path.name for path in (run.folder / "results/downloads").glob("*.json"))
    assert records == ([f"{name_of(day)}.checked.json" for day in DAYS[:2]] if access == "stream" else [])
    # the default and `never` leave the other results as they are
    run.configure(run.config | {"source": {"path": "products", "access": access, "verify": "never"}})
    assert run.planned(SUMMARIES)["resample_product"] == 0
    run.retry()
    assert run.summary()["metadata"]["failed_products"] == {}
    assert run.summary()["metadata"]["config"]["source"]["verify"] == "never"
    band.write_bytes(content)
    assert "verify" not in json.dumps(run_with_default(run, access).summary()["metadata"]["config"])
    check_copies_are_passed_over(run, len(DAYS) if access == "storage" else 0)


def check_copies_are_passed_over(run, count):
    """In a folder that has the results of the run beside the products; copies may still be chosen."""
    messages = []
    paths = find_products(run.folder, warn=lambda message, *values: messages.append(message % values))
    assert paths == {name_of(day): run.folder / "products" / f"{name_of(day)}.SAFE" for day in DAYS}
    copies = run.folder / "results" / "downloads"
    assert len(find_products(copies)) == count
    assert messages == [
        f"skipped {count} product(s) in {copies}: they are the copies of a run, which may lack bands; to read them "
        "nevertheless, set source.path to that folder."
    ] * bool(count)


def run_with_default(run, access):
    run.configure(run.config | {"source": {"path": "products", "access": access}})
    run.snakemake(SUMMARIES)
    return run


@pytest.mark.input(
    "Damage",
    "a result that was cut or emptied after it was finished",
    "`./tigerbush doctor --results` names it, `./tigerbush retry` makes it again",
)
def test_damaged_results_are_named_and_made_again(finished):
    results = finished.folder / "results"
    numbers = finished.summary()["COPERNICUS/S2"]
    cut, empty = results / "here/2017-01-16/composite.tif", results / "here/2017-02-15/centrality.json"
    bundle = finished.bundle(name_of(DAYS[0]))
    for path, length in ((cut, cut.stat().st_size // 2), (empty, 0), (bundle, 200)):
        times = path.stat()
        path.write_bytes(path.read_bytes()[:length])
        # later than nothing, as after a fault of the disk
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    # a leftover that no rule makes
    (results / "here/2016-01-16").mkdir()
    (results / "here/2016-01-16/ndvi.json").write_text("{")
    output = finished.tigerbush("doctor", "--results", "--configfile", "config.yaml", status=1)
    lines = re.findall(r"^failed  results +(results/\S+): .+; (.+)$", output, re.MULTILINE)
    again = "./tigerbush retry makes it again"
    assert dict(lines) == {
        **{str(path.relative_to(finished.folder)): again for path in (cut, empty, bundle)},
        "results/here/2016-01-16/ndvi.json": "this configuration does not make it: it is of another one, or left over",
    }
    output = finished.retry()
    assert "3 damaged result(s):" in output
    assert finished.summary()["COPERNICUS/S2"] == numbers
    shutil.rmtree(results / "here/2016-01-16")
    assert (
        finished.tigerbush("doctor", "--results")
        == "ok      results         every result in results can be read\n"
    )
    assert "No product of results/products.tsv failed." in finished.retry()
