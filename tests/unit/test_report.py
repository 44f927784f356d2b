"""The reports: every line that they show, and that they need nothing from outside."""

import base64
import copy

import cv2
import jinja2
import numpy as np
import pytest

import sentences
import sentences_of_pattern
import sentences_of_sites
from report_lines import Page, lines_of
from sentences import ANALYSIS, DATES, EMPTY, FOUND_REFUSED, METADATA, report
from sentences_of_methods import CAVEATS, SIMULATED
from sentences_of_warning import OTHER_PRIMARY, REFUSED, WARNING, WARNING_REFUSED
from tigerbush.report.figures import FIGURES
from tigerbush.report.html import picture_uri, site_report, sites_report

MAPS = {"offset50": "network centrality (offset50)", "ndvi": "NDVI"}
PICTURES = {
    name: f"data:image/png;base64,{name}"
    for name in (*FIGURES, "truth", *(f"{kind}_{metric}" for kind in ("map", "animation") for metric in MAPS))
}
# colours and black/white of three dates, each its own
IMAGES = {
    day: (np.full((3, 4, 3), (10 * i, 20 * i, 30 * i), np.uint8), np.full((3, 4), i, np.uint8))
    for i, day in enumerate(DATES, 1)
}
EVIL = '<script src="https://example.org/x.js"></script>'


def report_of(analysis, images=IMAGES, maps=MAPS, truth=None):
    return site_report(analysis, images, PICTURES, maps, truth)


def with_parts(**parts):
    """The lines of the whole report, some of its parts others."""
    shown = {
        "pictures": sentences.PICTURES_SHOWN,
        "series": sentences.SERIES_SHOWN,
        "completeness": sentences.COMPLETENESS_SHOWN,
        "warning": sentences.WARNING_SHOWN,
        "pattern": sentences_of_pattern.PATTERN_SHOWN,
        "weather": sentences.WEATHER_SHOWN,
    }
    return tuple((shown | parts).values())


def test_a_report_shows_every_field():
    html = report_of(ANALYSIS)
    assert lines_of(html) == report()
    # settings stand one below the other
    settings = ('"mode": "default",', '"window": 0.25,', '"surrogates": 499')
    written = "".join(f"\n {line}".replace('"', "&#34;") for line in settings)
    assert f"<pre>{{{written}\n}}</pre>" in html


def test_a_site_that_is_refused_is_told_as_such():
    refused = ANALYSIS | {"early_warning": REFUSED}
    assert lines_of(report_of(refused)) == report(
        findings=FOUND_REFUSED, parts=with_parts(warning=WARNING_REFUSED)
    )


def test_a_site_without_data_is_told_as_such():
    findings = ["0 of 21 dates have data.", FOUND_REFUSED[-1]]
    assert lines_of(report_of(EMPTY, {}, {})) == report(findings=findings, parts=sentences.EMPTY_SHOWN)


def test_a_record_without_images_is_told_as_such():
    """What needs images is left out, with a sentence."""
    needing = ("spatial", "patches", "spatial_warning")
    pictures = {name: picture for name, picture in PICTURES.items() if name not in needing}
    lines = lines_of(site_report(ANALYSIS | {"spatial": {}, "spatial_warning": {}}, {}, pictures, {}))
    assert "There are no images of the dates." in lines
    assert (
        "Without images the pattern, its patches and its spatial indicators are not measured, and there are no maps."
        in lines
    )
    shown = [line.partition("]")[0][1:] for line in lines if line.startswith("[")]
    assert shown == [
        "series",
        "completeness",
        "indicators",
        "sensitivity",
        "sub_images",
        "weather",
        "recovery",
    ]


def test_a_simulated_site_is_set_against_its_truth():
    metadata = METADATA | {"config": METADATA["config"] | {"source": {"kind": "sample"}}}
    html = report_of(ANALYSIS | {"metadata": metadata}, truth=sentences_of_pattern.TRUTH)
    parts = with_parts(truth=sentences_of_pattern.TRUTH_SHOWN)
    assert lines_of(html) == report(caveats=[SIMULATED, *CAVEATS], parts=parts, ends=sentences.SAMPLE_ENDS)


@pytest.mark.parametrize(("path", "changed"), sentences.NULLS)
def test_a_number_that_is_not_there_changes_its_own_lines_alone(path, changed):
    analysis = copy.deepcopy(ANALYSIS)
    *above, last = (int(key) if key.isdigit() else key for key in path.split())
    place = analysis
    for key in above:
        place = place[key]
    assert place[last] is not None
    place[last] = None
    expected = [others for line in report() for others in changed_line(line, changed)]
    assert (expected == report()) == (not changed)
    assert lines_of(report_of(analysis)) == expected


def changed_line(line, changed):
    bare = line.removeprefix("- ")
    return sentences.listed(changed[bare]) if bare != line and bare in changed else changed.get(line, [line])


@pytest.mark.parametrize("key", ["measured", "truth"])
def test_a_truth_or_a_measure_that_is_not_there_is_compared_with_nothing(key):
    few = sentences_of_pattern.TRUTH["ndvi"] | {key: [None] * 3 + sentences_of_pattern.TRUTH["ndvi"][key][3:]}
    lines = lines_of(report_of(ANALYSIS, truth=sentences_of_pattern.TRUTH | {"ndvi": few}))
    # of 0, 25, 10 and 20 %, on dates within two years
    expected = [
        line.replace(sentences_of_pattern.TRUTH_NDVI, "NDVI | – | – | 15.0 %")
        for line in sentences_of_pattern.TRUTH_SHOWN
    ]
    assert lines == report(parts=with_parts(truth=expected))


def test_another_variable_may_be_the_primary_one():
    variance = WARNING["indicators"]["offset50"]["variance"] | {"tau": 0.287}
    warning = WARNING | {
        "sign": False,
        "why": [],
        "primary": {"variable": "offset50", "indicator": "variance", "p": 0.4567, "surrogates": 99},
        "indicators": WARNING["indicators"] | {"offset50": {"variance": variance}},
    }
    lines = lines_of(report_of(ANALYSIS | {"early_warning": warning}))
    assert lines == [others for line in report() for others in changed_line(line, OTHER_PRIMARY)]


@pytest.mark.parametrize(
    ("number", "roles"),
    [(1, ["only"]), (2, ["first", "last"]), (3, ["first", "middle", "last"])],
)
def test_dates_in_pictures(number, roles):
    page = Page(report_of(ANALYSIS, dict(list(IMAGES.items())[:number])))
    days = DATES[:number]
    texts = ["colour composite", "vegetation in black, bare ground in white"]
    shown = [image for image in page.all("img") if "date with data" in image["alt"]]
    assert [image["alt"] for image in shown] == [
        f"{role} date with data, {day}: {text}"
        for text in texts
        for role, day in zip(roles, days, strict=True)
    ]
    pixels = [decoded(image["src"]) for image in shown]
    assert all(image.shape == (3, 4, 3) for image in pixels)
    assert [image[0, 0].tolist() for image in pixels] == [
        *([10 * i, 20 * i, 30 * i] for i in range(1, number + 1)),
        *([i, i, i] for i in range(1, number + 1)),
    ]


def decoded(source):
    """The colours of a PNG, red first."""
    start, content = source.split(",")
    assert start == "data:image/png;base64"
    return cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


@pytest.mark.parametrize(
    ("shape", "shown"), [((500, 4), (500, 4)), ((501, 4), (500, 4)), ((8, 2000), (2, 500))]
)
def test_large_pictures_are_shrunk(shape, shown):
    """A pixel of a quarter of the size is the mean of sixteen."""
    grey = np.arange(shape[0] * shape[1]).reshape(shape).astype(np.uint8) // 8 * 8
    page = Page(report_of(ANALYSIS, {"2018-02-15": (np.dstack([grey, grey, grey]), grey)}))
    colours, black_white = (decoded(image["src"]) for image in page.all("img")[:2])
    assert colours.shape == black_white.shape == (*shown, 3)
    if shape == shown:
        np.testing.assert_array_equal(black_white[..., 0], grey)
    if shown == (2, 500):
        mean = grey.reshape(2, 4, 500, 4).mean(axis=(1, 3))
        np.testing.assert_allclose(colours[..., 1], mean, atol=0.5)


def test_pictures_become_part_of_the_page(tmp_path):
    for suffix, kind in ((".svg", "svg+xml"), (".png", "png"), (".webp", "webp")):
        (tmp_path / f"it{suffix}").write_bytes(b"\x00\xffit")
        assert picture_uri(tmp_path / f"it{suffix}") == f"data:image/{kind};base64,AP9pdA=="


def test_the_report_over_sites_names_accepted_and_rejected_refused_and_disagreeing_sites():
    picture = "data:image/png;base64,sites"
    html = sites_report(sentences_of_sites.COMPARISON, sentences_of_sites.ANALYSES, picture)
    assert lines_of(html) == sentences_of_sites.OVER_SITES
    alone = sentences_of_sites.COMPARISON | {"rows": sentences_of_sites.ROWS[2:3]}
    assert (
        lines_of(sites_report(alone, sentences_of_sites.ANALYSES[1:2], picture)) == sentences_of_sites.ALONE
    )


@pytest.mark.parametrize(("rows", "findings"), sentences_of_sites.FOUND_AMONG)
def test_signs_among_sites(rows, findings):
    lines = lines_of(
        sites_report(sentences_of_sites.COMPARISON | {"rows": rows}, sentences_of_sites.ANALYSES, "")
    )
    start, end = lines.index("## Findings"), lines.index("## Caveats")
    assert lines[start + 1 : end] == sentences.listed(findings)


def test_releases_are_listed_once_and_in_order():
    releases = ("2.4", "2.1", "2.5", "2.3", "2.1", "2.2", "2.4", "2.0")
    analyses = [ANALYSIS | {"software": {"numpy": release}} for release in releases]
    lines = lines_of(sites_report(sentences_of_sites.COMPARISON, analyses, ""))
    assert lines[-1] == "numpy 2.0; numpy 2.1; numpy 2.2; numpy 2.3; numpy 2.4; numpy 2.5"


def test_a_field_that_a_report_needs_is_not_left_out_silently():
    metadata = {name: value for name, value in METADATA.items() if name != "region_size"}
    with pytest.raises(jinja2.UndefinedError):
        report_of(ANALYSIS | {"metadata": metadata})


@pytest.mark.parametrize("analysis", [ANALYSIS, EMPTY])
def test_a_report_needs_nothing_from_outside(analysis):
    html = report_of(analysis, truth=sentences_of_pattern.TRUTH)
    page = Page(html)
    assert page.all("script") == []
    assert all(image["src"].startswith("data:") and len(image["alt"]) > 15 for image in page.all("img"))
    assert [link["href"] for link in page.all("link")] == ["data:,"]
    # the table beside the report, and sources
    assert [link["href"] for link in page.all("a")] == ["dates.csv"] + [
        f"https://doi.org/{line.rpartition('doi:')[2]}"
        for line in sentences.REFERENCES_LISTED
        if "doi:" in line
    ]
    assert "url(" not in html and "@import" not in html
    policy = next(meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_what_comes_from_outside_is_escaped():
    evil = {"missing": {"2020-01-16": EVIL}, "failed_products": {EVIL: EVIL}}
    html = report_of(ANALYSIS | {"site": EVIL, "metadata": METADATA | evil})
    assert Page(html).all("script") == []
    # title, heading, a reason, and a product with its reason
    assert html.count("&lt;script") == 5
    rows = [sentences_of_sites.ROWS[2] | {"site": EVIL, "refused": EVIL}]
    html = sites_report(sentences_of_sites.COMPARISON | {"rows": rows}, [ANALYSIS | {"site": EVIL}], "")
    assert Page(html).all("script") == []
    # the table, the reasons with the name, and the changes
    assert html.count("&lt;script") == 4
