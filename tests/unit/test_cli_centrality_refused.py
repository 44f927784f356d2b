"""What `./tigerbush centrality` refuses: one sentence, and nothing written."""

from functools import partial

import numpy as np
import pytest
import rasterio

from small_images import random_image, write_csv, write_png, write_tiff
from tigerbush.cli.__main__ import main
from tigerbush.cli.centrality.image import read_image
from tigerbush.errors import TigerbushError


@pytest.fixture
def refused(refused_command):
    return partial(refused_command, "centrality")


def test_bad_files(tmp_path, refused):
    image = random_image()
    path = tmp_path / "a.png"
    assert f"{path} is not a file; check the name" in refused(path)
    folder = tmp_path / "folder.tif"
    folder.mkdir()
    assert f"{folder} is not a file" in refused(folder)
    assert "has none of the suffixes" in refused(tmp_path / "a.jpg")
    assert "has none of the suffixes" in refused(tmp_path)
    assert "File name too long" in refused(tmp_path / f"{'a' * 300}.png")
    path.write_bytes(b"")
    assert f"{path} cannot be read as a PNG image" in refused(path)
    path.write_bytes(b"not an image, but long enough for a header")
    assert "cannot be read as a PNG image" in refused(path) or "pixels, more than" in refused(path)
    tiff = write_tiff(tmp_path / "a.tif", image)
    tiff.write_bytes(tiff.read_bytes()[:300])
    assert f"{tiff} cannot be read as a TIFF image" in refused(tiff)
    tiff.write_bytes(b"not an image")
    assert f"{tiff} cannot be read as a TIFF image" in refused(tiff)


def test_tiff_whose_name_is_no_text(tmp_path):
    path = write_tiff(tmp_path / "a.tif", random_image()).rename(tmp_path / "\udcff.tif")
    # not through main: pytest's capture is stricter than stderr, which shows such names escaped
    with pytest.raises(TigerbushError, match="has a name that GDAL cannot use"):
        read_image(path)


def test_truncated_png(tmp_path, capfd):
    path = write_png(tmp_path / "a.png", random_image())
    path.write_bytes(path.read_bytes()[:-60])
    assert main(["centrality", str(path), "--output", str(tmp_path / "output")]) == 1
    # libpng may put a line of its own before it
    assert capfd.readouterr().err.endswith(
        f"tigerbush: {path} cannot be read as a PNG image; it is damaged, or not a PNG.\n"
    )
    assert not (tmp_path / "output").exists()


def test_absurd_sizes(tmp_path, refused):
    path = write_png(tmp_path / "a.png", random_image())
    content = bytearray(path.read_bytes())
    content[16:24] = (100_000).to_bytes(4, "big") * 2
    path.write_bytes(content)
    assert f"{path} has 100000 x 100000 pixels, more than 268,435,456 in total" in refused(path)
    path = tmp_path / "a.tif"
    profile = {"width": 50_000, "height": 50_000, "count": 1, "dtype": "uint8", "sparse_ok": True}
    with (
        pytest.warns(rasterio.errors.NotGeoreferencedWarning),
        rasterio.open(path, "w", driver="GTiff", tiled=True, **profile),
    ):
        pass
    assert f"{path} has 50000 x 50000 pixels" in refused(path, "--threshold", 1)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"  \n", "is empty"),
        (b"1,2\n3\n", "line 2 has 1 cells and line 1 has 2"),
        (b"1,2\n\n3,4\n", "line 2 has 1 cells and line 1 has 2"),
        (b"1 2\n3 4 5\n", "line 2 has 3 cells and line 1 has 2"),
        (b"a,b\n1,2\n", "line 1, cell 1 is 'a' instead of a number"),
        (b"1,2\n3,x y\n", "line 2, cell 2 is 'x y' instead of a number"),
        (b"0,5;1\n", "line 1, cell 1 is '0,5' instead of a number (with a decimal point)"),
        (b"\xff\xfe1\0", "is not text in UTF-8"),
        (b"1,\0\n", r"line 1, cell 2 is '\x00' instead"),
    ],
)
def test_bad_csv(tmp_path, refused, content, sentence):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    refusal = refused(path)
    assert str(path) in refusal
    assert sentence in refusal


@pytest.mark.parametrize(
    ("image", "count"), [([[0, 127, 255]], 3), ([[255, 255]], 1), ([[np.nan, np.nan]], 0), ([[0.5, 1, 2]], 3)]
)
def test_other_than_two_values_need_a_threshold(tmp_path, refused, image, count):
    path = write_csv(tmp_path / "a.csv", np.array(image))
    assert (
        f"{path} has {count} distinct value(s) instead of two; choose the pixels of the network with --threshold T"
        in refused(path)
    )


def test_colour_png(tmp_path, refused):
    rgb = np.dstack([random_image(seed) for seed in (1, 2, 3)])
    path = write_png(tmp_path / "a.png", rgb)
    assert f"{path} is a colour image" in refused(path)
    rgba = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
    assert f"{path} is a colour image" in refused(write_png(path, rgba), "--threshold", 5)


def test_bands_that_are_not_there(tmp_path, refused):
    tiff, png, matrix = (tmp_path / f"a.{kind}" for kind in ("tif", "png", "csv"))
    write_tiff(tiff, random_image(), random_image())
    for band in (0, -1, 3):
        assert f"{tiff} has 2 band(s), so --band must be 1 to 2, not {band}" in refused(tiff, "--band", band)
    assert "1 band(s)" in refused(write_png(png, random_image()), "--band", 2)
    assert "is a matrix without bands" in refused(write_csv(matrix, random_image()), "--band", 1)


def test_tiff_without_plain_order(tmp_path, refused):
    path = tmp_path / "a.tif"
    write_tiff(path, random_image(), photometric="MINISWHITE")
    assert f"{path} shows its lowest values as white" in refused(path)
    write_tiff(path, random_image().astype(np.complex64))
    assert f"{path} contains complex numbers" in refused(path)


def test_networkx_limit(tmp_path, refused):
    path = write_png(tmp_path / "a.png", np.full((101, 100), 255, np.uint8))
    sentence = refused(path, "--threshold", 255, "--method", "networkx")
    assert f"{path} has 10,100 signal pixels, and --method networkx is limited to 10,000" in sentence


def test_bad_options(tmp_path, refused):
    path = write_png(tmp_path / "a.png", random_image())
    assert "--quantiles must be at least 2, not 1" in refused(path, "--quantiles", 1)
    for value in ("nan", "inf"):
        assert f"--threshold must be a finite number, not {value}" in refused(path, "--threshold", value)
    assert "does not know '--cores 4'" in refused(path, "--cores", 4)
    with pytest.raises(SystemExit) as end:
        main(["centrality", str(path), "--neighbours", "6"])
    assert end.value.code == 2


def test_output_that_is_no_folder(tmp_path, capsys):
    path = write_png(tmp_path / "a.png", random_image())
    assert main(["centrality", str(path), "--output", str(path)]) == 1
    assert f"tigerbush: {path}/a_centrality.json cannot be written (" in capsys.readouterr().err
    name = write_png(tmp_path / f"{'a' * 245}.png", random_image())
    output = tmp_path / "output"
    assert main(["centrality", str(name), "--output", str(output)]) == 1
    assert "(File name too long)" in capsys.readouterr().err
    assert not list(output.iterdir())


def test_full_disk_leaves_whole_files(tmp_path, monkeypatch, capsys):
    path = write_png(tmp_path / "a.png", random_image())
    arguments = ["centrality", str(path), "--output", str(tmp_path / "output")]
    assert main(arguments) == 0
    before = {file: file.read_bytes() for file in (tmp_path / "output").iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    capsys.readouterr()
    assert main([*arguments, "--below"]) == 1
    assert "(No space left on device)" in capsys.readouterr().err
    assert {file: file.read_bytes() for file in (tmp_path / "output").iterdir()} == before
