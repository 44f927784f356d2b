"""Which products of a table are gone, and what a run says of it."""

import os
import shutil
import zipfile

import pytest

from fabricate import name_of
from tigerbush.errors import GoneError, MachineError, RemoteError, TigerbushError
from tigerbush.runs import gone
from tigerbush.runs.gone import gone_products, loss_sentence
from tigerbush.sources.folder import list_local

DAYS = ("20170110", "20170120", "20170130", "20170210", "20170220", "20170228")


def no_store():
    raise AssertionError("a folder needs no store")


def by_product(files):
    rows = {}
    for file in files:
        rows.setdefault(file["product"], []).append(file)
    return rows


@pytest.fixture
def folder(product, tmp_path):
    """Products as folders, the last two as zips."""
    for day in DAYS:
        product(day)
    for day in DAYS[-2:]:
        safe = tmp_path / "products" / f"{name_of(day)}.SAFE"
        with zipfile.ZipFile(safe.with_suffix(".zip").with_name(f"{name_of(day)}.zip"), "w") as archive:
            for file in sorted(path for path in safe.rglob("*") if path.is_file()):
                archive.write(file, f"{safe.name}/{file.relative_to(safe).as_posix()}")
        shutil.rmtree(safe)
    return tmp_path / "products"


def test_products_that_are_there_are_not_gone(folder):
    rows, files = list_local(folder)
    assert [row["product"] for row in rows] == [name_of(day) for day in DAYS]
    assert gone_products(rows, by_product(files), no_store) == {}


def test_what_is_gone_or_another_is_said(folder):
    rows, files = list_local(folder)
    safes = [folder / f"{name_of(day)}.SAFE" for day in DAYS]
    shutil.rmtree(safes[0])
    band = next(safes[1].rglob("*_B08.jp2"))
    size = band.stat().st_size
    os.truncate(band, 7)
    lost = next(safes[2].rglob("MTD_TL.xml"))
    lost.unlink()
    cut = folder / f"{name_of(DAYS[4])}.zip"
    os.truncate(cut, cut.stat().st_size // 2)
    gone = gone_products(rows, by_product(files), no_store)
    assert gone == {
        name_of(DAYS[0]): f"is no longer in {folder}",
        name_of(
            DAYS[1]
        ): f"has 7 bytes of {band.relative_to(safes[1]).as_posix()}, of which {size} were listed",
        name_of(DAYS[2]): f"has lost its file {lost.relative_to(safes[2]).as_posix()}",
        name_of(DAYS[4]): "cannot be read any more (File is not a zip file)",
    }


def test_a_folder_that_is_not_there_is_no_products_fault(folder):
    rows, files = list_local(folder)
    shutil.rmtree(folder)
    with pytest.raises(TigerbushError) as raised:
        gone_products(rows, by_product(files), no_store)
    assert str(raised.value) == (
        f"the folder {folder}, whose products have finished results that this run would replace, cannot be listed "
        "(No such file or directory); mount its disk, or correct source.path."
    )


class Shelf:
    """A store that counts its listings."""

    bucket = "eodata"

    def __init__(self, *names, errors=None):
        self.names, self.errors, self.listed, self.asked = names, errors or {}, [], []

    def folders(self, prefix):
        self.listed.append(prefix)
        if prefix in self.errors:
            raise self.errors[prefix]
        return [f"{prefix}{name}.SAFE/" for name in self.names]

    def size_of(self, key):
        self.asked.append(key)
        if key in self.errors:
            raise self.errors[key]
        return 1


def remote_row(day, folder="s3://eodata/L1C/2017/01"):
    return {"product": name_of(day), "url": f"{folder}/{day[6:]}/{name_of(day)}.SAFE"}


def test_a_bucket_is_listed_once_a_day():
    rows = [
        remote_row("20170110"),
        remote_row("20170110") | {"product": name_of("20170110", orbit="007")},
        remote_row("20170120"),
    ]
    rows[1]["url"] = rows[1]["url"].replace("R122", "R007")
    store = Shelf(name_of("20170110"), name_of("20170120"))
    assert gone_products(rows, {}, lambda: store) == {
        name_of("20170110", orbit="007"): "is no longer in s3://eodata/L1C/2017/01/10/"
    }
    assert store.listed == ["L1C/2017/01/10/", "L1C/2017/01/20/"]


def test_a_store_that_does_not_answer_takes_no_product_away_and_is_asked_once():
    store = Shelf(errors={"L1C/2017/01/10/": RemoteError("no answer")})
    assert gone_products([remote_row("20170110"), remote_row("20170120")], {}, lambda: store) == {}
    assert store.listed == ["L1C/2017/01/10/"]


def test_a_store_that_refuses_is_no_products_fault():
    store = Shelf(errors={"L1C/2017/01/10/": TigerbushError("the keys have expired.")})
    with pytest.raises(TigerbushError) as raised:
        gone_products([remote_row("20170110")], {}, lambda: store)
    assert str(raised.value) == "the keys have expired."


def test_a_product_of_another_bucket_is_gone():
    row = remote_row("20170110", "s3://elsewhere/L1C/2017/01")
    assert gone_products([row], {}, lambda: Shelf()) == {
        row["product"]: f"lies in another bucket than source.bucket ({row['url']})"
    }


def test_files_on_web_servers_are_asked_for_one_by_one():
    rows = [{"product": name_of(day), "url": f"https://catalogue.example/items/{day}"} for day in DAYS[:4]]
    files = {
        name_of(day): [
            {"role": "metadata", "key": f"https://catalogue.example/items/{day}"},
            {"role": "band", "key": f"https://data.example/{day}/B02.tif", "size": size},
            {"role": "band", "key": f"https://data.example/{day}/B03.tif", "size": "1"},
        ]
        for day, size in zip(DAYS[:4], ("1", "0", "1", "7"), strict=True)
    }
    gone, other = (f"https://data.example/{day}/B02.tif" for day in DAYS[2:4])
    store = Shelf(errors={gone: GoneError("it is not there.")})
    assert gone_products(rows, files, lambda: store) == {
        name_of(DAYS[2]): "cannot be read any more (it is not there.)",
        name_of(DAYS[3]): f"has 1 bytes of {other}, of which 7 were listed",
    }
    assert store.asked == [f"https://data.example/{day}/B02.tif" for day in DAYS[:4]]


def test_a_long_list_is_shortened():
    losses = {
        f"results/here/2017-{month:02}-16": {f"P{month}": "is no longer in products"}
        for month in range(1, 13)
    }
    products = "; ".join(f"P{month} is no longer in products" for month in range(1, 6))
    results = ", ".join(f"results/here/2017-{month:02}-16" for month in range(1, 11))
    assert loss_sentence(losses) == (
        f"12 product(s) whose finished results this run would replace cannot be read: {products}; and 7 more. No "
        f"result was changed; the results are {results} and 2 more. Restore the products (after an intended change "
        "run ./tigerbush discover), or set on_gone: keep, which keeps these results as they are and leaves their "
        "dates out of the summary."
    )


def test_a_zip_with_two_ends(folder):
    rows, files = list_local(folder)
    path = folder / f"{name_of(DAYS[4])}.zip"
    longer = path.rename(folder / f"{name_of(DAYS[4])}.SAFE.zip")
    row = rows[4] | {"url": str(longer)}
    assert gone_products([row], by_product(files), no_store) == {}


def test_trouble_of_the_machine_takes_no_product_away(folder, monkeypatch):
    def full(path):
        raise OSError(24, "Too many open files")

    rows, files = list_local(folder)
    monkeypatch.setattr(gone, "_size_reader", full)
    with pytest.raises(MachineError, match=r"^Too many open files; raise the limit"):
        gone_products(rows, by_product(files), no_store)


@pytest.mark.parametrize(("products", "results"), [(1, 1), (5, 10), (6, 11)])
def test_what_is_lost(products, results):
    losses = {f"r{number}": {f"P{number % products}": f"why{number % products}"} for number in range(results)}
    named = "; ".join(f"P{number} why{number}" for number in range(min(products, 5))) + "; and 1 more" * (
        products > 5
    )
    places = ", ".join(f"r{number}" for number in range(min(results, 10))) + " and 1 more" * (results > 10)
    assert loss_sentence(losses) == (
        f"{products} product(s) whose finished results this run would replace cannot be read: {named}. No result was "
        f"changed; the results are {places}. Restore the products (after an intended change run ./tigerbush "
        "discover), or set on_gone: keep, which keeps these results as they are and leaves their dates out of the "
        "summary."
    )
