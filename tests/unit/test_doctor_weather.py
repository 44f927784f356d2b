"""What doctor finds in weather files: the sentences of a run, and what there was no time to read."""

import netCDF4
import pytest

from runs import SITE
from test_doctor_tables import HEAD, ROW, findings, folder, settings
from tigerbush.cli.doctor.weather import check_weather
from tigerbush.errors import TigerbushError

# fixture
__all__ = ["folder"]


def test_the_weather(folder):
    weather = {"path": "{site}.csv"}
    with pytest.raises(TigerbushError) as error:
        findings(folder, weather=weather)
    assert str(error.value) == (
        f"weather.path: {folder}/here.csv does not exist; correct weather.path, or set it to null."
    )
    days = [f"2017-{month:02},3.5,20\n" for month in range(1, 5)]
    (folder / "here.csv").write_text("date,precipitation,temperature\n" + "".join(days))
    assert ("ok", "weather", "1 file(s) can be read") in findings(folder, weather=weather)
    # the first period is not in it
    (folder / "here.csv").write_text("date,precipitation,temperature\n" + "".join(days[1:]))
    assert findings(folder, weather=weather)[3:] == [
        ("warning", "weather", "here.csv does not cover the first period, 2017-01-01 to 2017-02-01, whose weather is null"),
        ("ok", "weather", "1 file(s) can be read"),
    ]  # fmt: skip
    (folder / "here.csv").write_text("date,rain\n2017-01,3.5\n")
    state, name, text = findings(folder, weather=weather)[3]
    assert (state, name) == ("failed", "weather")
    assert text.startswith("here.csv has no column ")


MONTHS = "date,precipitation,temperature\n" + "".join(f"2017-{month:02},3.5,20\n" for month in range(1, 5))


def write_sites(folder, *names):
    rows = ["\t".join(map(str, (name, *SITE[1:]))) for name in names]
    (folder / "sites.tsv").write_text(HEAD + "".join(f"{row}\n" for row in rows))


def test_weather_of_many_sites_in_little_time(folder):
    """At least one file is read, and what is not is said."""
    names = [f"s{i}" for i in range(5)]
    write_sites(folder, *names)
    for name in names:
        (folder / f"{name}.csv").write_text(MONTHS)
    config = settings(folder, weather={"path": "{site}.csv"})
    lines = [(line.state, line.text) for line in check_weather(config, folder, 0)]
    assert lines == [
        ("warning", "1 of 5 files and sites were checked in 0 s; the run checks what it reads"),
        ("ok", "1 file(s) can be read"),
    ]
    (folder / "s3.csv").write_text(MONTHS.replace("3.5", "x"))
    lines = [(line.state, line.text.replace(f"{folder}/", "")) for line in check_weather(config, folder)]
    assert lines == [
        ("failed", "s3.csv, line 2: 'x' is not a number; correct or remove the line."),
        ("ok", "4 file(s) can be read"),
    ]
    # one table of all sites is read, and refused, once
    config = settings(folder, weather={"path": "s3.csv"})
    assert [line.state for line in check_weather(config, folder)] == ["failed"]
    # of a refused table of sites another check tells
    (folder / "sites.tsv").write_text("")
    assert list(check_weather(config, folder)) == []


@pytest.mark.input(
    "Weather", "one grid for all sites, which does not reach one of them",
    "`doctor` names that site's place, as the run does",
)  # fmt: skip
def test_a_grid_is_checked_at_every_site(folder):
    rows = [HEAD, ROW, ROW.replace("here", "there").replace("45.8694", "50.5")]
    (folder / "sites.tsv").write_text("".join(rows))
    with netCDF4.Dataset(folder / "grid.nc", "w") as grid:
        for name, values in (("time", range(120)), ("latitude", (46, 45.75)), ("longitude", (14.5, 14.75))):
            grid.createDimension(name, len(values))
            grid.createVariable(name, "f8", (name,))[:] = list(values)
        grid["time"].units = "days since 2017-01-01"
        for name, unit, value in (("tp", "m", 0.001), ("t2m", "K", 290)):
            variable = grid.createVariable(name, "f4", ("time", "latitude", "longitude"))
            variable.units = unit
            variable[:] = value
    weather = {
        "path": "grid.nc",
        "precipitation": {"column": "tp", "unit": "m"},
        "temperature": {"column": "t2m", "unit": "K"},
    }
    lines = check_weather(settings(folder, weather=weather), folder)
    assert [(line.state, line.text.replace(f"{folder}/", "")) for line in lines] == [
        ("failed", "grid.nc covers latitude 45.75 to 46.0, not the site at longitude 14.5593, latitude 50.5; get a file that covers the site."),
        ("ok", "1 file(s) can be read"),
    ]  # fmt: skip
