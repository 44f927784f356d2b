"""Measures of a pattern and their truth written by hand, and what a report says of them."""

NO_CONCLUSION = (
    "Whether a kind of pattern tells the direction of change is contested, so no conclusion is drawn from it."
)


def pattern(label, unit, *values):
    days = [f"2018-{month:02d}-16" for month in range(1, len(values) + 1)]
    return {"label": label, "unit": unit, "dates": days, "values": list(values)}


SPATIAL = {
    "morans_i": pattern("Moran's I of NDVI, neighbours at an edge", "1", 0.11, 0.12, 0.13, 0.14, 0.15, 0.16),
    "cover": pattern("share of vegetation", "1", 0.5, 0.7, 0.9, 0.3, 0.22, 0.08),
    "patch_count": pattern("patches of vegetation", "1/km2", 1400, 1600, 7, 8, 930, 950),
    "patch_mean_area": pattern("mean area of a patch", "m2", 230, 250, 1, 2, 900, 910),
    "wavelength": pattern("wavelength of the pattern", "m", 101, 103, 50, None, 60, 70, 84, 88),
}
COVER = "vegetation cover 60 and 15 %; "
PATTERN_CHANGE = (
    f"The pattern in the first and the last third: {COVER}wavelength 102 and 86 m; density of patches 1\u202f500 and 940 "
    f"per km²; mean patch area 240 and 905 m². {NO_CONCLUSION}"
)
PATTERN_SHOWN = [
    "## Pattern",
    "[spatial] Time series of Moran's I of NDVI, neighbours at an edge, share of vegetation, patches of vegetation, mean "
    "area of a patch, wavelength of the pattern.",
    "figure: From the NDVI of the whole site at each date. These are descriptions; no conclusion is drawn from them.",
    "[patches] Numbers of patches of vegetation by area at the first, the middle and the last date with patches.",
    "[map_offset50] Maps of network centrality (offset50) for every date; each square is a sub-image.",
    "figure: network centrality (offset50) of each sub-image at each date.",
    "[map_ndvi] Maps of NDVI for every date; each square is a sub-image.",
    "figure: NDVI of each sub-image at each date.",
    "[animation_offset50] Animation of the maps of network centrality (offset50).",
    "[animation_ndvi] Animation of the maps of NDVI.",
]
# measures of the pattern that have six values: what is said of cover, and of the rest
COVER_ALONE = f"The pattern in the first and the last third: vegetation cover 60 and 15 %. {NO_CONCLUSION}"
COUNTS_ALONE = f"The pattern in the first and the last third: density of patches 1\u202f500 and 940 per km². {NO_CONCLUSION}"

# ---- Against the truth of the simulation

# of the first series both are known on six dates, from the second to the seventh; a truth of nothing is no measure
TRUTH = {
    "ndvi": pattern("NDVI", "1", None, 0.3, 0.34, 0.5, 0.5, 0.22, 0.2, 0.9)
    | {
        "measured": [None, 0.3, 0.34, 0.5, 0.5, 0.22, 0.2, 0.9],
        "truth": [0.8, 0.25, 0.4, 0.5, 0.4, 0.2, 0.25, None],
    },
    "patch_mean_area": pattern("mean area of a patch", "m2", 200, 300, 310, 400, 500, 900)
    | {"measured": [200, 300, 310, 400, 500, 900], "truth": [0, 240, 0, 0, 400, 1000]},
    "wavelength": pattern("wavelength of the pattern", "m", 110, 120)
    | {"measured": [110, 120], "truth": [100, 100]},
    "patch_count": pattern("patches of vegetation", "1/km2", 5) | {"measured": [5], "truth": [None]},
}
TRUTH_NDVI = "NDVI | 0.32 → 0.21 | 0.325 → 0.225 | 17.5 %"
TRUTH_SHOWN = [
    "## Comparison with the simulated truth",
    "This site does not exist: it was simulated, and what grew there is known.",
    "[truth] Measured points and true lines of NDVI, mean area of a patch, wavelength of the pattern, patches of "
    "vegetation.",
    "table: Measured and true, in the first and the last part of the series",
    "measure | measured | truth | median difference",
    TRUTH_NDVI,
    "mean area of a patch (m²) | 250 → 700 | 120 → 700 | 25.0 %",
    "wavelength of the pattern (m) | – | – | 15.0 %",
    "patches of vegetation (1/km²) | – | – | –",
    "NDVI is that of the simulated ground without clouds and noise. The wavelength is that of the model's own biomass. "
    "The share of vegetation differs because images are split by local contrast: sparse plants between barer ground count "
    "as vegetation, however little they cover. True patches come from the same split, so their differences are due to "
    "clouds, noise and gaps, not to the split.",
]
