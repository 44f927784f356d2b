"""Benchmark tigerbush against reference implementations in the same process; `make bench` runs it.

Only ratios count: machines differ, and shared ones differ from minute to minute. Nothing here
fails on a slow machine; targets are printed beside the measurements.
"""

import argparse
import importlib

from bench.table import heading, print_row

# module and function of each row, imported only when it is measured
ROWS = {
    "centrality": ("arrays", "centrality"),
    "date": ("arrays", "date"),
    "composite": ("arrays", "composite"),
    "tile": ("tile", "tile"),
    "windows": ("windows", "windows"),
    "verify": ("verify", "verify"),
    "dag": ("runs", "dag"),
    "scripts": ("runs", "scripts"),
    "jobs": ("runs", "jobs"),
    "depths": ("depths", "depths"),
    "cluster": ("cluster", "cluster"),
    "stream": ("stream", "stream"),
    "damage": ("damage", "damage"),
    "analysis": ("analysis", "analysis"),
    "weather": ("weather", "weather"),
}


def chosen(text: str) -> list[str]:
    """Split a list of rows; refuse unknown names."""
    names = text.split(",") if text else list(ROWS)
    if unknown := [name for name in names if name not in ROWS]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is not one of {', '.join(ROWS)}")
    return names


def main() -> None:
    """Print a table of the chosen rows."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=chosen, default="", help=f"some of {','.join(ROWS)}; default: all")
    parser.add_argument("--small", action="store_true", help="tiny sizes, to check that it runs")
    arguments = parser.parse_args()
    print(heading(), flush=True)
    for name in arguments.rows:
        module, function = ROWS[name]
        for row in getattr(importlib.import_module(f"bench.{module}"), function)(arguments.small):
            print_row(row)


if __name__ == "__main__":
    main()
