"""The scripts that draw and report a site: which files become which picture, and where they are written."""

import base64
import json
import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest

from fabricate import ROOT
from tigerbush.report import files
from tigerbush.summary.results import VEGETATION_COLLECTION

DAYS = [f"2020-{month:02d}-16" for month in range(1, 8)]


@pytest.fixture
def site(tmp_path):
    """Summary, analysis, and images of every date but the second, which has no data; each date has its own grey."""
    records = {day: [{}] if day != DAYS[1] else None for day in DAYS}
    summary = {VEGETATION_COLLECTION: {"time-series-data": records}}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    (tmp_path / "analysis.json").write_text('{"it": "the analysis"}')
    for i, day in enumerate(DAYS):
        (tmp_path / day).mkdir()
        cv2.imwrite(str(tmp_path / day / "rgb.png"), np.full((2, 3, 3), (3 * i, 2 * i, i), np.uint8))
        cv2.imwrite(str(tmp_path / day / "bwndvi.png"), np.full((2, 3), 100 + i, np.uint8))
    return tmp_path


@pytest.fixture
def script(monkeypatch):
    """`script(name, function=replacement)`: the main function of a script, and replacements in the library."""

    def load(name, **replaced):
        for function, replacement in replaced.items():
            monkeypatch.setattr(files, function, replacement)
        return runpy.run_path(str(ROOT / "workflow" / "scripts" / f"{name}.py"))["main"]

    return load


def images_of(site):
    return ([site / day / name for day in DAYS] for name in ("rgb.png", "bwndvi.png"))


def shown(images):
    """Day to the first colour, red first, and the first grey."""
    return {day: (colours[0, 0].tolist(), int(grey[0, 0])) for day, (colours, grey) in images.items()}


def test_a_report_is_given_its_dates_and_its_pictures_by_name(site, script):
    given = []
    files = {
        "series.svg": "image/svg+xml", "truth.svg": "image/svg+xml", "ndvi.svg": "image/svg+xml",
        "ndvi.webp": "image/webp", "offset50.webp": "image/webp",
    }  # fmt: skip
    for name in files:
        (site / name).write_bytes(name.encode())
    (site / "truth.json").write_text('{"it": "the truth"}')
    main = script("report_site", site_report=lambda *arguments: given.append(arguments) or "<p>é</p>")
    rgb, black_white = images_of(site)
    paths = [site / name for name in files]
    main(
        site / "analysis.json", site / "summary.json", rgb, black_white, paths[:1], paths[2:],
        [site / "truth.json", paths[1]], out=site / "report.html",
    )  # fmt: skip
    analysis, images, pictures, maps, truth = given[0]
    assert (analysis, truth) == ({"it": "the analysis"}, {"it": "the truth"})
    # of six dates with data the first, the fourth and the last
    assert shown(images) == {
        DAYS[0]: ([0, 0, 0], 100),
        DAYS[4]: ([4, 8, 12], 104),
        DAYS[6]: ([6, 12, 18], 106),
    }
    names = ["series", "truth", "map_ndvi", "animation_ndvi", "animation_offset50"]
    assert pictures == {
        key: f"data:{kind};base64,{base64.b64encode(name.encode()).decode()}"
        for key, (name, kind) in zip(names, files.items(), strict=True)
    }
    assert maps == {"ndvi": "NDVI", "offset50": "network centrality (offset50)"}
    assert (site / "report.html").read_bytes() == "<p>é</p>".encode()
    main(
        site / "analysis.json", site / "summary.json", rgb, black_white, [], [], [], out=site / "report.html"
    )
    assert given[1][2:] == ({}, {}, None)


def test_each_figure_is_written_in_both_forms(site, script):
    main = script(
        "plot_site",
        site_figure=lambda summary, images: ("overview", summary, shown(images)),
        analysis_figures=lambda analysis: {"one": ("one", analysis), "two": ("two", analysis)},
        encode_figure=lambda figure, form: json.dumps([*figure, form]).encode(),
    )
    out = {
        f"{name}_{form}": site / f"{name}.{form}"
        for name in ("overview", "one", "two")
        for form in ("png", "svg")
    }
    main(site / "summary.json", site / "analysis.json", *images_of(site), out)
    written = {key: json.loads(Path(path).read_bytes()) for key, path in out.items()}
    expected = {
        f"{name}_{form}": [name, {"it": "the analysis"}, form]
        for name in ("one", "two")
        for form in ("png", "svg")
    }
    summary = json.loads((site / "summary.json").read_text())
    # of six dates with data four
    places = (0, 3, 4, 6)
    images = {DAYS[i]: [[i, 2 * i, 3 * i], 100 + i] for i in places}
    assert written == expected | {
        f"overview_{form}": ["overview", summary, images, form] for form in ("png", "svg")
    }


def test_without_images_only_the_figures_that_are_asked_for_are_drawn(site, script):
    main = script(
        "plot_site",
        analysis_figures=lambda analysis: {"one_more": "one more", "two": "two"},
        encode_figure=lambda figure, form: f"{figure} as {form}".encode(),
    )
    out = {f"one_more_{form}": site / f"it.{form}" for form in ("png", "svg")}
    main(site / "summary.json", site / "analysis.json", [], [], out)
    assert {form: (site / f"it.{form}").read_text() for form in ("png", "svg")} == {
        "png": "one more as png",
        "svg": "one more as svg",
    }


def test_a_report_without_images_is_given_none(site, script):
    given = []
    main = script("report_site", site_report=lambda *arguments: given.append(arguments) or "")
    main(site / "analysis.json", site / "summary.json", [], [], [], [], [], out=site / "report.html")
    assert given == [({"it": "the analysis"}, {}, {}, {}, None)]
