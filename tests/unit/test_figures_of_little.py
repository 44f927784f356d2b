"""Figures of an analysis that has little or nothing to show."""

from test_analysis_figures import ANALYSIS, DAYS, series_of
from tigerbush.report.figures import FIGURES, analysis_figures


def test_completeness_leaves_out_what_is_not_known():
    for changes, shown in (
        ({"n_obs": None}, ["sub-images used", "products"]),
        ({"products": {}}, ["sub-images used", "observations per pixel"]),
        # of a record without products
        ({"products": dict.fromkeys(DAYS, 0)}, ["sub-images used", "observations per pixel"]),
        # of dates that are no others
        ({"products": {DAYS[0]: 3}}, ["sub-images used", "observations per pixel"]),
    ):
        figure = FIGURES["completeness"](ANALYSIS | {"completeness": ANALYSIS["completeness"] | changes})
        assert [axes.get_title("center") for axes in figure.axes] == shown


def test_two_dates_with_patches_are_both_shown():
    two = ANALYSIS["patch_sizes"] | {"dates": DAYS[1:3], "counts": ANALYSIS["patch_sizes"]["counts"][1:3]}
    (axes,) = FIGURES["patches"](ANALYSIS | {"patch_sizes": two}).axes
    assert [line.get_label() for line in axes.lines] == DAYS[1:3]


def test_a_figure_without_anything_to_show_holds_the_reason():
    none = series_of("it", "1", [None] * 6)
    warning = ANALYSIS["early_warning"] | {
        "refused": "28 dates have data; more than 36 are needed, and then more than this line of seventy-five holds.",
        "indicators": {},
        "sensitivity": {},
    }
    empty = ANALYSIS | {
        "series": {"ndvi": none},
        "early_warning": warning,
        "weather": {"lagged_correlation": {}},
        "recovery": {"annual_cycle": {"ndvi": {"months": [1], "mean": [None]}}},
        "spatial": {"cover": {"values": [None, None]}},
        "spatial_warning": {},
        "patch_sizes": {"edges": [100], "dates": DAYS[:2], "counts": [[0], [0]]},
    }
    texts = {
        name: [text.get_text() for text in figure.texts] for name, figure in analysis_figures(empty).items()
    }
    refused = [
        "Not computed. 28 dates have data; more than 36 are needed, and then more\nthan this line of seventy-five holds."
    ]
    assert texts == {
        "series": ["No date has data."],
        "completeness": [],
        "indicators": refused,
        "sensitivity": refused,
        "weather": ["There is no precipitation to compare with."],
        "recovery": ["There are too few dates for a mean annual cycle."],
        "spatial": ["No date has a pattern that could be measured."],
        "patches": ["No date has patches of vegetation."],
        "sub_images": ["Not computed. there are no maps here."],
        "spatial_warning": ["No date has a pattern whose spatial indicators could be measured."],
    }
    without = {key: value for key, value in empty.items() if key != "patch_sizes"} | {
        "early_warning": warning | {"refused": None}
    }
    assert FIGURES["patches"](without).texts[0].get_text() == "No date has patches of vegetation."
    texts = [FIGURES[name](without).texts[0].get_text() for name in ("indicators", "sensitivity")]
    assert texts == ["Not computed.", "Not computed."]
