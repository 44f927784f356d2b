"""What doctor finds in tables, weather and tiles: the sentences of a run, on real files."""

import argparse
import hashlib
import json
from dataclasses import replace

import pytest
import yaml

from fabricate import name_of
from runs import BASE, SITE
from tigerbush.cli.__main__ import main
from tigerbush.cli.configuration import read_configuration, stale_table
from tigerbush.cli.doctor.tables import check_scenes, check_tables
from tigerbush.cli.doctor.weather import check_weather
from tigerbush.errors import TigerbushError
from tigerbush.planning import bands
from tigerbush.planning.fingerprints import parameters_of, table_fingerprint, text_of
from tigerbush.planning.source import discovery_parameters
from tigerbush.planning.tables import (
    COLUMNS,
    FILE_COLUMNS,
    file_row,
    parse_name,
    read_sites,
    table_row,
    write_table,
)
from tigerbush.sentinel2.sensor import SENSOR

HEAD = "site\tlongitude\tlatitude\tregion_size\n"
ROW = "\t".join(map(str, SITE)) + "\n"
COLUMNS_OF_SITES = "expected site, longitude, latitude, region_size, separated by tabs."
NAME = "is reserved, used twice or not made of letters, digits, - and _; choose another."


@pytest.fixture
def folder(tmp_path):
    """A run of a folder with two products of one tile, which are only named."""
    (tmp_path / "sites.tsv").write_text(HEAD + ROW)
    for day in ("20170110", "20170210"):
        (tmp_path / "products" / f"{name_of(day)}.SAFE").mkdir(parents=True)
    return tmp_path


def settings(folder, **changes):
    base = BASE | {"source": {"kind": "local", "path": "products"}}
    (folder / "config.yaml").write_text(yaml.safe_dump(base | changes))
    options = argparse.Namespace(
        configfile=[str(folder / "config.yaml")], config=[], directory=folder, profile=None
    )
    return read_configuration(options)


def findings(folder, **changes):
    """State, name and text of each finding, without the name of the folder."""
    config = settings(folder, **changes)
    found = [*check_tables(config, folder), *check_weather(config, folder)]
    return [(line.state, line.name, line.text.replace(f"{folder}/", "")) for line in found]


def write_products(folder, *names, **changes):
    """Write the table of products as discovery does, with the fingerprint of a configuration."""
    rows = [table_row(parse_name(name), url=f"products/{name}.SAFE", granule="g", size_bytes=1, cloud_percent=5) for name in names]  # fmt: skip
    write_table(folder / "results" / "products.tsv", rows, COLUMNS)
    config = settings(folder, **changes)
    sites = read_sites(folder / "sites.tsv", 200)
    discovery = discovery_parameters(config["source"], sites, {"2017-01-16": ("2017-01-01", "2017-04-01")})
    record = table_fingerprint(folder / "results" / "products.tsv")
    record.parent.mkdir()
    record.write_text(text_of(parameters_of(discovery, [], config["source"]["path"])))


FINE = [
    ("ok", "sites", "1 in sites.tsv"),
    ("ok", "products", "results/products.tsv will be written by ./tigerbush discover"),
    ("ok", "tiles", "1 of 1 sites lie in tiles of products"),
]


@pytest.mark.parametrize("end", ["2017-04-01", "2017-03-31"])
def test_without_sites(folder, end):
    """No period is dropped, and no site lies outside of anything."""
    period = {"start": "2017-01-01", "end": end, "step": "1m"}
    without = ("ok", "sites", "none, for the target scenes alone (sites is null)")
    assert findings(folder, sites=None, period=period) == [without, FINE[1]]
    write_products(folder, name_of("20170110"))
    assert findings(folder, sites=None, period=period) == [
        without,
        ("ok", "products", "1 in results/products.tsv"),
        ("ok", "scenes", "1 of 1 products are chosen"),
    ]


@pytest.mark.input(
    "Tables of sites", "a table of sites with a byte order mark, Windows line ends or blank lines",
    "read",
)  # fmt: skip
@pytest.mark.parametrize("content", [HEAD + ROW, "\ufeff" + HEAD + ROW, (HEAD + ROW).replace("\n", "\r\n"), HEAD + "\n" + ROW])  # fmt: skip
def test_a_table_that_a_run_reads(folder, content):
    (folder / "sites.tsv").write_bytes(content.encode())
    assert findings(folder) == FINE


@pytest.mark.input(
    "Tables of sites", "a table of sites without a column, with a column or site twice, with commas, decimal commas, NaN, control characters, numbers out of bounds, or without rows",
    "`doctor` and the run refuse it in the same sentence: line, field, what was expected",
)  # fmt: skip
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", f"sites.tsv has no column 'site'; {COLUMNS_OF_SITES}"),
        ("\n \n", f"sites.tsv has no column 'site'; {COLUMNS_OF_SITES}"),
        ("site\tlongitude\tlatitude\nhere\t14.5593\t45.8694\n", f"sites.tsv has no column 'region_size'; {COLUMNS_OF_SITES}"),
        ((HEAD + ROW).replace("\t", ","), f"sites.tsv has no column 'site'; {COLUMNS_OF_SITES}"),
        ((HEAD + ROW).replace("\t", ";"), f"sites.tsv has no column 'site'; {COLUMNS_OF_SITES}"),
        (HEAD.upper() + ROW, f"sites.tsv has no column 'site'; {COLUMNS_OF_SITES}"),
        (HEAD.replace("\n", "\tsite\n") + ROW.replace("\n", "\thei\n"), f"sites.tsv has two columns 'site'; {COLUMNS_OF_SITES}"),
        (HEAD, "sites.tsv contains no sites; add a line with site, longitude, latitude, region_size."),
        (HEAD + HEAD + ROW, "sites.tsv, line 2: longitude 'longitude' of site site is not a number from -180 to 180; correct it."),
        (HEAD + ROW + ROW, f"sites.tsv, line 3: site name 'here' {NAME}"),
        (HEAD + ROW.replace("here", "scenes"), f"sites.tsv, line 2: site name 'scenes' {NAME}"),
        (HEAD + ROW.replace("here", "my site"), f"sites.tsv, line 2: site name 'my site' {NAME}"),
        (HEAD + ROW.replace("here", "he\x07re"), f"sites.tsv, line 2: site name 'he\\x07re' {NAME}"),
        (HEAD + ROW.replace("\n", "\t\n"), "sites.tsv, line 2: expected 4 fields separated by tabs."),
        (HEAD + ROW.replace(".", ","), "sites.tsv, line 2: longitude '14,5593' of site here is not a number from -180 to 180; correct it."),
        (HEAD + ROW.replace("45.8694", "nan"), "sites.tsv, line 2: latitude 'nan' of site here is not a number from -80 to 84; correct it."),
        (HEAD + ROW.replace("45.8694", "95.8694"), "sites.tsv, line 2: latitude '95.8694' of site here is not a number from -80 to 84; correct it (are longitude and latitude exchanged?)."),
        (HEAD + ROW.replace("0.0037", "400"), "sites.tsv, line 2: region_size '400' of site here is not a number from 1e-06 to 0.5; correct it."),
        (HEAD + ROW.replace("0.0037", "0.0001"), "sites.tsv, line 2: site here of 0.0001 degrees is smaller than one sub-image of 200 m; make it at least 0.0018 or subimages.size smaller."),
    ],
)  # fmt: skip
def test_a_table_that_a_run_refuses(folder, content, sentence, capsys):
    """Doctor prints it, and its exit status says so."""
    (folder / "sites.tsv").write_text(content)
    with pytest.raises(TigerbushError) as error:
        findings(folder)
    assert str(error.value).replace(f"{folder}/", "") == sentence
    words = ["--configfile", str(folder / "config.yaml"), "--directory", str(folder)]
    assert main(["doctor", *words]) == 1
    lines = capsys.readouterr().out.replace(f"{folder}/", "").splitlines()
    assert f"failed  sites           {sentence}" in lines


@pytest.mark.input(
    "Tables of sites", "a table of sites in Latin-1 or UTF-16, or a spreadsheet",
    "refused: save it as UTF-8",
)  # fmt: skip
@pytest.mark.parametrize("content", ["Sénégal\t1\n".encode("latin-1"), (HEAD + ROW).encode("utf-16")])
def test_a_table_that_is_not_utf_8(folder, content):
    (folder / "sites.tsv").write_bytes(content)
    with pytest.raises(TigerbushError) as error:
        findings(folder)
    assert str(error.value).removeprefix(f"{folder}/") == (
        "sites.tsv is not text in UTF-8; save it as UTF-8, with fields separated by tabs."
    )


@pytest.mark.input(
    "Tables of sites", "longitude and latitude in each other’s place",
    "`doctor` and the run say so, from the tiles of the products",
)  # fmt: skip
def test_coordinates_that_are_exchanged(folder):
    """Before discovery by the names in the folder, after it by the table; whether values or columns are exchanged."""
    exchanged = "site here at 45.8694, 14.5593 lies outside every tile of {}, and inside with longitude and latitude exchanged; correct them in sites.tsv."  # fmt: skip
    for content in (
        HEAD + "here\t45.8694\t14.5593\t0.0037\n",
        "site\tlatitude\tlongitude\tregion_size\n" + ROW,
    ):
        (folder / "sites.tsv").write_text(content)
        assert findings(folder)[-1] == ("failed", "tiles", exchanged.format("products"))
    write_products(folder, name_of("20170110"))
    assert findings(folder)[-1] == ("failed", "tiles", exchanged.format("results/products.tsv"))


@pytest.mark.input(
    "Tables of sites", "sites outside every tile of the products, or partly",
    "`doctor` names each: a failure, or a warning",
)  # fmt: skip
def test_more_sites_outside_than_inside(folder):
    """33TVL ends at 509760 m east of zone 33; partly is not outside.

    Site d has 27 columns of 200 m around 509373 m, from 506673 m: the last 12 lack at least a twentieth.
    """
    rows = [
        ("a", 14.5593, 45.8694, 0.01),
        ("b", 20, 45.9, 0.01),
        ("c", 14.56, 50, 0.01),
        ("d", 15.12, 45.5, 0.05),
    ]
    (folder / "sites.tsv").write_text(HEAD + "".join("\t".join(map(str, row)) + "\n" for row in rows))
    outside = "lies outside every tile of products; correct it in sites.tsv, or add products that cover it and run ./tigerbush discover."  # fmt: skip
    assert findings(folder)[2:] == [
        ("failed", "tiles", f"site b at 20, 45.9 {outside}"),
        ("failed", "tiles", f"site c at 14.56, 50 {outside}"),
        ("warning", "tiles", "site d lies only partly in the tiles of products: 324 of its sub-images are never used; add products of the missing tiles, move the site or make it smaller."),
        ("ok", "tiles", "2 of 4 sites lie in tiles of products"),
    ]  # fmt: skip
    # the neighbour to the east covers the rest
    (folder / "products" / f"{name_of(tile='33TWL')}.SAFE").mkdir()
    assert [line[:2] for line in findings(folder)[2:]] == [
        ("failed", "tiles"),
        ("failed", "tiles"),
        ("ok", "tiles"),
    ]


@pytest.mark.input(
    "Commands", "a table of products of another folder, level or prefix",
    "`plan` refuses it: run `./tigerbush discover`; `doctor` warns",
)  # fmt: skip
def test_the_table_of_products(folder):
    write_products(folder, name_of("20170110"), name_of("20170210"))
    assert findings(folder) == [
        ("ok", "sites", "1 in sites.tsv"),
        ("ok", "products", "2 in results/products.tsv"),
        ("ok", "tiles", "1 of 1 sites lie in tiles of results/products.tsv"),
    ]
    # of another folder, or level: a run lists the source again
    stale = 'results/products.tsv was made with other settings (source.level: null -> "L2A"); run ./tigerbush discover with the same options first.'  # fmt: skip
    changed = {"source": {"kind": "local", "path": "products", "level": "L2A"}}
    assert findings(folder, **changed)[1] == ("warning", "products", stale)
    # a table of an early release has no record
    table_fingerprint(folder / "results" / "products.tsv").unlink()
    assert findings(folder)[1] == ("ok", "products", "2 in results/products.tsv")
    (folder / "results" / "products.tsv").write_text("")
    with pytest.raises(
        TigerbushError, match=r"products\.tsv has no column 'product'; expected product, platform, "
    ):
        findings(folder)


def test_the_last_period(folder):
    """Its product is counted once the table is there."""
    period = {"start": "2017-01-01", "end": "2017-02-28", "step": "1m"}
    head = "period.end 2017-02-28 is not the last day but the day after it: the last period (2017-02-01 to 2017-03-01) is incomplete and dropped"  # fmt: skip
    advice = "set period.end: 2017-03-01 to use it, or 2017-02-01 to leave it out."
    assert ("warning", "period", f"{head}; {advice}") in findings(folder, period=period)
    write_products(folder, name_of("20170110"), name_of("20170210"))
    assert ("warning", "period", f"{head} with 1 product; {advice}") in findings(folder, period=period)
    assert "period" not in [name for _, name, _ in findings(folder)]


@pytest.mark.parametrize(("sites", "position"), [("sites.tsv", 1), (None, 1)])
def test_a_table_of_another_source(folder, sites, position):
    """As the run refuses it: nothing is known of the table but its content. The folder itself is compared with sites."""
    write_products(folder, name_of("20170110"))
    table_fingerprint(folder / "results" / "products.tsv").unlink()
    for name in ("elsewhere", "products-2"):
        (folder / name / f"{name_of('20170110')}.SAFE").mkdir(parents=True)
        changes = {"source": {"kind": "local", "path": name}, "sites": sites}
        lines = findings(folder, **changes)
        assert lines[position] == (
            "failed", "products",
            f"results/products.tsv was made of another source: its products are in products, and the source is {name}; run "
            "./tigerbush discover to list that, or set products to another table.",
        )  # fmt: skip
        assert lines[position + 1 :] == (
            [("ok", "tiles", f"1 of 1 sites lie in tiles of {name}")] if sites else []
        )


NO_SCENE = "none of the 2 products of results/products.tsv is chosen for the target scenes"
PERIOD = "the period 2017-01-01 to 2017-04-01 and composite.max_cloud_percent"
ABSENT = "scene.bands: Sentinel-2 L2A products never have band B10; take it out of scene.bands, or use products that have it (source.level)."  # fmt: skip
MISSING = f"scene.products: {name_of('20180110')} not in results/products.tsv: the source does not have it in the period 2017-01-01 to 2017-04-01, or has a newer baseline of it; correct scene.products or period, or run ./tigerbush discover."  # fmt: skip


@pytest.mark.input(
    "Commands", "keys of `scene` that choose no product, or bands that the chosen ones never have",
    "`doctor` says what the run does: a failure where the configuration asks for scenes, else a warning",
)  # fmt: skip
@pytest.mark.parametrize(
    ("level", "changes", "state", "text"),
    [
        ("L1C", {}, None, None),
        ("L1C", {"scene": {"bands": ["B10"]}}, None, None),
        ("L1C", {"scene": {"limit": 1}}, "ok", "1 of 2 products are chosen"),
        ("L1C", {"sites": None}, "ok", "2 of 2 products are chosen"),
        ("L1C", {"scene": {"tiles": ["33TVM"]}}, "failed", f"{NO_SCENE}; check scene.tiles, {PERIOD} (30)."),
        ("L1C", {"scene": {"prefixes": ["2018/"]}, "sites": None}, "failed", f"{NO_SCENE}; check scene.prefixes, {PERIOD} (30)."),
        ("L1C", {"scene": {"products": [name_of("20180110")]}}, "failed", MISSING),
        # the cloud cover of both is 5 %
        ("L1C", {"composite": {"max_cloud_percent": 4}}, "warning", f"{NO_SCENE}, 2 left out: more than 4 % cloud (composite.max_cloud_percent); check source.level, {PERIOD} (4)."),
        ("L2A", {"scene": {"bands": ["B10"]}}, "warning", ABSENT),
        ("L2A", {"scene": {"bands": ["B4", "B10"], "limit": 2}}, "failed", ABSENT),
        ("L2A", {"scene": {"bands": ["B10"]}, "sites": None}, "failed", ABSENT),
    ],
)  # fmt: skip
def test_what_the_target_scenes_would_take(folder, level, changes, state, text):
    write_products(folder, name_of("20170110", level=level), name_of("20170210", level=level))
    changes = {"composite": {"max_cloud_percent": 30}} | changes
    lines = [line for line in findings(folder, **changes) if line[1] == "scenes"]
    assert lines == ([(state, "scenes", text)] if state else [])


def test_single_files_that_snap_does_not_read(folder):
    """A bucket of single files: a run with SNAP refuses each product that it would fetch."""
    config = settings(folder, sites=None)
    config["source"] = {**config["source"], "kind": "s3", "bucket": "b"}
    config["scene"]["engine"] = "gpt"
    product = name_of("20170110")
    row = table_row(
        parse_name(product), url=f"s3://b/tiles/{product}", granule="", size_bytes=1, cloud_percent=5
    )
    file = file_row(product, ("band", "B4"), "B04.jp2", "tiles/33/T/VL/2017/1/10/0/B04.jp2", 9)
    write_table(folder / "files.tsv", [file], FILE_COLUMNS)
    (finding,) = check_scenes(config, {product: row}, folder / "products.tsv")
    assert (finding.state, finding.text) == (
        "failed",
        f"{product} is not a .SAFE folder in source.bucket, and SNAP reads nothing else; set scene.engine: rasterio.",
    )


def test_a_damaged_table_of_files(folder):
    write_products(folder, name_of("20170110"))
    (folder / "results" / "files.tsv").write_text("product\trole\n")
    with pytest.raises(TigerbushError) as error:
        findings(folder)
    assert str(error.value).removeprefix(f"{folder}/") == (
        "results/files.tsv has no column 'band'; expected product, role, band, name, key, size, etag, separated by tabs."
    )


def test_bands_that_the_products_of_a_site_never_have(folder, monkeypatch):
    """With a sensor whose products of one level lack red."""
    without_red = replace(SENSOR, absent_bands={"L1C": ("B4",)})
    monkeypatch.setattr(bands, "sensor_of", lambda name: without_red)
    write_products(folder, name_of("20170110"))
    assert findings(folder)[-1] == (
        "failed",
        "tiles",
        "composite.indices: ndvi needs red, which Sentinel-2 L1C products never have; remove it.",
    )


@pytest.mark.parametrize("snap_masks", [True, False])
def test_a_table_that_was_listed_with_the_masks_of_snap_is_current(tmp_path, snap_masks):
    """What discovery records of them, written out."""
    file = tmp_path / "config.yaml"
    text = f"source: {{kind: local, path: /d}}\nscene: {{snap_masks: {str(snap_masks).lower()}}}\n"
    file.write_text(text + "period: {start: 2017-01-01, end: 2017-02-01, step: 1m}\nproducts: products.tsv\n")
    config = read_configuration(argparse.Namespace(configfile=[str(file)], config=[], directory=tmp_path))
    recorded = {
        "inputs": hashlib.sha256(b"").hexdigest()[:16], "period": [], "sites": [],
        "source": {"kind": "local", "level": None, "path": "/d"},
    }  # fmt: skip
    (tmp_path / "fingerprints").mkdir()
    content = json.dumps(recorded | {"scene.snap_masks": True})
    (tmp_path / "fingerprints" / "discover_products.json").write_text(content)
    expected = None if snap_masks else (
        f"{tmp_path}/products.tsv was made with other settings (scene.snap_masks: true -> null); run ./tigerbush discover "
        "with the same options first."
    )  # fmt: skip
    assert stale_table(config, {}, tmp_path) == expected
