"""Settings written by hand, and beside them what reports say of methods, and their caveats."""

# ---- Caveats

OF_ALL = [
    "Each indicator is shown separately; there is no combined score, because methods contradict each other over most of "
    "the land.",
    "No indicator predicts the future: a system may tip without a warning, and may not tip after one.",
]
CAVEATS = [
    "Sub-images of a site share its weather and its scenes; they are not replicates, and their spread is not the error of "
    "the mean.",
    "Autocorrelation and variance also change when the number of observations per date, the satellites, their orbits or "
    "the cloud masks change. Compare with the completeness below.",
    "A median of slightly misregistered scenes blurs the pattern, the more so the more scenes there are.",
    *OF_ALL,
]
PYVEG = (
    "Mode pyveg follows pyveg: outliers dropped, gaps interpolated, first differences. Interpolation itself raises "
    "autocorrelation; the mode is for comparison with pyveg's results."
)
SIMULATED = "These data are simulated: nothing in this report was seen by a satellite."

# ---- Methods, versions, settings

SETTINGS = {"mode": "default", "window": 0.25, "surrogates": 499}
DETRENDING = {
    "method": "gaussian", "bandwidth": 0.3, "harmonics": 2, "stl": None, "first_differences": False
}  # fmt: skip
SETTINGS_SHOWN = [
    "### Versions, seed and settings",
    "tigerbush 0.9.1, numpy 2.1.3; seed 1357; mode default. The numbers are in analysis.json and series.csv beside this "
    "file.",
    '{ "mode": "default", "window": 0.25, "surrogates": 499 }',
    "Contains modified Copernicus Sentinel data.",
]

COMPOSITE = (
    "Each date is the median of the clear observations of its period, at 20 m; a sub-image is a square of 48 × 48 "
    "pixels. Masked pixels are excluded from every mean and from the network."
)
GAUSSIAN = "The trend is removed with a Gaussian kernel of bandwidth 0.3 of the series, the season with 2 harmonics of the year."
TESTED = (
    "Slowing down is tested by the likelihood of a restoring rate that falls, against that of a constant one, averaged over "
    "their sizes (Andrews & Ploberger 1994). Both allow for a season that drifts and differs from year to year, a trend that "
    "curves, steps, noise whose intensity changes, and noise of observations in proportion to 1 / their number."
)
NOT_INTERPOLATED = "Dates without data are left missing; nothing is interpolated."
METHODS = [
    COMPOSITE,
    "Offset50 is defined as in pyveg: bare ground is a network of neighbouring pixels, and offset50 is the Euler "
    "characteristic of its pixels (with 20 quantiles, of the most central 95 %) minus that of the most central half "
    "(subgraph centrality). More negative values mean more, and more connected, bare ground (Buxton et al. 2021).",
    GAUSSIAN,
    NOT_INTERPOLATED,
    "Changes compare the first and the last years in the calendar months that both have. Their 95 % intervals are those of "
    "the variation between years; trends are tested by the seasonal Mann–Kendall test (Hirsch & Slack 1984), and slopes are "
    "medians of those between years of the same month.",
    TESTED,
    "Indicators are computed in moving windows of 0.25 of the series (Dakos et al. 2012). Their trends are tested against "
    "499 surrogates of each of two kinds, processes of a constant restoring rate and phase-randomised series "
    "(Theiler et al. 1992), with the same gaps, detrending and windows.",
    "Restoring rates are estimated from the autocorrelation, from the variance (Smith et al. 2022), and by a seasonal "
    "Ornstein–Uhlenbeck process that is fitted to the dates as they are by maximum likelihood, with bootstrap confidence "
    "intervals.",
    "Pattern: Moran's I, variance and skewness of NDVI; patches are pixels of vegetation joined at edges; the wavelength "
    "is that of the peak of the radial spectrum (Couteron & Lejeune 2001, Génin et al. 2018), if its power exceeds that of "
    "longer waves more than chance explains at 5 % per date. The threshold of NDVI is that of Otsu 1979, summed over dates.",
]
# how a series is detrended, and the sentence of it
DETRENDED = [
    (DETRENDING, GAUSSIAN),
    (
        DETRENDING | {"harmonics": 0, "bandwidth": 0.125},
        "The trend is removed with a Gaussian kernel of bandwidth 0.125 of the series.",
    ),
    (
        DETRENDING
        | {
            "method": "stl",
            "bandwidth": None,
            "stl": {"period": 12, "trend": 23, "low_pass": 13},
            "harmonics": 1,
        },
        "Trend and season are removed by STL (Cleveland et al. 1990) with windows period 12, trend 23, low_pass 13, the "
        "season with 1 harmonic of the year.",
    ),
    (
        DETRENDING | {"method": "none", "bandwidth": None, "harmonics": 0, "first_differences": True},
        "No trend is removed, and first differences are taken.",
    ),
    (
        DETRENDING | {"method": "lowess", "bandwidth": 0, "harmonics": 0},
        "Detrending: lowess of bandwidth 0 of the series.",
    ),
]
BUXTON = (
    "- Buxton et al. 2021, Quantitatively monitoring the resilience of patterned vegetation in the Sahel. Global Change "
    "Biology 28, 571 (the measures, and pyveg). doi:10.1111/gcb.15939"
)
BENJAMINI = (
    "- Benjamini & Yekutieli 2001, The control of the false discovery rate in multiple testing under dependency. Annals "
    "of Statistics 29, 1165. doi:10.1214/aos/1013699998"
)
REFERENCES_LISTED = [
    BUXTON,
    "- Dakos et al. 2012, Methods for detecting early warnings of critical transitions in time series. PLoS ONE 7, "
    "e41010. doi:10.1371/journal.pone.0041010",
    "- Smith, Traxl & Boers 2022, Empirical evidence for recent global shifts in vegetation resilience. Nature Climate "
    "Change 12, 477 (restoring rates). doi:10.1038/s41558-022-01352-2",
    "- Smith et al. 2023, Reliability of resilience estimation based on multi-instrument time series. Earth System "
    "Dynamics 14, 173 (varying numbers of observations). doi:10.5194/esd-14-173-2023",
    "- Bathiany et al. 2024, Ecosystem resilience monitoring and early warning using Earth observation data. Surveys in "
    "Geophysics. doi:10.1007/s10712-024-09833-z",
    "- Theiler et al. 1992, Testing for nonlinearity in time series: the method of surrogate data. Physica D 58, 77. "
    "doi:10.1016/0167-2789(92)90102-S",
    "- Cleveland et al. 1990, STL: a seasonal-trend decomposition procedure based on loess. Journal of Official "
    "Statistics 6, 3.",
    "- Couteron & Lejeune 2001, Periodic spotted patterns in semi-arid vegetation explained by a propagation-inhibition "
    "model. Journal of Ecology 89, 616 (spectra of patterns). doi:10.1046/j.0022-0477.2001.00588.x",
    "- Génin et al. 2018, Monitoring ecosystem degradation using spatial data and the R package spatialwarnings. Methods "
    "in Ecology and Evolution 9, 2067. doi:10.1111/2041-210X.13058",
    "- Rietkerk et al. 2002, Self-organization of vegetation in arid ecosystems. American Naturalist 160, 524. "
    "doi:10.1086/342078",
    "- Andrews & Ploberger 1994, Optimal tests when a nuisance parameter is present only under the alternative. Econometrica "
    "62, 1383. doi:10.2307/2951753",
    "- Hirsch & Slack 1984, A nonparametric trend test for seasonal data with serial dependence. Water Resources Research "
    "20, 727. doi:10.1029/WR020i006p00727",
    "- Otsu 1979, A threshold selection method from gray-level histograms. IEEE Transactions on Systems, Man, and "
    "Cybernetics 9, 62. doi:10.1109/TSMC.1979.4310076",
    BENJAMINI,
]
# of 17 tests by Benjamini-Hochberg, q 0.125
METHODS_OVER_SITES = [
    "Each site has one test, the pre-specified one (analysis.primary), against surrogates without slowing. Where few "
    "of them are as extreme as the record, their tail is continued by an exponential one.",
    "p-values are adjusted by Benjamini-Hochberg for 17 tests (false discovery rate); a sign of slowing down is one of the "
    "site itself whose adjusted p-value, q, is at most 0.125.",
    "Sub-images are parts of a site and are not tested separately.",
    "There is no combined score of indicators. Each site's own report shows all of them.",
]
