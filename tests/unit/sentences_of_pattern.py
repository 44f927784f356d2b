"""Measures of a pattern and their truth written by hand, and what a report says of them."""


def pattern(label, unit, *values):
    days = [f"2018-{month:02d}-16" for month in range(1, len(values) + 1)]
    return {"label": label, "unit": unit, "dates": days, "values": list(values)}


SPATIAL = {
    "morans_i": pattern("Moran's I of NDVI, neighbours at an edge", "1", 0.11, 0.12, 0.13, 0.14, 0.15, 0.16),
    "cover": pattern("share of pixels darker than their surroundings", "1", 0.5, 0.7, 0.9, 0.3, 0.22, 0.08),
    "patch_count": pattern("patches of vegetation", "1/km2", 1400, 1600, 7, 8, 930, 950),
    "patch_mean_area": pattern("mean area of a patch", "m2", 230, 250, 1, 2, 900, 910),
    "wavelength": pattern("wavelength of the pattern", "m", 101, 103, 50, None, 60, 70, 84, 88),
}
PATTERN_SHOWN = [
    "## Pattern",
    "[spatial] Time series of Moran's I of NDVI, neighbours at an edge, share of pixels darker than their surroundings, "
    "patches of vegetation, mean area of a patch, wavelength of the pattern.",
    "figure: From the NDVI of the whole site at each date. These are descriptions; no conclusion is drawn from them.",
    "[patches] Numbers of patches of vegetation by area at the first, the middle and the last date with patches.",
    "[sub_images] Maps of Kendall's tau of each indicator in each sub-image.",
    "figure: Trends of the indicators of NDVI in each sub-image. Sub-images share weather and scenes: they are not "
    "replicates, and none is tested.",
    "[map_offset50] Maps of network centrality (offset50) for every date; each square is a sub-image.",
    "figure: network centrality (offset50) of each sub-image at each date.",
    "[map_ndvi] Maps of NDVI for every date; each square is a sub-image.",
    "figure: NDVI of each sub-image at each date.",
    "[animation_offset50] Animation of the maps of network centrality (offset50).",
    "[animation_ndvi] Animation of the maps of NDVI.",
]
# ---- Against the truth of the simulation

# of the first series both are known on six dates, February and June of three years; a truth of nothing is no measure
TRUTH = {
    "ndvi": pattern("NDVI", "1", None, 0.3, 0.34, 0.5, 0.5, 0.22, 0.2, 0.9)
    | {
        "dates": [
            "2018-01-16",
            *(f"{year}-0{month}-16" for year in (2018, 2019, 2020) for month in (2, 6)),
            "2021-02-16",
        ],
        "measured": [None, 0.3, 0.34, 0.5, 0.5, 0.22, 0.2, 0.9],
        "truth": [0.8, 0.25, 0.4, 0.5, 0.4, 0.2, 0.25, None],
    },
    "patch_mean_area": pattern("mean area of a patch", "m2", 200, 300, 310, 400, 500, 900)
    | {"measured": [200, 300, 310, 400, 500, 900], "truth": [0, 240, 0, 0, 400, 1000]},
    "wavelength": pattern("wavelength of the pattern", "m", 110, 120)
    | {"measured": [110, 120], "truth": [100, 100]},
    "patch_count": pattern("patches of vegetation", "1/km2", 5) | {"measured": [5], "truth": [None]},
}
# yearly anomalies of -0.0783, 0.1567 and -0.0783, of -0.0583, 0.1167 and -0.0583; Student's t of one degree of freedom is 12.706
TRUTH_NDVI = "NDVI | 0.32 → 0.21 (−0.11; −3.56 to 3.34) | 0.325 → 0.225 (−0.1; −2.67 to 2.47) | 17.5 %"
TRUTH_SHOWN = [
    "## Comparison with the simulated truth",
    "This site does not exist: it was simulated, and what grew there is known.",
    "[truth] Measured points and true lines of NDVI, mean area of a patch, wavelength of the pattern, patches of "
    "vegetation.",
    "table: Measured and true means of the first and the last years, on the same dates and in equal calendar months; in "
    "brackets their difference and its 95 % interval",
    "measure | measured | truth | median difference",
    TRUTH_NDVI,
    "mean area of a patch (m²) | – | – | 25.0 %",
    "wavelength of the pattern (m) | – | – | 15.0 %",
    "patches of vegetation (1/km²) | – | – | –",
    "NDVI is that of the simulated ground without clouds and noise. The wavelength is that of the model's own biomass. "
    "The truth of the share with NDVI above the threshold is the cover by plants: a pixel that is half covered counts as one "
    "or as none, so that the share exaggerates. True patches and the true share of pixels darker than their surroundings "
    "come from the same split by local contrast, so their differences are due to clouds, noise and gaps, not to the split.",
]
