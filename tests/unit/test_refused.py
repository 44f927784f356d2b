"""What ./tigerbush refuses of a configuration, each in its sentence; tests/workflow/test_config.py has the same of snakemake."""

import argparse
import os
import socket
import subprocess
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from checkouts import copy_checkout
from fabricate import ROOT
from runs import BASE
from tigerbush.cli.configuration import read_profile, read_run_configuration
from tigerbush.errors import TigerbushError
from tigerbush.planning.configuration import FRACTIONS
from tigerbush.planning.paths import check_file, check_folders, checkout_refusal
from tigerbush.planning.periods import read_periods

SCHEMA = yaml.safe_load((ROOT / "workflow" / "schemas" / "config.schema.yaml").read_text())
TABLE = "site\tlongitude\tlatitude\tregion_size\nhere\t14.5593\t45.8694\t0.0037\nthere\t14.5593\t45.8694\t0.0037\n"
NOT_FINITE = "is not a finite number. See config/README.md."
NOT_WHOLE = "is not an integer; write it without a decimal point."


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sites.tsv").write_text(TABLE)
    return tmp_path


def read(folder, text="", config=(), profile=None):
    """Read the configuration of a run, with more of it as YAML."""
    (folder / "base.yaml").write_text(yaml.safe_dump(BASE))
    (folder / "more.yaml").write_text(text or "{}")
    files = [str(folder / name) for name in ("base.yaml", "more.yaml")]
    options = argparse.Namespace(configfile=files, config=list(config), directory=folder, profile=profile)
    return read_run_configuration(options)


def sentence(folder, *arguments, **options):
    """What is said when a configuration is refused, without the name of the folder."""
    with pytest.raises(TigerbushError) as error:
        read(folder, *arguments, **options)
    text = str(error.value)
    assert "\n" not in text
    return text.replace(f"{folder}/", "")


def test_what_is_fine_is_fine(folder):
    assert read(folder)["products"] == "results/products.tsv"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("subimages: {max_masked_fraction: .nan}", f"subimages.max_masked_fraction: nan {NOT_FINITE}"),
        ("composite: {max_cloud_percent: .NaN}", f"composite.max_cloud_percent: nan {NOT_FINITE}"),
        ("analysis: {bandwidth: .inf}", f"analysis.bandwidth: inf {NOT_FINITE}"),
        ("analysis: {fdr: {q: -.inf}}", f"analysis.fdr.q: -inf {NOT_FINITE}"),
        ("analysis: {window: 1.0e+400}", f"analysis.window: inf {NOT_FINITE}"),
        ("analysis: {seed: .nan}", f"analysis.seed: nan {NOT_FINITE}"),
        ("scene: {region: [0, .nan, 10, 10]}", f"scene.region.1: nan {NOT_FINITE}"),
        ("composite: {relative_orbits: [122, .inf]}", f"composite.relative_orbits.1: inf {NOT_FINITE}"),
        ("plan: {prices: {x: {vcpus: 2, per_hour: .nan}}}", f"plan.prices.x.per_hour: nan {NOT_FINITE}"),
        ("sites: .nan", f"sites: nan {NOT_FINITE}"),
        ("period: {step: .nan}", "period.step: 'nan' does not match '^[1-9][0-9]{0,3}[dwmy]$'. See config/README.md."),
        ("analysis: {window: '1e999'}", "analysis.window: '1e999' is not of type 'number'. See config/README.md."),
        ("analysis: {window: true}", "analysis.window: True is not of type 'number'. See config/README.md."),
        ("analysis: {seed: true}", "analysis.seed: True is not of type 'integer'. See config/README.md."),
        ("analysis: {seed: 1.0e+308}", "analysis.seed: 1e+308 is greater than the maximum of 9007199254740991. See config/README.md."),
        ("analysis: {seed: -1}", "analysis.seed: -1 is less than the minimum of 0. See config/README.md."),
        ("analysis: {surrogates: 1.0e+308}", "analysis.surrogates: 1e+308 is greater than the maximum of 100000. See config/README.md."),
        ("analysis: {minimum_dates: 100000000000000000000}", "analysis.minimum_dates: 100000000000000000000 is greater than the maximum of 10000. See config/README.md."),
        ("composite: {max_takes: 1.0e+308}", "composite.max_takes: 1e+308 is greater than the maximum of 1000. See config/README.md."),
        ("composite: {relative_orbits: [-1]}", "composite.relative_orbits.0: -1 is less than the minimum of 1. See config/README.md."),
        ("composite: {relative_orbits: [144]}", "composite.relative_orbits.0: 144 is greater than the maximum of 143. See config/README.md."),
        ("subimages: {limit: 1.0e+308}", "subimages.limit: 1e+308 is greater than the maximum of 1000000. See config/README.md."),
        ("scene: {region: [-1, 0, 10, 10]}", "scene.region.0: -1 is less than the minimum of 0. See config/README.md."),
        ("scene: {region: [0, 0, 10, 1.0e+308]}", "scene.region.3: 1e+308 is greater than the maximum of 10980. See config/README.md."),
        ("scene: {mpi: {ranks: 1.0e+308}}", "scene.mpi.ranks: 1e+308 is greater than the maximum of 10000. See config/README.md."),
        ("plan: {prices: {x: {vcpus: 1.0e+308, per_hour: 1}}}", "plan.prices.x.vcpus: 1e+308 is greater than the maximum of 10000. See config/README.md."),
        ("plan: {prices: {x: {vcpus: 1, per_hour: 1.0e+308}}}", "plan.prices.x.per_hour: 1e+308 is greater than the maximum of 1000000000. See config/README.md."),
        ("subimages: {size: 20.0}", f"subimages.size: 20.0 {NOT_WHOLE}"),
        ("composite: {resolution: 10.0}", f"composite.resolution: 10.0 {NOT_WHOLE}"),
        ("composite: {relative_orbits: [122.0]}", f"composite.relative_orbits.0: 122.0 {NOT_WHOLE}"),
        ("plan: {vm_size: Standard_D4s}", "plan.vm_size 'Standard_D4s' has no price in plan.prices (Standard_D2s_v5, Standard_D4s_v5, Standard_D8s_v5); add it there, or choose one of them."),
        ('run: {name: "sahel\\n"}', r"run.name: 'sahel\n' contains a line break or another invisible character; remove it."),
        ('sites: "sites.tsv\\0"', r"sites: 'sites.tsv\x00' contains a line break or another invisible character; remove it."),
        ('period: {step: "1m\\n"}', r"period.step: '1m\n' contains a line break or another invisible character; remove it."),
        ("sites: &a [*a]", f"sites{21 * '.0'}"[:40] + "...: the values are nested too deeply. See config/README.md."),
        ("scene: &a {b: *a}", f"scene{21 * '.b'}"[:40] + "...: the values are nested too deeply. See config/README.md."),
        ("source: {kind: s3, level: L1C}", "source.bucket is not set, but source.kind s3 requires it; see config/README.md."),
        ("weather: {precipitation: {path: x.csv}}", "weather.precipitation.path is set but weather.path is null, which means no weather; set weather.path too."),
        ("weather: {path: era5.grib}", "weather.precipitation.kind is not set, but GRIB does not always say whether rainfall is a sum, a mean or accumulated; set it to sum, mean_rate or accumulated. See config/README.md."),
        ("scene: {engine: gpt, upsampling: {B11: Bicubic}}", "scene.upsampling sets methods per band, but scene.engine gpt uses one for all; set one, or set scene.engine: rasterio."),
        ("plan: {prices_of: '2026-01-01'}", "plan.prices_of is now plan.price_date; rename the key (docs/migrating.md)."),
        ("composite: {max_clouds: 5}", "composite: 'max_clouds' is not a key, did you mean 'max_cloud_percent'? See config/README.md."),
        ("scene: {geo_region: 'POLYGON((0 0, 1 0, 1 1, 0 0)'}", "scene.geo_region 'POLYGON((0 0, 1 0, 1 1, 0 0)' is not POLYGON((longitude latitude, ...)) with one ring; expected a polygon such as POLYGON((14.5 45.8, 14.6 45.8, 14.6 45.9, 14.5 45.8)). See config/README.md."),
        ("scene: {geo_region: ''}", "scene.geo_region '' is not POLYGON((longitude latitude, ...)) with one ring; expected a polygon such as POLYGON((14.5 45.8, 14.6 45.8, 14.6 45.9, 14.5 45.8)). See config/README.md."),
        # a key that takes precedence over it does not hide it
        ("scene: {region: [0, 0, 10, 10], geo_region: 'POLYGON EMPTY'}", "scene.geo_region 'POLYGON EMPTY' is not POLYGON((longitude latitude, ...)) with one ring; expected a polygon such as POLYGON((14.5 45.8, 14.6 45.8, 14.6 45.9, 14.5 45.8)). See config/README.md."),
        ("period: {start: 2003-01-01, step: 1d}", "period.step 1d cuts 2003-01-01 to 2017-04-01 into more than 5,000 dates; choose a narrower period or a longer step."),
        ("period: {start: 2017-03-20}", "period.step 1m cuts 2017-03-20 to 2017-04-01 into 0 dates; choose a wider period (period.end is the day after its last day) or a shorter step."),
    ],
)  # fmt: skip
def test_values(folder, text, expected):
    assert sentence(folder, text) == expected


def test_aliases_that_make_many_values_of_few(folder):
    letters = "abcdefgh"
    lists = [f"a: &a [{', '.join(9 * ['1'])}]"]
    lists += [f"{b}: &{b} [{', '.join(9 * [f'*{a}'])}]" for a, b in pairwise(letters)]
    message = sentence(folder, f"plan: {{{', '.join(lists)}}}")
    assert message.endswith("...: there are more than 100000 values. See config/README.md."), message


def test_single_values_of_the_command_line(folder):
    assert sentence(folder, config=["analysis={window: .nan}"]) == f"analysis.window: nan {NOT_FINITE}"
    assert sentence(folder, config=["sites=[", "plan={}"]) == (
        "sites: [ does not exist; write this table, or correct sites."
    )


def test_a_profile_may_hold_them(folder):
    for number, content in enumerate(
        ({"config": ["analysis={window: .nan}"]}, {"config": {"analysis": "{window: .nan}"}})
    ):
        profile = folder / f"profile{number}"
        profile.mkdir()
        (profile / "config.yaml").write_text(yaml.safe_dump(content))
        assert sentence(folder, profile=str(profile)) == f"analysis.window: nan {NOT_FINITE}"


def test_a_profile_may_name_the_configuration(folder):
    (folder / "config.yaml").write_text("configfile: mine.yaml\n")
    (folder / "mine.yaml").write_text(yaml.safe_dump(BASE | {"on_failure": "report"}))
    options = argparse.Namespace(configfile=[], config=[], directory=folder, profile=str(folder))
    # the file of the profile takes precedence over a configuration of the same name in the working folder
    (folder / "config").mkdir()
    assert read_run_configuration(options)["on_failure"] == "report"
    assert options.configfile == [str(folder / "mine.yaml")]


def kinds(schema):
    kind = schema.get("type", [])
    return [kind] if isinstance(kind, str) else kind


def numbers(schema, name=""):
    """The path and type of every number in the schema."""
    if {"integer", "number"} & set(kinds(schema)):
        yield name, schema
    for key, child in schema.get("properties", {}).items():
        yield from numbers(child, f"{name}.{key}" if name else key)
    for child in [*schema.get("prefixItems", ()), schema.get("items"), schema.get("additionalProperties")]:
        if isinstance(child, dict):
            yield from numbers(child, f"{name}.*")


def test_every_number_has_both_ends():
    schemas = dict(numbers(SCHEMA))
    assert len(schemas) > 15
    assert [name for name, schema in schemas.items() if "maximum" not in schema] == []
    assert [
        name for name, schema in schemas.items() if not {"minimum", "exclusiveMinimum"} & set(schema)
    ] == []
    assert sorted(name for name, schema in schemas.items() if "number" in kinds(schema)) == list(FRACTIONS)


def test_so_many_dates_are_enough():
    assert len(read_periods("2000-01-01", "2013-09-09", "1d")) == 5000
    with pytest.raises(TigerbushError, match="into more than 5,000 dates"):
        read_periods("2000-01-01", "2013-09-10", "1d")


def special_files(folder):
    """A file of each kind that is none, by the word for it."""
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to("/dev/zero")
    (folder / "circle").symlink_to("circle")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket"))
    return {
        "/dev/zero": "is a device, not a file; name a readable file.",
        "link": "is a device, not a file; name a readable file.",
        "folder": "is a folder, not a file; name a readable file.",
        "pipe": "is a pipe, not a file; name a readable file.",
        "socket": "is a socket, not a file; name a readable file.",
        "circle": "cannot be read (Too many levels of symbolic links); correct {key}.",
        "sites.tsv/below": "cannot be read (Not a directory); correct {key}.",
        250 * "x" + 10 * "x": "cannot be read (File name too long); correct {key}.",
    }


def test_tables_and_weather_that_are_no_files(folder, monkeypatch):
    # paths of sockets are short
    monkeypatch.chdir(folder)
    (folder / "later.csv").touch()
    for path, what in special_files(Path()).items():
        named = path if path.startswith("/") else f"{folder}/{path}"
        shown = named[:200].replace(f"{folder}/", "") if "{key}" in what else path
        for key, text in {
            "sites": {"sites": path},
            "weather.path": {"weather": {"path": path}},
            "weather.temperature.path": {"weather": {"path": "later.csv", "temperature": {"path": path}}},
        }.items():
            assert sentence(folder, yaml.safe_dump(text)) == f"{key}: {shown} {what.format(key=key)}"


@pytest.mark.parametrize("name", ["products.tsv", "files.tsv"])
def test_tables_of_products_that_are_no_files(folder, name):
    (folder / "results").mkdir()
    os.mkfifo(folder / "results" / name)
    assert sentence(folder) == f"products: results/{name} is a pipe, not a file; name a readable file."


def test_the_weather_of_every_site_is_looked_at(folder):
    (folder / "here.csv").write_text("")
    os.mkfifo(folder / "there.csv")
    weather = "weather: {path: '{site}.csv'}"
    assert sentence(folder, weather) == (
        "weather.path: there.csv is a pipe, not a file; name a readable file."
    )
    (folder / "there.csv").unlink()
    (folder / "there.csv").symlink_to("here.csv")
    assert read(folder, weather)["weather"]["path"] == "{site}.csv"


def test_rain_is_a_sum_if_nothing_else_is_said(folder):
    """As in results of earlier versions, which have recorded it."""
    for name in ("rain.csv", "rain.grib"):
        (folder / name).touch()
    assert read(folder, "weather: {path: rain.csv}")["weather"]["precipitation"]["kind"] == "sum"
    rain = "weather: {path: rain.grib, precipitation: {kind: mean_rate}}"
    assert read(folder, rain)["weather"]["precipitation"]["kind"] == "mean_rate"


def test_a_file_that_may_not_be_read():
    """Root may read everything, so that another user looks."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "sites.tsv"
        path.touch(0)
        path.parent.chmod(0o755)
        os.seteuid(os.geteuid() or 65534)
        try:
            with pytest.raises(TigerbushError) as error:
                check_file("sites", path)
        finally:
            os.seteuid(os.getuid())
    assert str(error.value) == f"sites: {path} is not readable for this user; change its permissions."


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a: [", "while parsing a flow node expected the node content, but found '<stream end>' in \"more.yaml\", line 1, column 5."),
        (b"a:\n\tb: 1\n", "while scanning for the next token found character '\\t' that cannot start any token in \"more.yaml\", line 2, column 1 Note that certain characters like colons have a special meaning in YAML and hence keys or values containing them have to be quoted."),
        (b"\xff\xfe\xfa", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte."),
        (b"period: {start: 2017-02-30}", "day is out of range for month."),
        (b"a: 1" + 5000 * b"0", "Exceeds the limit (4300 digits) for integer string conversion: value has 5001 digits; use sys.set_int_max_str_digits() to increase the limit."),
    ],
)  # fmt: skip
def test_a_yaml_error_names_its_file(folder, content, expected):
    (folder / "bad.yaml").write_bytes(content)
    options = argparse.Namespace(
        configfile=[str(folder / "bad.yaml")], config=[], directory=folder, profile=None
    )
    with pytest.raises(TigerbushError) as error:
        read_run_configuration(options)
    text = str(error.value).replace(f"{folder}/", "").replace('"bad.yaml"', '"more.yaml"')
    assert text == f"bad.yaml cannot be read as YAML: {expected}"


def test_a_configuration_that_is_no_file(folder):
    os.mkfifo(folder / "pipe.yaml")
    options = argparse.Namespace(
        configfile=[str(folder / "pipe.yaml")], config=[], directory=folder, profile=None
    )
    with pytest.raises(TigerbushError) as error:
        read_run_configuration(options)
    assert str(error.value) == (
        f"--configfile: {folder}/pipe.yaml is a pipe, not a file; name a readable file."
    )


def test_a_configuration_is_code_as_for_snakemake(folder):
    (folder / "made").mkdir()
    text = "__use_yte__: true\non_failure: ?'rep' + 'ort'\n"
    assert read(folder, text)["on_failure"] == "report"
    assert sentence(folder, "__use_yte__: true\non_failure: ?1/0\n").startswith(
        "more.yaml cannot be read as YAML: "
    )


def test_the_error_of_a_profile_names_its_file(tmp_path):
    (tmp_path / "config.yaml").write_text("jobs: [")
    with pytest.raises(
        TigerbushError, match=rf"^{tmp_path}/config\.yaml cannot be used: while parsing a flow node"
    ):
        read_profile(str(tmp_path))


PYTHON = "/home/me/tigerbush/.venv/bin/python"
SNAKEFILE = "/home/me/tigerbush/workflow/Snakefile"


@pytest.mark.parametrize("name", ["plain", "a b", "a'b", 'a"b', "tränke", "a#b", "a*b", "a!b", "a;b", "a&b", "(a)", "~a", "-a", "'a'", "a{b", "50 %"])  # fmt: skip
def test_folders_in_which_jobs_start(name):
    for submitted in (False, True):
        check_folders(f"/data/{name}", SNAKEFILE, PYTHON, submitted)
        check_folders("/data", SNAKEFILE, f"/data/{name}/python", submitted)


@pytest.mark.parametrize(("name", "character"), [("a$b", "'$'"), ("`id`", "'`'"), ("a\\b", "'\\\\'"), ("a\nb", "a line break"), ("a\tb", "a tab"), ("a'b\"c", "'\\'b\"'"), ("a{site}b", "'{site}'"), ("a%jb", "'%j'")])  # fmt: skip
def test_folders_in_which_only_local_jobs_start(name, character):
    places = {"working folder": (f"/data/{name}", SNAKEFILE, PYTHON)}
    places["folder of Python"] = ("/data", SNAKEFILE, f"/data/{name}")
    for what, paths in places.items():
        check_folders(*paths, submitted=False)
        with pytest.raises(TigerbushError) as error:
            check_folders(*paths, submitted=True)
        assert str(error.value) == (
            f"the {what} {f'/data/{name}'!a} has {character} in its path, with which a submitted job cannot start; "
            "rename or move it."
        )


@pytest.mark.parametrize(
    ("places", "what", "character"),
    [
        (("/data/a\udce9b", SNAKEFILE, PYTHON), "working folder '/data/a\\udce9b'", "'\\udce9'"),
        (("/work", "/x{y}/Snakefile", PYTHON), "folder of the workflow '/x{y}/Snakefile'", "'{'"),
    ],
)
def test_places_in_which_no_job_starts(places, what, character):
    with pytest.raises(TigerbushError) as error:
        check_folders(*places, submitted=False)
    assert str(error.value) == (
        f"the {what} has {character} in its path, with which a job cannot start; rename or move it."
    )


@pytest.mark.parametrize(("name", "character"), [("a:b", "':'"), ("a{b", "'{'"), ("a}b", "'}'"), ('a"b', "'\"'"), ("a$b", "'$'"), ("`id`", "'`'"), ("a\\b", "'\\\\'"), ("a\nb", "a line break"), ("a\udce9b", "'\\udce9'")])  # fmt: skip
def test_a_checkout_without_an_environment(tmp_path, name, character):
    """`make env` says at once where none can be made, or would be of no use."""
    checkout = copy_checkout(tmp_path / name, "Makefile", "workflow/scripts/tigerbush")
    # below `make test` it prints the folder, which need not be UTF-8
    done = subprocess.run(
        ["make", ".venv/bin/python"],
        cwd=checkout,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == (
        f"the folder of the checkout {str(checkout)!a} has {character} in its path, with which the environment or its jobs "
        "cannot start; rename or move it."
    )
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize("name", ["a b", "tränke", "it's", "a;b & (c)", "50 %"])
def test_a_checkout_with_an_environment(tmp_path, name):
    assert checkout_refusal(str(tmp_path / name)) is None


def test_the_folder_is_looked_at_with_the_profile(tmp_path):
    folder = tmp_path / "a$b"
    folder.mkdir()
    (folder / "sites.tsv").write_text(TABLE)
    read(folder)
    read(folder, profile=str(ROOT / "profiles" / "local"))
    for name in ("slurm", "slurm-squeue"):
        assert sentence(folder, profile=str(ROOT / "profiles" / name)) == (
            f"the working folder '{folder}' has '$' in its path, with which a submitted job cannot start; rename or move "
            "it."
        )
