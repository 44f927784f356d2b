"""Zips with a product in folders of its own name, and with several products."""

import zipfile

import pytest

from fabricate import name_of
from test_packing import NAME, assert_same_product, safe, scene, zipped
from tigerbush.errors import TigerbushError
from tigerbush.sentinel2.safe import open_product

__all__ = ["safe", "scene"]


@pytest.mark.input(
    "Products in a folder",
    "a zip with the `.SAFE` folder in another of the same name, with files beside it",
    "read",
)
@pytest.mark.parametrize("outer", [f"{NAME}.SAFE", f"x/{NAME}.SAFE", NAME])
def test_files_beside_a_product_in_a_folder_of_its_name(safe, scene, outer, caplog):
    extra = [(f"{outer}/{name}", b"x") for name in ("readme.txt", f"._{NAME}.SAFE", "GRANULE.txt", "a/b.jpg")]
    assert_same_product(zipped(safe, f"{outer}/{NAME}.SAFE/", extra=extra), safe, scene)
    assert caplog.messages == []


def test_the_outer_of_two_complete_products_is_read(safe, scene):
    """As a zip of a folder into which the product was copied once more."""
    extra = [(f"{NAME}.SAFE/{NAME}.SAFE/MTD_MSIL1C.xml", b"<a/>")]
    path = zipped(safe, f"{NAME}.SAFE/", extra=extra)
    assert open_product(path).read_band("B4", open_product(path).grids[10]).shape == (126, 126)
    assert open_product(path).granule == open_product(safe).granule


@pytest.mark.input(
    "Products in a folder",
    "a zip named after one of the two products in it",
    "that product is read, and a warning names the other",
)
@pytest.mark.parametrize("place", ["", "more/"])
def test_another_product_beside_that_of_the_zip(safe, scene, place, caplog):
    others = [f"{place}{name_of(day)}.SAFE" for day in ("20170117", "20170118")]
    path = zipped(safe, f"{NAME}.SAFE/", extra=[(f"{other}/MTD_MSIL1C.xml", b"<a/>") for other in others])
    assert_same_product(path, safe, scene)
    assert caplog.messages == [
        f"{path} also holds {others[0]}, {others[1]}, not read: zip each product alone, or unpack them"
    ]


@pytest.mark.parametrize("folder", [f"{name_of('20170117')}.SAFE", f"{name_of('20170117')}.safe"])
def test_another_product_in_the_folder_of_the_product(safe, folder):
    path = zipped(safe, f"{NAME}.SAFE/{folder}/")
    with pytest.raises(TigerbushError) as error:
        open_product(path)
    assert str(error.value) == f"{path} holds {NAME}.SAFE/{folder}, not {NAME} alone; unpack it."


def test_a_zip_without_metadata_is_a_damaged_product(safe):
    path = zipped(safe, f"{NAME}.SAFE/{NAME}.SAFE/")
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(path.with_name("cut.zip"), "w") as cut:
        for entry in whole.infolist():
            if not entry.filename.endswith("MTD_MSIL1C.xml"):
                cut.writestr(entry, whole.read(entry))
    path.with_name("cut.zip").rename(path)
    with pytest.raises(
        TigerbushError, match=r"has 0 files MTD_MSIL1C.xml, expected one; restore the product"
    ):
        open_product(path)


def test_an_empty_folder_of_the_products_name(safe, scene):
    """The product is in another folder beside it."""
    path = zipped(
        safe, f"other/{NAME}.SAFE/", extra=[(f"{NAME}.SAFE/", b""), (f"{NAME}.SAFE/readme.txt", b"x")]
    )
    assert_same_product(path, safe, scene)
