"""Print what analyses say of early warning, in the sentences of their reports.

For example: ./tigerbush findings results/*/analysis/analysis.json
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from tigerbush.errors import TigerbushError
from tigerbush.report.early_warning import early_warning
from tigerbush.report.findings import coverage


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the analyses."""
    command.add_argument("analyses", type=Path, nargs="+", metavar="ANALYSIS", help="analysis.json of a site")


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """Print the findings of each analysis."""
    if rest:
        raise TigerbushError(f"findings does not know {' '.join(rest)!r}; see ./tigerbush findings --help.")
    for path in options.analyses:
        try:
            text = early_warning_text(json.loads(path.read_text()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise TigerbushError(
                f"{path} cannot be read as an analysis ({type(error).__name__}: {str(error)[:120]}); name an "
                "analysis.json."
            ) from error
        print(text)
    return 0


def early_warning_text(analysis: Mapping) -> str:
    """Return the sentences of a report about the coverage and the early warning of a site, one a line."""
    lines = [f"{analysis['site']}: {coverage(analysis)}", *early_warning(analysis)]
    return "\n  ".join(lines)
