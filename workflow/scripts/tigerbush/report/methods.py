"""How the numbers of a report were made, and where the methods come from."""

from collections.abc import Mapping

from tigerbush.pyveg import MODES
from tigerbush.variables import measured

# text, DOI
REFERENCES = (
    (
        "Buxton et al. 2021, Quantitatively monitoring the resilience of patterned vegetation in the "
        "Sahel. Global Change Biology 28, 571 (the measures, and pyveg).",
        "10.1111/gcb.15939",
    ),
    (
        "Dakos et al. 2012, Methods for detecting early warnings of critical transitions in time series. "
        "PLoS ONE 7, e41010.",
        "10.1371/journal.pone.0041010",
    ),
    (
        "Smith, Traxl & Boers 2022, Empirical evidence for recent global shifts in vegetation resilience. "
        "Nature Climate Change 12, 477 (restoring rates).",
        "10.1038/s41558-022-01352-2",
    ),
    (
        "Smith et al. 2023, Reliability of resilience estimation based on multi-instrument time series. "
        "Earth System Dynamics 14, 173 (varying numbers of observations).",
        "10.5194/esd-14-173-2023",
    ),
    (
        "Bathiany et al. 2024, Ecosystem resilience monitoring and early warning using Earth observation "
        "data. Surveys in Geophysics.",
        "10.1007/s10712-024-09833-z",
    ),
    (
        "Theiler et al. 1992, Testing for nonlinearity in time series: the method of surrogate data. "
        "Physica D 58, 77.",
        "10.1016/0167-2789(92)90102-S",
    ),
    (
        "Cleveland et al. 1990, STL: a seasonal-trend decomposition procedure based on loess. Journal of "
        "Official Statistics 6, 3.",
        "",
    ),
    (
        "Couteron & Lejeune 2001, Periodic spotted patterns in semi-arid vegetation explained by a "
        "propagation-inhibition model. Journal of Ecology 89, 616 (spectra of patterns).",
        "10.1046/j.0022-0477.2001.00588.x",
    ),
    (
        "Génin et al. 2018, Monitoring ecosystem degradation using spatial data and the R package "
        "spatialwarnings. Methods in Ecology and Evolution 9, 2067.",
        "10.1111/2041-210X.13058",
    ),
    (
        "Rietkerk et al. 2002, Self-organization of vegetation in arid ecosystems. American Naturalist "
        "160, 524.",
        "10.1086/342078",
    ),
    (
        "Andrews & Ploberger 1994, Optimal tests when a nuisance parameter is present only under the alternative. "
        "Econometrica 62, 1383.",
        "10.2307/2951753",
    ),
    (
        "Hirsch & Slack 1984, A nonparametric trend test for seasonal data with serial dependence. Water Resources "
        "Research 20, 727.",
        "10.1029/WR020i006p00727",
    ),
    (
        "Otsu 1979, A threshold selection method from gray-level histograms. IEEE Transactions on Systems, Man, and "
        "Cybernetics 9, 62.",
        "10.1109/TSMC.1979.4310076",
    ),
    (
        "Benjamini & Yekutieli 2001, The control of the false discovery rate in multiple testing under "
        "dependency. Annals of Statistics 29, 1165.",
        "10.1214/aos/1013699998",
    ),
)


TEST = (
    "Slowing down is tested by the likelihood of a restoring rate that falls, against that of a constant one, averaged "
    "over their sizes (Andrews & Ploberger 1994). Both allow for a season that drifts and differs from year to year, a "
    "trend that curves, steps, noise whose intensity changes, and noise of observations in proportion to 1 / their "
    "number."
)


def methods(analysis: Mapping) -> list[str]:
    """State how the numbers of a site were made, with the settings that were used."""
    settings = analysis["configuration"]
    config = analysis["metadata"].get("config") or {}
    sentences = []
    if "composite" in config and "subimages" in config:
        size = config["subimages"]["size"]
        sentences.append(
            f"Each date is the {config['composite']['method']} of the clear observations of its period, at "
            f"{config['composite']['resolution']} m; a sub-image is a square of {size} × {size} pixels. Masked pixels "
            "are excluded from every mean and from the network."
        )
    sentences += [row.definition for row in measured(analysis["series"]) if row.definition]
    sentences.append(_detrending(analysis["detrending"]))
    if not MODES[settings["mode"]].fills_gaps:
        sentences.append("Dates without data are left missing; nothing is interpolated.")
    sentences += [
        "Changes compare the first and the last years in the calendar months that both have. Their 95 % intervals are "
        "those of the variation between years; trends are tested by the seasonal Mann–Kendall test (Hirsch & Slack "
        "1984), and slopes are medians of those between years of the same month.",
        *([] if MODES[settings["mode"]].fills_gaps else [TEST]),
        f"Indicators are computed in moving windows of {settings['window']:g} of the series (Dakos et al. "
        f"2012). Their trends are tested against {settings['surrogates']} surrogates of each of two kinds, "
        "processes of a constant restoring rate and phase-randomised series (Theiler et al. 1992), with the same gaps, "
        "detrending and windows.",
        "Restoring rates are estimated from the autocorrelation, from the variance (Smith et al. 2022), and by a "
        "seasonal Ornstein–Uhlenbeck process that is fitted to the dates as they are by maximum likelihood, with "
        "bootstrap confidence intervals.",
        "Pattern: Moran's I, variance and skewness of NDVI; patches are pixels of vegetation joined at edges; the "
        "wavelength is that of the peak of the radial spectrum (Couteron & Lejeune 2001, Génin et al. 2018), if its "
        "power exceeds that of longer waves more than chance explains at 5 % per date. The threshold of NDVI is that "
        "of Otsu 1979, summed over dates.",
    ]
    return sentences


def references_of(analysis: Mapping) -> list[tuple[str, str]]:
    """Return text and DOI of the sources of a site's variables, beside `REFERENCES`."""
    return [row.reference for row in measured(analysis["series"]) if row.reference]


def methods_over_sites(comparison: Mapping) -> list[str]:
    """State how sites were compared."""
    return [
        "Each site has one test, the pre-specified one (analysis.primary), against surrogates without slowing. "
        "Where few of them are as extreme as the record, their tail is continued by an exponential one.",
        f"p-values are adjusted by {comparison['method']} for {comparison['n_tests']} tests (false discovery rate); a "
        f"sign of slowing down is one of the site itself whose adjusted p-value, q, is at most {comparison['q']:g}.",
        "Sub-images are parts of a site and are not tested separately.",
        "There is no combined score of indicators. Each site's own report shows all of them.",
    ]


def _detrending(detrending: Mapping) -> str:
    text = {
        "gaussian": "The trend is removed with a Gaussian kernel",
        "stl": "Trend and season are removed by STL (Cleveland et al. 1990)",
        "none": "No trend is removed",
    }.get(detrending["method"], f"Detrending: {detrending['method']}")
    if detrending["bandwidth"] is not None:
        text += f" of bandwidth {detrending['bandwidth']:g} of the series"
    if detrending["stl"]:
        text += f" with windows {', '.join(f'{name} {value}' for name, value in detrending['stl'].items())}"
    if harmonics := detrending["harmonics"]:
        text += f", the season with {harmonics} {'harmonic' if harmonics == 1 else 'harmonics'} of the year"
    if detrending["first_differences"]:
        text += ", and first differences are taken"
    return text + "."
