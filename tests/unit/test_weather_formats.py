"""Weather files that are not what their suffix says: the sentence says what they are, and what to do."""

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile

import numpy as np
import pytest
import rasterio

from grib_files import message
from test_weather import read as read_table
from test_weather_grids import MONTHS, grid
from test_weather_grids import read as read_grid
from tigerbush.errors import TigerbushError
from tigerbush.weather.formats import format_of
from tigerbush.weather.messages import message_sentence

UNPACK = "unpack it, and give its files under weather.path, weather.precipitation.path or weather.temperature.path."
PAGE = "open it in a browser to see what the server answered (often that you have to log in), and save the data themselves."
RASTER = "write its values at the site to a CSV file, with one row per date."
TEXT = b"date,rain,warmth\n2016-01,12.5,20.25\n"
FORMATS = {".nc": "NetCDF", ".nc4": "NetCDF", ".grib": "GRIB", ".GRB2": "GRIB", ".csv": "CSV", ".txt": "CSV", "": "CSV", ".json": "JSON"}  # fmt: skip


def zipped(*names):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name in names:
            file.writestr(name, b"CDF\x01" + bytes(50))
    return archive.getvalue()


def tarred():
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as file:
        file.addfile(tarfile.TarInfo("a.nc"))
    return archive.getvalue()


def refusal(path):
    with pytest.raises(TigerbushError) as error:
        (read_grid if path.suffix in (".nc", ".grib") else read_table)(path, "2016-01-01", "2016-02-01")
    assert list(path.parent.iterdir()) == [path]
    return str(error.value)


OTHERS = [
    (zipped("data_avgua.nc", "data_avgad.nc"), "a zip archive (of 'data_avgua.nc', 'data_avgad.nc')", UNPACK),
    (zipped("a/", "a/1.nc", "a/2.nc", "a/3.nc", "a/4.nc"), "a zip archive (of 'a/1.nc', 'a/2.nc', 'a/3.nc')", UNPACK),
    (zipped("x" * 200 + ".nc"), f"a zip archive (of {'x' * 77 + '.nc'!r})", UNPACK),
    (zipped("a.nc")[:40], "a zip archive", UNPACK),
    (zipped("[Content_Types].xml", "xl/workbook.xml"), "an Excel workbook", "save it as CSV."),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "an Excel workbook", "save it as CSV."),
    (gzip.compress(TEXT), "compressed with gzip", UNPACK),
    (bz2.compress(TEXT), "compressed with bzip2", UNPACK),
    (lzma.compress(TEXT), "compressed with xz", UNPACK),
    (tarred(), "a tar archive", UNPACK),
    (b"\n<!DOCTYPE html>\n<html><body>Please log in</body></html>", "a web page or XML that says 'Please log in'", PAGE),
    (b"<Error><Code>AccessDenied</Code>\n<Message>Expired</Message></Error>", "a web page or XML that says 'AccessDenied Expired'", PAGE),
    (b"<html><script>if (a < b) x();</script><style>p {}</style><p>" + b"no " * 99, f"a web page or XML that says {'no ' * 39!r} ...".replace(" ' ...", " no ..."), PAGE),
    (b"\xef\xbb\xbf<?xml version='1.0'?><Error/>", "a web page or XML", PAGE),
    (b"\x0e\x03\x13\x01" + bytes(99), "an HDF4 file", "convert it to NetCDF."),
    (b"PAR1" + bytes(99), "a Parquet file", "save it as CSV."),
    (b"II*\0\x08\0\0\0", "a GeoTIFF", RASTER),
    (b"MM\0*\0\0\0\x08", "a GeoTIFF", RASTER),
    (b"II+\0\x08\0\0\0", "a GeoTIFF", RASTER),
]  # fmt: skip


@pytest.mark.input(
    "Weather",
    "a zip named .nc, a compressed file, a web page, a GeoTIFF, an Excel workbook, whatever its suffix",
    "what it is, and what to do",
)
@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(("content", "what", "advice"), OTHERS, ids=range(len(OTHERS)))
def test_files_that_cannot_be_read(tmp_path, suffix, content, what, advice):
    path = tmp_path / f"weather{suffix}"
    path.write_bytes(content)
    assert refusal(path) == f"{path} is {what}, not {FORMATS[suffix]}; {advice}"


LOGIN = '{"error": "invalid_token", "error_description": "The access token expired"}'
MESSAGES = [
    LOGIN, '[{"message": "Rate limit exceeded"}]', '{"status": 404, "title": "Not Found"}', '{"detail": "Zugang: Limit erreicht"}',
    "Rate limit exceeded", "Access denied.\n", "429 Too Many Requests", "Error: no such file\nrequest 17, see the log\n",
    "HTTP/1.1 403 Forbidden\r\nDate: Mon, 30 Nov 2026 12:00:00 GMT\r\nContent-Length: 0\r\n", "GRIB file not found",
    "CDF: internal error", "\ufeffService unavailable – schöne Grüße", "2026-11-30T12:00:00Z 503 Service Unavailable",
    "You must log in, then accept the licence, to get 2t",
]  # fmt: skip


@pytest.mark.input(
    "Weather",
    "what a server answered instead of the data, in JSON or words, saved as `.nc`, `.grib` or `.csv`",
    "refused: that it is a message, how it begins, and to do what it says",
)
@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("text", MESSAGES, ids=range(len(MESSAGES)))
def test_messages_of_servers(tmp_path, suffix, text):
    path = tmp_path / f"weather{suffix}"
    path.write_text(text, encoding="utf-8", newline="")
    assert refusal(path) == (
        f"{path} is not {FORMATS[suffix]} but a message, as of a server that refused the download: "
        f"{text.lstrip(chr(0xFEFF)).strip()!r}; do what it says, and save the data themselves."
    )


def test_a_long_message_is_shown_in_part(tmp_path):
    path = tmp_path / "weather.nc"
    path.write_text("Error: \x7f" + "no " * 50_000)
    shown = "'Error: \\x7f" + "no " * 36
    assert len(shown) == 120
    assert refusal(path) == (
        f"{path} is not NetCDF but a message, as of a server that refused the download: {shown.strip()} ...; do what it says, and "
        "save the data themselves."
    )


@pytest.mark.parametrize("suffix", [".nc", ".grib", ".csv", ""])
@pytest.mark.parametrize(
    "text", ['{"latitude": 1.5, "daily": {"rain": [1, 2]}}', '{"type": "FeatureCollection"}', "[]", "{}"]
)
def test_json_that_is_not_pyvegs(tmp_path, suffix, text):
    path = tmp_path / f"weather{suffix}"
    path.write_text(text)
    assert refusal(path) == (
        f"{path} is JSON without pyveg's weather, not {FORMATS.get(suffix, 'GRIB')}: {text!r}; if a server answered this, "
        "do what it says, and save the data themselves."
    )


@pytest.mark.parametrize("text", ["Zugriff verweigert", "hello\nworld\n", " \n", "date,rain\n"])
def test_words_without_a_table(tmp_path, text):
    """As CSV they may be a table without records, of which the reader names the columns."""
    path = tmp_path / "weather.nc"
    path.write_text(text)
    assert refusal(path) == (
        f"{path} is text without a table, not NetCDF: {text.strip()!r}; if a server answered this, do what it says, and save "
        "the data themselves."
    )
    assert message_sentence(path, text, "CSV") is None


TABLES = [
    "date,rain,error\n2016-01,12.5,0.1\n", "# limit of detection: 0.1 mm\nday;rain\n16.01.2016;3,5\n",
    "station access is required\n\n\nmonth rain\n2016-01 7\n", '"date","rain"\n"2016-01-16 00:00:00","12.5"\n# missing: -999\n',
    "id,remark,day,x,y,z,rain\n7,access denied,2016-01-16,a,b,c,4\n",
    "failed sensors\nid|name|time|rain\n1|Nairobi|2016-01-16T00:00|4\n", "title\n" * 500 + "2016-01\t4\n",
]  # fmt: skip


@pytest.mark.parametrize("text", TABLES, ids=range(len(TABLES)))
def test_tables_with_the_words_of_messages(tmp_path, text):
    path = tmp_path / "weather.nc"
    path.write_text(text)
    assert refusal(path) == f"{path} is text, not NetCDF; give its name the suffix .csv."
    assert format_of(path.rename(path.with_suffix(".csv"))) == "CSV"


PYVEG = [
    {"2016-01-16": {"total_precipitation": 1, "mean_2m_air_temperature": 290}}, {"1999-12-31": None},
    {"ECMWF/ERA5/MONTHLY": {"type": "weather", "time-series-data": {"2016-01-16": {"error": 1}}}},
]  # fmt: skip


@pytest.mark.parametrize("suffix", [".nc", ".grib", ".csv", ""])
@pytest.mark.parametrize("content", PYVEG, ids=range(len(PYVEG)))
@pytest.mark.parametrize("indent", [None, 4])
def test_pyvegs_json_of_another_suffix(tmp_path, suffix, content, indent):
    path = tmp_path / f"weather{suffix}"
    path.write_text(json.dumps(content, indent=indent))
    assert (
        refusal(path) == f"{path} is JSON, not {FORMATS.get(suffix, 'GRIB')}; give its name the suffix .json."
    )


def test_a_real_geotiff(tmp_path):
    path = tmp_path / "chirps.nc"
    with rasterio.open(path, "w", driver="GTiff", width=2, height=2, count=1, dtype="float32") as file:
        file.write(np.ones((1, 2, 2), "float32"))
    assert refusal(path) == f"{path} is a GeoTIFF, not NetCDF; {RASTER}"


def netcdf(tmp_path, format):
    path = tmp_path / "written.nc"
    grid(MONTHS, 1, 280).to_netcdf(path, format=format, engine="netcdf4")
    content = path.read_bytes()
    path.unlink()
    return content


@pytest.mark.input(
    "Weather",
    "NetCDF or GRIB without a suffix, or with another one",
    "what it is, and the suffix to give it",
)
@pytest.mark.parametrize(
    ("suffix", "format", "found", "right"),
    [
        *(
            (suffix, format, "NetCDF", ".nc")
            for format in ("NETCDF3_64BIT", "NETCDF3_64BIT_DATA", "NETCDF4")
            for suffix in ("", ".csv", ".grib", ".json")
        ),
        *((suffix, "GRIB", "GRIB", ".grib") for suffix in ("", ".txt", ".nc", ".json")),
        *((suffix, "CSV", "text", ".csv") for suffix in (".nc", ".grb")),
        *((suffix, "JSON", "JSON", ".json") for suffix in (".nc", ".grb", "", ".csv")),
    ],
)
def test_files_with_the_suffix_of_another_format(tmp_path, suffix, format, found, right):
    contents = {
        "GRIB": message("2t", "2016-01-01", [[280]]),
        "CSV": TEXT,
        "JSON": b' {"2016-01-16": {"total_precipitation": 1}}',
    }
    content = contents.get(format) or netcdf(tmp_path, format)
    path = tmp_path / f"weather{suffix}"
    path.write_bytes(content)
    assert refusal(path) == (
        f"{path} is {found}, not {FORMATS.get(suffix, 'GRIB')}; give its name the suffix {right}."
    )


@pytest.mark.parametrize("suffix", [".nc", ".grib", ".csv", ".json", ""])
def test_files_that_are_nothing_known(tmp_path, suffix):
    path = tmp_path / f"weather{suffix}"
    path.write_bytes(b"")
    assert refusal(path) == f"{path} is empty; replace it by the file with the data."
    path.write_bytes(b"\x00\x01\x02\x03\x04\x05\x06\x07 and so on")
    assert refusal(path) == (
        f"{path} is neither {FORMATS[suffix]} nor another known format (it begins with "
        r"b'\x00\x01\x02\x03\x04\x05\x06\x07'); convert it to CSV, NetCDF or GRIB, or correct its suffix."
    )


def test_hdf5_without_the_variable(tmp_path):
    """Read as NetCDF 4, as which many write it."""
    path = tmp_path / "weather.nc"
    path.write_bytes(netcdf(tmp_path, "NETCDF4"))
    with pytest.raises(TigerbushError) as error:
        read_grid(path, column="rain")
    assert str(error.value) == (
        f"{path} has no variable 'rain'; its variables are 'tp', 't2m': correct the names under weather in the "
        "configuration."
    )
