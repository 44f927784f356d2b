"""The report of a site and the report over sites: one HTML file each, which needs nothing from outside."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import jinja2
import numpy as np
from numpy.typing import NDArray

from tigerbush.analysis.changes import change
from tigerbush.images import encode_png
from tigerbush.report.changes import first_and_last
from tigerbush.report.early_warning import (
    conclusion,
    disagreement,
    findings_over_sites,
    indicator_label,
    power,
)
from tigerbush.report.findings import OF_ALL, caveats, findings, median_error
from tigerbush.report.methods import REFERENCES, methods, methods_over_sites, references_of
from tigerbush.report.overview import place_of
from tigerbush.report.pattern import PATTERN_REASONS
from tigerbush.report.words import number, p_value, sentence
from tigerbush.variables import row_of, with_subject
from tigerbush.version import __version__

TEMPLATES = Path(__file__).parent / "templates"
ROLES = ("first", "middle", "last")
# larger pictures of a site are shrunk, so that the report can be sent
LARGEST = 500
TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".webp": "image/webp"}


def site_report(
    analysis: Mapping,
    images: Mapping[str, Sequence[NDArray[np.uint8]]],
    pictures: Mapping[str, str],
    maps: Mapping[str, str],
    truth: Mapping | None = None,
) -> str:
    """Write the report of a site.

    Parameters
    ----------
    analysis : dict
        Contents of analysis.json.
    images : dict of date to (RGB, black/white NDVI)
        (h, w, 3) and (h, w) uint8 arrays of the dates to show, in order.
    pictures : dict of name to data URI
        The figures of `tigerbush.report.figures`, `map_{metric}` and `animation_{metric}`, and `truth`.
    maps : dict of metric to label
    truth : dict, optional
        From `tigerbush.sample.truth.compare_truth`.

    Returns
    -------
    str
        HTML. Everything that is shown is escaped.
    """
    metadata, warning = analysis["metadata"], analysis["early_warning"]
    config = metadata.get("config") or {}
    drawn = warning["subsampling"] or {}
    sample = config.get("source", {}).get("kind") == "sample"
    return _render(
        "site.html",
        analysis=analysis,
        metadata=metadata,
        warning=warning,
        power=list(power(warning)),
        pictures=pictures,
        place=place_of(metadata),
        findings=findings(analysis),
        caveats=caveats(analysis, sample),
        images=[
            {"date": day, "role": role, "rgb": _inline(pair[0]), "black_white": _inline(pair[1])}
            for role, (day, pair) in zip(_roles(len(images)), images.items(), strict=True)
        ],
        labels=_labels(analysis["series"]),
        outliers=[
            (series["label"], series["outliers"])
            for series in analysis["series"].values()
            if series["outliers"]
        ],
        missing=metadata.get("missing") or {},
        failed=metadata.get("failed_products") or {},
        subsampling=drawn.get("variables", {}).get(warning["primary"]["variable"]),
        **_pattern_values(analysis),
        maps=maps,
        lags=analysis["weather"]["lagged_correlation"],
        cycles={
            name: cycle
            for name, cycle in analysis["recovery"]["annual_cycle"].items()
            if cycle.get("decay_rate") is not None
        },
        spells=analysis["recovery"]["dry_spells"],
        truth=_truth_rows(truth, analysis["days_per_step"]) if truth else None,
        truth_labels=_labels(truth or {}),
        methods=methods(analysis),
        references=[*REFERENCES, *references_of(analysis)],
        configuration=json.dumps(analysis["configuration"], indent=1),
        source="" if sample else "Contains modified Copernicus Sentinel data.",
    )


def sites_report(comparison: Mapping, analyses: Iterable[Mapping], picture: str) -> str:
    """Write the report over sites.

    Parameters
    ----------
    comparison : dict
        Contents of sites.json.
    analyses : iterable of dict
        analysis.json of each site.
    picture : str
        The figure of `tigerbush.report.figures.sites_figure` as data URI.
    """
    rows = comparison["rows"]
    # one at a time: there may be thousands
    analyses = [
        {key: analysis[key] for key in ("site", "completeness", "changes", "software")}
        | {"series": list(analysis["series"])}
        for analysis in analyses
    ]
    variables = with_subject({name for analysis in analyses for name in analysis["series"]})
    software = sorted({json.dumps(analysis["software"], sort_keys=True) for analysis in analyses})
    return _render(
        "sites.html",
        comparison=comparison,
        rows=rows,
        pictures={"sites": picture},
        findings=findings_over_sites(comparison),
        caveats=[
            "Each site has one test, of the pre-specified primary indicator; nothing was selected by its result.",
            "Sites that share their weather are not independent.",
            *OF_ALL,
        ],
        refused=[row for row in rows if row["p"] is None],
        disagreeing=[row for row in rows if row["disagreement"]],
        change_labels=[row.heading for row in variables],
        changes=[
            {
                "site": analysis["site"],
                "dates": analysis["completeness"]["with_data"],
                "values": [first_and_last(analysis["changes"].get(row.name)) for row in variables],
            }
            for analysis in analyses
        ],
        methods=methods_over_sites(comparison),
        references=[REFERENCES[i] for i in (0, -1)],
        software="; ".join(
            ", ".join(f"{name} {release}" for name, release in json.loads(releases).items())
            for releases in software
        ),
    )


def picture_uri(path: Path) -> str:
    """Give a picture (SVG, PNG, WebP) as a data URI; scripts in it do not run."""
    return f"data:{TYPES[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _render(template: str, **values: object) -> str:
    # always on: names of products, reasons and sites come from outside
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"number": number, "p_value": p_value, "sentence": sentence}
    environment.filters["short"] = lambda name: row_of(name).short
    environment.filters["indicator"] = indicator_label
    environment.globals |= {"conclusion": conclusion, "disagreement": disagreement, "version": __version__}
    return environment.get_template(template).render(**values)


def _roles(number_of_images: int) -> Sequence[str]:
    return {0: (), 1: ("only",), 2: ("first", "last")}.get(number_of_images, ROLES)


def _inline(image: NDArray[np.uint8]) -> str:
    if max(image.shape[:2]) > LARGEST:
        factor = LARGEST / max(image.shape[:2])
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return "data:image/png;base64," + base64.b64encode(encode_png(image)).decode()


def _labels(series: Mapping[str, Mapping]) -> list[str]:
    return [each["label"] for each in series.values()]


def _pattern_values(analysis: Mapping) -> dict[str, object]:
    """Return what the section of the pattern shows; the dates without a wavelength by why they have none."""
    grouped: dict[str, list[str]] = {}
    for day, pattern in (analysis.get("spatial_dates") or {}).items():
        if pattern["wavelength_reason"]:
            grouped.setdefault(PATTERN_REASONS[pattern["wavelength_reason"]], []).append(day)
    return {
        "spatial_labels": _labels(analysis["spatial"]),
        "spatial_warning": (analysis.get("spatial_warning") or {}).get("indicators") or {},
        "without_wavelength": grouped,
    }


def _truth_rows(truth: Mapping, days_per_step: float) -> list[dict[str, str]]:
    rows = []
    for compared in truth.values():
        # where both are known, or the ends would be of other dates
        known = [
            values
            for values in zip(compared["dates"], compared["measured"], compared["truth"], strict=True)
            if None not in values
        ]
        error = median_error(compared)
        dates, measured, true = zip(*known, strict=True) if known else ((), (), ())
        ends = {
            name: first_and_last(change(dates, values, days_per_step)) if known else "–"
            for name, values in (("measured", measured), ("truth", true))
        }
        rows.append(
            {
                "label": compared["label"],
                "unit": compared["unit"].replace("m2", "m²"),
                "error": "–" if error is None else f"{100 * error:.1f} %",
            }
            | ends
        )
    return rows
