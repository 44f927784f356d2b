"""Weather files that do not exist are refused before a run, unless weather was read from them before."""

import pytest

from tigerbush.errors import TigerbushError
from tigerbush.planning.paths import check_files

NOTHING = {"path": None, "precipitation": {"path": None}, "temperature": {"path": None}}


def check(folder, kind="local", **weather):
    config = {"products": "results/products.tsv", "source": {"kind": kind}, "weather": NOTHING | weather}
    check_files(config, ["here", "there"], folder)


@pytest.mark.input(
    "Commands", "`weather.path` of a file that does not exist",
    "refused before the first job, unless weather was read from it before",
)  # fmt: skip
@pytest.mark.parametrize(
    ("weather", "key", "file"),
    [
        ({"path": "w.csv"}, "weather.path", "w.csv"),
        ({"path": "{site}.csv"}, "weather.path", "there.csv"),
        ({"path": "here.csv", "temperature": {"path": "w.csv"}}, "weather.temperature.path", "w.csv"),
        ({"path": "no.csv", "temperature": {"path": "w.csv"}, "precipitation": {"path": "here.csv"}}, "weather.temperature.path", "w.csv"),
        ({"path": "w.csv", "temperature": {"path": "here.csv"}}, "weather.path", "w.csv"),
    ],
)  # fmt: skip
def test_weather_that_does_not_exist(tmp_path, weather, key, file):
    """Without it, dates of which there are results would silently go without weather."""
    (tmp_path / "here.csv").touch()
    with pytest.raises(TigerbushError) as error:
        check(tmp_path, **weather)
    assert str(error.value) == f"{key}: {tmp_path}/{file} does not exist; correct {key}, or set it to null."
    # that of the sample is simulated, and weather that was read before outlives its file
    check(tmp_path, kind="sample", **weather)
    result = tmp_path / "results" / "there" / "2017-01-16" / "weather.json"
    result.parent.mkdir(parents=True)
    result.touch()
    check(tmp_path, **weather)


def test_files_that_need_not_exist(tmp_path):
    check(tmp_path)
    (tmp_path / "here.csv").touch()
    used = {"path": "here.csv"}
    check(tmp_path, path="no.csv", temperature=used, precipitation=used)
