"""`./tigerbush pattern`: rainfall in; biomass, picture and animation out, or one sentence."""

import subprocess
from functools import partial

import cv2
import numpy as np
import pytest

from fabricate import ROOT
from small_images import read_rgb
from tigerbush.cli import pattern as module
from tigerbush.cli.__main__ import main
from tigerbush.cli.pattern import picture
from tigerbush.pattern import evolve, random_pattern, start_states

# ends of viridis in OpenCV, RGB
YELLOW, VIOLET = [253, 231, 37], [68, 1, 84]


def read_csv(path):
    return np.loadtxt(path, delimiter=",", ndmin=2)


@pytest.fixture
def simulate(tmp_path, capsys):
    """Run the command; give the folder of the results and what it printed."""

    def run(*options):
        output = tmp_path / "output"
        assert main(["pattern", "--output", str(output), *map(str, options)]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        return output, out

    return run


@pytest.fixture
def refused(refused_command):
    return partial(refused_command, "pattern")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# --- what comes out ---


def test_random_start(simulate):
    output, out = simulate("--size", 20, "--steps", 60, "--seed", 5, "--rainfall", 1.1)
    assert names(output) == ["random_pattern.csv", "random_pattern.png"]
    expected = evolve(start_states(random_pattern((20, 20), 5), 1.1)[0], 1.1, 60)[0]
    np.testing.assert_array_equal(read_csv(output / "random_pattern.csv"), expected)
    image = read_rgb(output / "random_pattern.png")
    np.testing.assert_array_equal(image, picture(expected, expected.max()))
    assert image[np.unravel_index(expected.argmax(), expected.shape)].tolist() == YELLOW
    lines = [line.split() for line in out.splitlines()]
    cover = 100 * (expected >= 1).mean()
    assert ["60", "1.1", f"{expected.mean():.4f}", f"{cover:.2f}"] in lines


def test_the_same_seed_gives_the_same_bytes(simulate):
    def content(seed):
        output, _ = simulate("--size", 12, "--steps", 20, "--seed", seed, "--animation")
        return {path.name: path.read_bytes() for path in output.iterdir()}

    first = content(1)
    assert content(1) == first
    assert content(2)["random_pattern.csv"] != first["random_pattern.csv"]


def test_ramp(tmp_path, simulate):
    start = tmp_path / "spots.csv"
    start.write_text("0,1,0\n2,0,0\n")
    output, out = simulate("--start", start, "--rainfall", "1.2:0.4", "--steps", 9, "--every", 4)
    rain = np.linspace(1.2, 0.4, 9)
    expected = evolve([[0, 45.0, 0], [90.0, 0, 0]], rain, 9)[0]
    np.testing.assert_array_equal(read_csv(output / "spots_pattern.csv"), expected)
    rows = [line.split() for line in out.splitlines()]
    days = [row for row in rows if len(row) == 4 and row[0].isdigit()]
    assert [row[:2] for row in days] == [["0", "1.2"], ["4", "0.9"], ["8", "0.5"], ["9", "0.4"]]


@pytest.mark.parametrize("content", ["1.0\n0.5\n0\n2\n", "1.0,0.5,0,2\n"])
def test_rainfall_of_each_step(tmp_path, simulate, content):
    rain = tmp_path / "rain.csv"
    rain.write_text(content)
    output, _ = simulate("--rainfall", rain, "--size", 6)
    start = start_states(random_pattern((6, 6), 0), 1.0)[0]
    expected = evolve(start, [1.0, 0.5, 0, 2], 4)[0]
    np.testing.assert_array_equal(read_csv(output / "random_pattern.csv"), expected)
    simulate("--rainfall", rain, "--size", 6, "--steps", 4)


def test_animation(simulate):
    output, _ = simulate("--size", 30, "--steps", 50, "--every", 20, "--animation")
    assert names(output) == ["random_pattern.csv", "random_pattern.png", "random_pattern.webp"]
    _, animation = cv2.imdecodeanimation(
        np.frombuffer((output / "random_pattern.webp").read_bytes(), np.uint8)
    )
    assert list(animation.durations) == [100] * 4
    start = start_states(random_pattern((30, 30), 0), 1.0)[0]
    plants = [start, *(evolve(start, 1.0, day)[0] for day in (20, 40, 50))]
    top = np.median([field.max() for field in plants])
    for frame, field in zip(animation.frames, plants, strict=True):
        # lossless, and cells of 13 x 13 pixels
        assert frame.shape[:2] == (390, 390)
        difference = frame[6::13, 6::13, 2::-1].astype(int) - picture(field, top)
        # frames are kept as float32, so that a shade may round the other way
        assert np.abs(difference).max() <= 3
        assert (frame[:13, :13] == frame[0, 0]).all()


def test_animation_without_every_has_some_50_frames(simulate):
    output, out = simulate("--size", 8, "--steps", 230, "--animation")
    _, animation = cv2.imdecodeanimation(
        np.frombuffer((output / "random_pattern.webp").read_bytes(), np.uint8)
    )
    # WebP joins equal frames, and shows them as long
    assert sum(animation.durations) == 47 * 100
    assert sum(line.split()[:1] == ["230"] for line in out.splitlines()) == 1


def test_picture_by_hand():
    image = picture(np.array([[0.0, 5.0, 10.0, 50.0]]), 10.0)
    assert image[0, 0].tolist() == VIOLET
    assert image[0, 2].tolist() == image[0, 3].tolist() == YELLOW
    assert picture(np.zeros((2, 2)), 0.0).tolist() == [[VIOLET] * 2] * 2


def test_death(recwarn, simulate):
    output, out = simulate("--rainfall", 0, "--steps", 2000, "--size", 10, "--animation")
    assert read_csv(output / "random_pattern.csv").max() < 1e-100
    assert "0.00" in out
    assert not recwarn.list


# --- bad input ---


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--rainfall", "wet"), "--rainfall must be a number, START:END or a CSV file, not 'wet'"),
        (("--rainfall", "1:"), "--rainfall must be a number, START:END or a CSV file, not '1:'"),
        (("--rainfall", "-1"), "--rainfall -1: every value must be from 0 to 2000 mm/day"),
        (("--rainfall", "nan"), "every value must be from 0 to 2000 mm/day"),
        (("--rainfall", "0:inf"), "every value must be from 0 to 2000 mm/day"),
        (("--rainfall", "missing.csv"), "missing.csv is not a file"),
        (("--start", "picture.jpg"), "--start must be random or a CSV file, not 'picture.jpg'"),
        (("--start", "missing.csv"), "missing.csv is not a file"),
        (("--start", "a.csv", "--size", "5"), "--size is for a random start"),
        (("--seed", "-1"), "--seed must be at least 0, not -1"),
        (("--size", "1"), "--size must be at least 2, not 1"),
        (("--size", "100000"), "the start has 100,000 x 100,000 cells"),
        (("--steps", "0"), "--steps must be at least 1, not 0"),
        (("--steps", "999999999999"), "--steps must be at most 10,000,000"),
        (("--every", "0"), "--every must be at least 1, not 0"),
        (("--animation", "--steps", "10000", "--every", "1"), "10,001 frames are too many"),
        (("--cores", "4"), "does not know '--cores 4'"),
        (("--size", "2", "--seed", "0"), "--start random: the start pattern must have a value above 0"),
    ],
)
def test_bad_options(refused, options, sentence):
    assert sentence in refused(*options)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is empty"),
        ("1,a\n", "line 1, cell 2 is 'a' instead of a number"),
        ("1,2\n3,nan\n", "line 2, cell 2 must be a finite number"),
        ("1,2\n3\n", "line 2 has 1 cells"),
        ("0,0\n", "all of its cells are 0"),
        ("1,-1\n", "must be finite and not negative"),
    ],
)
def test_bad_start(tmp_path, refused, content, sentence):
    path = tmp_path / "start.csv"
    path.write_text(content)
    refusal = refused("--start", path)
    assert str(path) in refusal
    assert sentence in refusal


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        ("1,2\n3,4\n", (), "must contain one number per step, in one column or row"),
        ("mm\n1\n", (), "line 1, cell 1 is 'mm' instead of a number"),
        ("1\n-2\n", (), "every value must be from 0 to 2000 mm/day"),
        ("1\n2\n", ("--steps", 3), "has 2 values and --steps is 3"),
    ],
)
def test_bad_rainfall_file(tmp_path, refused, content, options, sentence):
    path = tmp_path / "rain.csv"
    path.write_text(content)
    refusal = refused("--rainfall", path, *options)
    assert str(path) in refusal
    assert sentence in refusal


def test_full_disk_leaves_whole_files(tmp_path, simulate, monkeypatch, capsys):
    output, _ = simulate("--size", 8, "--steps", 3)
    before = {path: path.read_bytes() for path in output.iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    assert main(["pattern", "--size", "9", "--output", str(output)]) == 1
    assert "(No space left on device)" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in output.iterdir()} == before


def test_help_is_the_docstring(capsys):
    with pytest.raises(SystemExit) as end:
        main(["pattern", "--help"])
    assert end.value.code == 0
    assert module.__doc__.strip() in capsys.readouterr().out


@pytest.mark.data
def test_the_script_equals_pyveg(shared_data, tmp_path):
    folder = shared_data / "pyveg" / "pattern"
    done = subprocess.run(
        [ROOT / "tigerbush", "pattern", "--start", folder / "binary_labyrinths_50.csv"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    biomass = read_csv(tmp_path / "binary_labyrinths_50_pattern.csv")
    expected = read_csv(folder / "PG-1mm-100iterations.csv")
    # half of the last of the 6 decimals in the file
    np.testing.assert_allclose(biomass, expected, rtol=0, atol=5.001e-7)
    assert f"{biomass.mean():.4f}    53.32" in done.stdout
