"""Check of the weather files of the sites, with the reader of the run."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from time import monotonic

from tigerbush.cli.configuration import sites_of
from tigerbush.cli.doctor.finding import Finding
from tigerbush.errors import TigerbushError
from tigerbush.planning.paths import QUANTITIES
from tigerbush.planning.periods import read_periods
from tigerbush.weather.read import read_weather
from tigerbush.weather_suffixes import GRIB, NETCDF, format_by_suffix

# for all files together: a run reads each file as a whole for every date, as every value is checked, and long tables of
# many sites take minutes
SECONDS = 7
# whether these cover a site depends on where it is
_GRIDS = (GRIB, NETCDF)

Files = tuple[Path, ...]


def check_weather(config: Mapping, directory: Path, seconds: float = SECONDS) -> Iterator[Finding]:
    """Read the weather of the first period of each site; say so if there is no time to read all of it.

    Parameters
    ----------
    config : mapping
        The resolved configuration.
    directory : Path
        The working directory of the run.
    seconds : float
        After which no further file is read.
    """
    weather = config["weather"]
    if not weather["path"] or config["source"]["kind"] == "sample":
        return
    end = monotonic() + seconds
    reads = reads_of(config, directory)
    findings: set[Finding | None] = {None}
    readable: set[Path] = set()
    read = 0
    for files, site in reads:
        if read and monotonic() > end:
            break
        read += 1
        finding = _refusal(config, files, site)
        # that of a grid is the same for many sites
        if finding not in findings:
            findings.add(finding)
            yield finding
        if not finding or finding.ok:
            readable |= set(files)
    if read < len(reads):
        text = f"{read} of {len(reads)} files and sites were checked in {seconds:g} s; the run checks what it reads"
        yield Finding("weather", True, text, warning=True)
    if readable:
        yield Finding("weather", True, f"{len(readable)} file(s) can be read")


def _refusal(config: Mapping, files: Files, site: Mapping) -> Finding | None:
    """Read the weather of a site in the first period; return what is wrong with it, None if nothing is."""
    weather = config["weather"]
    first = next(iter(read_periods(**config["period"]).values()))
    quantities = {
        quantity: weather[quantity] | {"path": file} for quantity, file in zip(QUANTITIES, files, strict=True)
    }
    try:
        covered = read_weather(files[0], *first, site=site, date=weather["date"], **quantities)
    except TigerbushError as error:
        return Finding("weather", False, str(error))
    if covered is not None:
        return None
    text = f"{files[0]} does not cover the first period, {first[0]} to {first[1]}, whose weather is null"
    return Finding("weather", True, text, warning=True)


def reads_of(config: Mapping, directory: Path) -> list[tuple[Files, Mapping]]:
    """Return the files of rainfall and temperature to read, each with a site: tables once, grids for every site.

    Nothing for files that are gone, as those of earlier results may be, or when the table of sites is refused, which
    is another check.
    """
    weather, reads = config["weather"], {}
    try:
        sites = sites_of(config, directory)
    except TigerbushError:
        return []
    for name, site in sites.items():
        paths = [weather[quantity]["path"] or weather["path"] for quantity in QUANTITIES]
        files = tuple(directory / path.replace("{site}", name) for path in paths)
        in_grid = any(format_by_suffix(path) in _GRIDS for path in paths)
        if all(file.exists() for file in files):
            reads.setdefault((files, name if in_grid else None), (files, site))
    return list(reads.values())
