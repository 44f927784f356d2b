"""The ready configurations are what the schema, the workflow and the documents say."""

import argparse
from pathlib import Path

import pytest
import yaml

from fabricate import ROOT
from tigerbush.cli.configuration import read_configuration, read_profile
from tigerbush.errors import TigerbushError

READY = sorted(
    path.name for path in (ROOT / "config").glob("*.yaml") if not path.name.startswith(("config.", "azure"))
)


def options(*files, config=(), directory=ROOT):
    return argparse.Namespace(configfile=list(files), config=list(config), directory=Path(directory))


def test_there_is_one_for_each_archive():
    assert {"aws-cogs.yaml", "cdse.yaml", "creodias.yaml", "local.yaml", "wekeo.yaml"} <= set(READY)


@pytest.mark.parametrize("name", READY)
def test_a_ready_configuration(name):
    path = ROOT / "config" / name
    source = read_configuration(options(path))["source"]
    needed = {"local": ("path",), "s3": ("bucket", "level"), "stac": ("catalogue", "level")}
    assert all(source[key] for key in needed.get(source["kind"], ()))
    # only what differs, and never a secret
    assert set(yaml.safe_load(path.read_text())) <= {"sites", "period", "source", "products"}
    if source["kind"] in {"s3", "stac"}:
        assert f"`config/{name}`" in (ROOT / "docs" / "catalogues.md").read_text()


def test_the_files_are_merged_as_snakemake_does(tmp_path):
    (tmp_path / "one.yaml").write_text("source: {level: L1C}\nperiod: {start: 2017-01-01}\n")
    (tmp_path / "two.yaml").write_text("source: {access: storage}\n")
    merged = read_configuration(
        options(
            tmp_path / "one.yaml",
            tmp_path / "two.yaml",
            config=["source={level: L2A, kind: local, path: x}", "on_failure=report"],
        )
    )
    assert merged["source"]["level"] == "L2A"
    assert merged["source"]["access"] == "storage"
    assert merged["period"] == {"start": "2017-01-01", "end": "2023-04-01", "step": "1m"}
    assert merged["products"] == "results/products.tsv"
    assert merged["on_failure"] == "report"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("sites: [", "bad.yaml cannot be read as YAML"),
        ("- 1", "bad.yaml contains no keys"),
        ("sitez: x", "the configuration: "),
        ("source: {catalogue: 'file:///etc/passwd'}", "source.catalogue: 'file:///etc/passwd' does not match"),
        ("source: {catalogue: 'https://user:password@example.org'}", "source.catalogue contains a user, password, key or signature in a URL"),
        ("source: {endpoint_url: 'https://example.org/path?x'}", "source.endpoint_url: "),
        ("source: {kind: local}", "source.path is null"),
        ("plan: {prices: {x: {vcpus: 0, per_hour: 1}}}", "plan.prices.x.vcpus: 0 is less than the minimum of 1"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path, content, sentence):
    (tmp_path / "bad.yaml").write_text(content)
    with pytest.raises(TigerbushError) as error:
        read_configuration(options(tmp_path / "bad.yaml"))
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(TigerbushError, match=r"absent\.yaml cannot be read"):
        read_configuration(options("absent.yaml"))
    with pytest.raises(TigerbushError, match=r"is not a folder with a config\.yaml"):
        read_profile(str(tmp_path))


def test_profiles():
    assert read_profile(None) == {}
    assert read_profile(str(ROOT / "profiles" / "local"))["executor"] == "local"
