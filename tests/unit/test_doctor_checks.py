"""What doctor finds, check by check; without servers, clusters or engines."""

import subprocess
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import pytest
import requests

from fabricate import name_of
from stores_in_memory import Bucket, Servers, refusal, store_of, without_waiting
from tigerbush.cli import discover
from tigerbush.cli.doctor import command as doctor
from tigerbush.cli.doctor import machine as doctor_machine
from tigerbush.cli.doctor import source as doctor_source
from tigerbush.cli.doctor.command import checks, redacted, run_checks
from tigerbush.cli.doctor.finding import Finding
from tigerbush.errors import TigerbushError
from tigerbush.planning.tables import FILE_COLUMNS, file_row, write_table
from tigerbush.sources.web import Response

SOURCE = {
    "kind": "s3", "bucket": "eodata", "endpoint_url": None, "region": None, "anonymous": True, "requester_pays": False, "prefixes": ["p/"],
    "hosts": [], "catalogue": "https://c.example", "path": "products",
}  # fmt: skip


def tuples(findings):
    return [(finding.name, finding.ok, finding.text) for finding in findings]


def test_checks_run_side_by_side():
    """In their order, whatever breaks; what does not end is reported when the time is up."""
    both, never = threading.Barrier(2, timeout=5), threading.Event()

    def complete():
        yield Finding("first", True, "a")
        both.wait()
        yield Finding("first", False, "b")

    def failing():
        both.wait()
        yield Finding("second", True, "c")
        raise TigerbushError("wrong.")

    def broken():
        raise KeyError("x")

    def silent():
        yield Finding("silent", True, "d")
        never.wait()

    chosen = {"one": complete, "two": failing, "broken": broken, "silent": silent, "weather": never.wait}
    findings = run_checks(chosen, 0.3)
    never.set()
    assert tuples(findings) == [
        ("first", True, "a"), ("first", False, "b"), ("second", True, "c"), ("two", False, "wrong."), ("broken", False, "KeyError: 'x'"),
        ("silent", True, "d"), ("silent", False, "no answer within 0.3 s; try again."),
        ("weather", True, "reading takes longer than 0.3 s, and not all of it was checked; the run checks what it reads"),
    ]  # fmt: skip
    # large files are no fault
    assert findings[-1].state == "warning"


@pytest.mark.parametrize(
    ("engine", "profile", "names"),
    [
        ("rasterio", {}, []), ("gpt", {"executor": "local"}, ["engine"]), ("rasterio", {"executor": "slurm"}, ["slurm"]),
        ("rasterio", {"executor": "slurm-batch"}, ["slurm"]), ("rasterio", {"executor": "azure"}, ["azure"]),
        ("snappy", {"executor": "slurm", "default-storage-provider": "azure"}, ["engine", "slurm", "azure"]),
    ],
)  # fmt: skip
def test_checks_that_fit(engine, profile, names):
    chosen = checks(SimpleNamespace(directory=None, create=False), {"scene": {"engine": engine}}, profile)
    assert list(chosen) == ["sites", "weather", "disk", "rasterio", "source", *names]


def test_findings_are_printed(monkeypatch, capsys):
    options = SimpleNamespace(profile=None)
    monkeypatch.setattr(doctor, "read_configuration", lambda options: {"scene": {"engine": "rasterio"}})
    monkeypatch.setattr(doctor, "read_profile", lambda name: {})
    monkeypatch.setattr(doctor, "refuse_folders", lambda options: None)
    monkeypatch.setattr(doctor, "refuse_missing_configuration", lambda options: None)
    monkeypatch.setattr(doctor, "configuration_files", lambda options: ["a.yaml", "b.yaml"])
    monkeypatch.setenv("MY_TOKEN", "abcd")
    for findings, status in (
        ([Finding("disk", True, "abcd\n free")], 0),
        ([Finding("disk", False, "none")], 1),
        ([Finding("period", True, "odd", warning=True)], 0),
    ):
        monkeypatch.setattr(doctor, "checks", lambda *_: "checks")
        monkeypatch.setattr(doctor, "run_checks", lambda chosen, findings=findings: findings)
        assert doctor.run(options, []) == status
    assert capsys.readouterr().out == (
        "ok      configuration   a.yaml, b.yaml\nok      disk            <MY_TOKEN> free\nok      configuration   "
        "a.yaml, b.yaml\nfailed  disk            none\nok      configuration   a.yaml, b.yaml\nwarning period          odd\n"
    )

    def refuse(options):
        raise TigerbushError("it is wrong.")

    monkeypatch.setattr(doctor, "read_configuration", refuse)
    assert doctor.run(options, []) == 1
    assert capsys.readouterr().out == "failed  configuration   it is wrong.\n"
    with pytest.raises(
        TigerbushError, match=r"^doctor does not know '--x'; see \./tigerbush doctor --help\.$"
    ):
        doctor.run(options, ["--x"])


def test_secrets_are_not_shown(monkeypatch):
    values = {
        "AWS_SECRET_ACCESS_KEY": "secret",
        "my_password": "hunter",
        "SHORT_TOKEN": "abc",
        "HOME": "home",
    }
    monkeypatch.setattr("os.environ", values)
    assert redacted(" a secret\n hunter abc  home ") == "a <AWS_SECRET_ACCESS_KEY> <my_password> abc home"


def test_discovery_is_forced(monkeypatch, tmp_path):
    called = []
    monkeypatch.setattr(discover, "snakemake", lambda words: called.append(words) or 3)
    monkeypatch.setattr(discover, "read_run_configuration", lambda options: called.append("read"))
    options = SimpleNamespace(directory=tmp_path, configfile=["a"], config=[], profile="p")
    assert discover.run(options, ["--x"]) == 3
    assert called == [
        "read",
        ["discover_products", "--forcerun", "discover_products", "--directory", str(tmp_path), "--configfile", "a", "--profile", "p", "--x"],
    ]  # fmt: skip


def test_a_local_folder(tmp_path):
    def findings():
        return tuples(
            doctor_source.check_source({"source": SOURCE | {"kind": "local"}, "products": "t.tsv"}, tmp_path)
        )

    folder = tmp_path / "products"
    assert findings() == [
        ("source", False, f"{folder} is not a folder; set source.path to the folder of your products")
    ]
    folder.mkdir()
    (folder / "a.txt").touch()
    assert findings() == [("source", False, f"0 products in {folder}; put .SAFE folders or zips there")]
    (folder / "a.SAFE").mkdir()
    (folder / "2017" / f"{name_of()}.SAFE").mkdir(parents=True)
    (folder / f"{name_of('20170117')}.zip").touch()
    assert findings() == [("source", True, f"2 products in {folder}")]


class Session:
    """A session that gives an answer, or raises."""

    def __init__(self, answer, asked):
        self.answer, self.asked = answer, asked

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.asked.append("closed")

    def get(self, url, **options):
        self.asked.append((url, options))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def server(monkeypatch, status=200, date=None, error=None):
    """Let servers answer so; gives what is asked."""
    asked = []
    answer = error or SimpleNamespace(
        status_code=status, headers={} if date is None else {"Date": date}, close=lambda: asked.append("read")
    )
    monkeypatch.setattr(doctor_source, "plain_session", lambda: Session(answer, asked))
    return asked


def dated(seconds):
    return format_datetime(datetime.now(UTC) - timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("answer", "findings"),
    [
        ({"status": 499}, [("n", True, "u answers (499)")]), ({"status": 500}, [("n", False, "u answers (500)")]),
        ({"error": requests.Timeout()}, [("n", False, "u did not respond within 3 s; check k and the network")]),
        ({"error": requests.ConnectionError()}, [("n", False, "u cannot be reached (ConnectionError); check k")]),
        ({"date": "soon"}, [("n", True, "u answers (200)")]),
    ],
)  # fmt: skip
def test_whether_a_server_answers(monkeypatch, answer, findings):
    asked = server(monkeypatch, **answer)
    assert tuples(doctor_source.check_server("n", "u", "k")) == findings
    assert asked[0] == ("u", {"timeout": 3, "stream": True, "allow_redirects": False})


@pytest.mark.parametrize(("seconds", "right"), [(295, True), (-295, True), (310, False), (-310, False)])
def test_the_clock_of_a_server(monkeypatch, seconds, right):
    server(monkeypatch, date=dated(seconds))
    _, clock = doctor_source.check_server("n", "u", "k")
    assert (clock.name, clock.ok) == ("clock", right)
    difference, _, advice = clock.text.partition(" s from that of u")
    assert abs(int(difference) - seconds) <= 2
    assert difference[0] == ("+" if seconds > 0 else "-")
    assert advice == ("" if right else "; set the clock of this machine")


@pytest.fixture
def bucket(monkeypatch):
    without_waiting(monkeypatch)
    made = Bucket({"p/a": b"x" * 20, "p/b": b"y"})
    made.opened = []

    def open_store(bucket, **options):
        made.opened.append(options)
        return store_of(monkeypatch, made, Servers({"https://d.example/b.tif": Response(206, b"x" * 5, {"Content-Range": "bytes 0-4/5"}, "h")}), tries=options["tries"])  # fmt: skip

    monkeypatch.setattr(doctor_source, "Store", open_store)
    return made


def test_a_bucket(monkeypatch, bucket, tmp_path):
    """Listed, and read a little, with the keys of a run and one try."""
    asked = server(monkeypatch)
    config = {"source": SOURCE, "products": "t.tsv"}
    listed = [
        ("endpoint", True, "https://s3.us-east-1.amazonaws.com answers (200)"),
        ("bucket", True, "s3://eodata can be listed"),
    ]
    assert tuples(doctor_source.check_source(config, tmp_path)) == [
        *listed,
        ("reading", True, "16 bytes of s3://eodata/p/a"),
    ]
    assert bucket.opened == [
        {"endpoint_url": None, "region": None, "anonymous": True, "requester_pays": False, "hosts": [], "catalogue": "https://c.example", "timeout": 3, "tries": 1}
    ]  # fmt: skip
    assert bucket.ranges == [(0, 15)]
    del bucket.objects["p/a"]
    config["source"] = SOURCE | {"region": "here", "kind": "stac"}
    findings = tuples(doctor_source.check_source(config, tmp_path))
    assert findings == [
        ("catalogue", True, "https://c.example answers (200)"), ("endpoint", True, "https://s3.here.amazonaws.com answers (200)"), listed[1],
        ("reading", True, "1 bytes of s3://eodata/p/b"),
    ]  # fmt: skip
    bucket.objects.clear()
    config["source"] = SOURCE | {"endpoint_url": "https://s3.example", "prefixes": None}
    assert tuples(doctor_source.check_source(config, tmp_path)) == [
        ("endpoint", True, "https://s3.example answers (200)"), listed[1],
        ("bucket", False, "there are no objects; check source.bucket and source.prefixes"),
    ]  # fmt: skip
    assert bucket.listed[-1]["Prefix"] == ""
    bucket.answers = [refusal(503)]
    assert tuples(doctor_source.check_source(config, tmp_path))[1:] == [
        ("bucket", False, "s3://eodata/: AWS is overloaded or down (503 )")
    ]
    server(monkeypatch, status=500)
    assert [finding.name for finding in doctor_source.check_source(config, tmp_path)] == ["endpoint"]
    assert ("https://c.example", {"timeout": 3, "stream": True, "allow_redirects": False}) in asked


def test_a_file_of_a_web_server(monkeypatch, bucket, tmp_path):
    server(monkeypatch)
    config = {"source": SOURCE | {"kind": "stac", "bucket": None}, "products": "t.tsv"}
    assert [finding.name for finding in doctor_source.check_source(config, tmp_path)] == ["catalogue"]
    rows = [
        file_row("P", ("metadata", ""), "stac.json", "https://c.example/item", 0),
        *(file_row("P", ("band", "B2"), "n", f"https://d.example/{name}.tif", size) for name, size in (("b", 0), ("c", 7))),
    ]  # fmt: skip
    write_table(tmp_path / "files.tsv", rows, FILE_COLUMNS)
    assert tuples(doctor_source.check_source(config, tmp_path))[1:] == [
        ("reading", True, "5 bytes of https://d.example/b.tif")
    ]
    write_table(tmp_path / "files.tsv", rows[2:], FILE_COLUMNS)
    monkeypatch.setattr(Servers, "request", lambda *_, **__: Response(404, b"", {}, "h"))
    assert tuples(doctor_source.check_source(config, tmp_path))[1:] == [
        ("reading", False, "https://d.example/c.tif does not exist (any more); run ./tigerbush discover, then ./tigerbush retry.")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("free", "text"),
    [
        (5e9, "5.0 GB free in {}"),
        (4.96e9, "5.0 GB free in {}; free at least 5 GB (./tigerbush plan says how much a run needs)"),
    ],
)
def test_the_disk(monkeypatch, tmp_path, free, text):
    places = []
    monkeypatch.setattr(
        doctor_machine.shutil, "disk_usage", lambda path: places.append(path) or SimpleNamespace(free=free)
    )
    for place in (tmp_path, tmp_path / "results"):
        place.mkdir(exist_ok=True)
        assert tuples(doctor_machine.check_disk(tmp_path)) == [("disk", free == 5e9, text.format(place))]
    assert places == [tmp_path, tmp_path / "results"]


def test_the_raster_library(monkeypatch):
    [finding] = doctor_machine.check_gdal()
    assert (
        finding.ok,
        finding.text.startswith(f"rasterio {doctor_machine.rasterio.__version__}, GDAL "),
    ) == (
        True,
        True,
    )
    drivers = SimpleNamespace(drivers=lambda: {"GTiff": "rw"})

    class Env:
        def __enter__(self):
            return drivers

        def __exit__(self, *_):
            """Nothing to do."""

    monkeypatch.setattr(doctor_machine.rasterio, "Env", Env)
    [finding] = doctor_machine.check_gdal()
    assert not finding.ok
    assert finding.text.endswith(" without COG, JP2OpenJPEG; install the environment again with 'make env'")
    asked = []
    monkeypatch.setattr(
        doctor_machine, "check_engine", lambda *given: asked.append(given) or (False, "no SNAP")
    )
    assert (tuples(doctor_machine.check_snap("gpt")), asked) == ([("gpt", False, "no SNAP")], [("gpt", 9)])


def ran(code=0, out="", err=""):
    return SimpleNamespace(returncode=code, stdout=out, stderr=err)


UP = ran(out="Slurmctld(primary) at c is UP\n")
PARTITIONS = ran(out="long\nshort\n")


@pytest.mark.parametrize(
    ("answers", "resources", "findings"),
    [
        ([UP, PARTITIONS], None, [(True, "controller is up, partitions long, short")]),
        ([UP, PARTITIONS], ["mem_mb=1", "slurm_partition='long'"], [(True, "controller is up, partitions long, short")]),
        ([UP, PARTITIONS], {"slurm_partition": "gpu"}, [(True, "controller is up, partitions long, short"), (False, "the profile's slurm_partition gpu is not one of them; correct it")]),
        ([ran(out="c is DOWN\n")], None, [(False, "scontrol: c is DOWN; is the SLURM controller running?")]),
        ([ran(1, " UP", "no\n way")], None, [(False, "scontrol: no way; is the SLURM controller running?")]),
        ([UP, ran(1, "x", "")], None, [(False, "sinfo: x; is the SLURM controller running?")]),
        ([FileNotFoundError(2, "x", "scontrol")], None, [(False, "scontrol is not on the PATH; run this on a login node of the cluster")]),
        ([UP, subprocess.TimeoutExpired(["sinfo", "x"], 3)], None, [(False, "sinfo did not respond within 3 s; try it by hand")]),
    ],
)  # fmt: skip
def test_slurm(monkeypatch, answers, resources, findings):
    left, asked = list(answers), []

    def run(command, **options):
        asked.append((command, options["timeout"]))
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(doctor_machine.subprocess, "run", run)
    reported = doctor_machine.check_slurm({"default-resources": resources} if resources else {})
    assert tuples(reported) == [("slurm", *finding) for finding in findings]
    assert asked == [(["scontrol", "ping"], 3), (["sinfo", "--noheader", "--format=%R"], 3)][: len(answers)]
    assert left == []
