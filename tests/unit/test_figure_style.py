"""How the figures of an analysis look: writing that can be read on a phone, in its place, and lines of one width."""

import matplotlib.colors
import matplotlib.dates
import numpy as np
import pytest

from test_analysis_figures import ANALYSIS, BLACK, PURPLE
from tigerbush.report.figures import FIGURES, analysis_figures, sites_figure


@pytest.fixture(scope="module")
def figures():
    return analysis_figures(ANALYSIS)


def panels_of(figures):
    return {name: [axes for axes in figure.axes if axes.axison] for name, figure in figures.items()}


def test_lines_and_marks(figures):
    panels = panels_of(figures)
    lines = [line for panels_of_figure in panels.values() for axes in panels_of_figure for line in axes.lines]
    zero = panels["weather"][0].lines[-1]
    rings = panels["series"][0].lines[1]
    steps = panels["series"][0].lines[2:]
    assert len(lines) == 5 + 2 + 4 + 3 + 2 + 3 + 3 + 2
    assert {line.get_linewidth() for line in lines if line is not zero and line not in steps} == {1.2}
    assert {(line.get_linewidth(), line.get_linestyle()) for line in steps} == {(1, ":")}
    assert (zero.get_linewidth(), zero.get_color()) == (0.8, BLACK)
    assert {line.get_markersize() for line in lines if line is not rings} == {4}
    assert (rings.get_markersize(), rings.get_markeredgecolor()) == (7, BLACK)
    assert [line.get_marker() for name in ("weather", "recovery") for axes in panels[name] for line in axes.lines] == [
        "o", "o", "None", "o", "o"
    ]  # fmt: skip
    bands = [band for axes in panels["series"] for band in axes.collections]
    assert len(bands) == 4 and {band.get_linewidth()[0] for band in bands} == {0}
    assert {band.get_facecolor()[0, 3] for band in bands if len(band.get_facecolor())} == {0.25}
    assert {patch.get_zorder() for patch in panels["series"][0].patches} == {0}
    assert panels["completeness"][1].patches[0].get_facecolor() == matplotlib.colors.to_rgba("#0072B2")
    assert panels["series"][3].lines[0].get_color() == PURPLE


def test_panels_are_open_above_and_have_a_grid(figures):
    for name, panels in panels_of(figures).items():
        for axes in panels:
            if axes is figures["sensitivity"].axes[-1]:  # the colours
                continue
            assert [axes.spines[side].get_visible() for side in ("top", "right", "left", "bottom")] == [
                False, False, True, True
            ]  # fmt: skip
            shown = {line.get_visible() for line in (*axes.get_xgridlines(), *axes.get_ygridlines())}
            assert shown == {name != "sensitivity"}
            assert {line.get_alpha() for line in axes.get_ygridlines()} == {0.3}


def test_writing_has_its_size(figures):
    panels = panels_of(figures)
    left = {
        name: {axes._left_title.get_fontsize() for axes in panels_of_figure}
        for name, panels_of_figure in panels.items()
    }
    assert left == {name: {8.5} for name in FIGURES} | {"indicators": {7.5, 8.5}, "sub_images": set()}
    assert [axes._left_title.get_fontsize() for axes in panels["indicators"][:2]] == [7.5, 7.5]
    ticks = {
        name: {
            label.get_fontsize()
            for axes in panels_of_figure
            for label in (*axes.get_xticklabels(), *axes.get_yticklabels())
        }
        for name, panels_of_figure in panels.items()
    }
    assert ticks == {name: {8.5} for name in FIGURES} | {"indicators": {7}, "sub_images": set()}
    assert {text.get_fontsize() for axes in panels["indicators"] for text in axes.texts} == {7}
    assert {text.get_fontsize() for axes in panels["sensitivity"] for text in axes.texts} == {7}
    assert {text.get_fontsize() for text in figures["sensitivity"].texts} == {8}
    legends = [panels[name][0].get_legend() for name in ("weather", "patches")]
    assert [(legend.get_frame_on(), legend._ncols, legend.get_texts()[0].get_fontsize()) for legend in legends] == [
        (False, 3, 7.5), (False, 1, 7.5)
    ]  # fmt: skip


def test_writing_stands_in_its_place(figures):
    names = [axes.texts[0] for axes in figures["indicators"].axes[::2]]
    # 78 points left of the axes, in the middle of their height
    assert [(text.xy, text.xyann, text.get_va()) for text in names] == [
        ((-1.15, 0.5), (-78, 0), "center")
    ] * 3
    assert {(text.xycoords, text.anncoords) for text in names} == {
        (("axes points", "axes fraction"), "offset points")
    }
    figure = figures["sensitivity"]
    tall = 3.82
    down, across, bar = figure.texts
    assert [text.get_position() for text in (down, across, bar)] == [
        (0.02, 0.5), (0.5, pytest.approx(0.15 / tall)), (0.5, pytest.approx(1 - 0.2 / tall))
    ]  # fmt: skip
    assert [text.get_rotation() for text in (down, across, bar)] == [90, 0, 0]
    assert (down.get_va(), across.get_ha(), bar.get_ha()) == ("center", "center", "center")
    assert figure.axes[-1].get_position().bounds == pytest.approx((0.2, 1 - 0.4 / tall, 0.6, 0.12 / tall))
    texts = [text for axes in figure.axes[:3] for text in axes.texts]
    assert len(texts) == 10 and {(text.get_ha(), text.get_va()) for text in texts} == {("center", "center")}
    assert {axes.get_aspect() for axes in figure.axes[:3]} == {"auto"}


def test_axes_of_time_are_shared_and_have_few_dates(figures):
    for name, most in (("series", 6), ("completeness", 6), ("indicators", 3), ("spatial", 4)):
        first, *others = figures[name].axes
        assert others and all(axes.get_shared_x_axes().joined(first, axes) for axes in others)
        below = figures[name].axes[-(2 if most < 6 else 1) :]
        for axes in below:
            locator = axes.xaxis.get_major_locator()
            assert (locator.minticks, set(locator.maxticks.values())) == (2, {most})
            assert isinstance(axes.xaxis.get_major_formatter(), matplotlib.dates.ConciseDateFormatter)
    for name in ("series", "completeness", "recovery"):
        assert not any(
            label.get_visible() for axes in figures[name].axes[:-1] for label in axes.get_xticklabels()
        )
    assert figures["recovery"].axes[0].get_shared_x_axes().joined(*figures["recovery"].axes)


@pytest.mark.parametrize(
    ("name", "width", "change"),
    [
        ("indicators", 14, lambda label: {"early_warning": warning_of(label)}),
        ("sensitivity", 34, lambda label: {"early_warning": warning_of(label)}),
        ("spatial", 36, lambda label: {"spatial": {"it": ANALYSIS["spatial"]["cover"] | {"label": label}}}),
    ],
)
def test_writing_is_broken_where_a_line_is_full(name, width, change):
    first, rest = "x" * (width - 4), "abc"
    for last, lines in ((rest, f"{first} {rest}"), (f"{rest}d", f"{first}\n{rest}d")):
        changed = ANALYSIS | change(f"{first} {last}")
        (axes, *_) = FIGURES[name](changed).axes
        assert (axes.texts[0].get_text() if name == "indicators" else axes.get_title("center")) == lines


def warning_of(label):
    indicator = ANALYSIS["early_warning"]["indicators"]["ndvi"]["ar1"] | {"label": label}
    return ANALYSIS["early_warning"] | {"indicators": {"ndvi": {"ar1": indicator}}}


@pytest.mark.parametrize(
    ("refused", "number"),
    [("x" * 61, 1), ("x" * 62, 2), (f"{'x' * 61} y", 2), (f"{'x' * 61} {'y' * 75} z", 3)],
)
def test_a_reason_is_as_high_as_its_lines(refused, number):
    """Lines are of 75 letters, with "Not computed. " before the reason."""
    warning = ANALYSIS["early_warning"] | {"indicators": {}, "refused": refused}
    figure = FIGURES["indicators"](ANALYSIS | {"early_warning": warning})
    (text,) = figure.texts
    assert text.get_text().count("\n") == number - 1
    assert figure.get_size_inches().tolist() == pytest.approx([5.4, 0.25 * number + 0.4])
    assert (text.get_position(), text.get_va()) == ((0.02, 0.5), "center")


def test_words_that_are_longer_than_a_line_are_not_broken():
    warning = ANALYSIS["early_warning"] | {"indicators": {}, "refused": f"{'x' * 80} {'a-' * 40}b"}
    (text,) = FIGURES["indicators"](ANALYSIS | {"early_warning": warning}).texts
    assert text.get_text() == f"Not computed.\n{'x' * 80}\n{'a-' * 40}b"


def test_sites_have_a_line_at_the_level():
    (axes,) = sites_figure({"rows": [{"site": "A", "p": 0.5, "sign_among_sites": True}]}).axes
    assert (axes.lines[-1].get_linewidth(), axes.lines[-1].get_color()) == (0.8, BLACK)
    assert axes.lines[0].get_markersize() == 4
    assert np.isclose(axes.xaxis.label.get_fontsize(), 8.5)
