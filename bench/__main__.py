"""Measure what tigerbush exists for against references in the same process; `make bench` runs it.

Ratios are what counts: machines differ, and shared ones differ from minute to minute. Nothing here
fails on a slow machine; a target is printed beside what was measured.
"""

import argparse
import importlib

from bench.table import heading, print_row

# name to module and function: a row imports only what it measures
ROWS = {
    "centrality": ("arrays", "centrality"),
    "date": ("arrays", "date"),
    "composite": ("arrays", "composite"),
    "tile": ("tile", "tile"),
    "dag": ("runs", "dag"),
    "scripts": ("runs", "scripts"),
    "jobs": ("runs", "jobs"),
    "cluster": ("cluster", "cluster"),
    "stream": ("stream", "stream"),
    "damage": ("damage", "damage"),
    "analysis": ("analysis", "analysis"),
}


def chosen(text: str) -> list[str]:
    """Split a list of names; refuse those that are none."""
    names = text.split(",") if text else list(ROWS)
    if unknown := [name for name in names if name not in ROWS]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(ROWS)}")
    return names


def main() -> None:
    """Print one table of the chosen rows."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=chosen, default="", help=f"some of {','.join(ROWS)}; default: all")
    parser.add_argument("--small", action="store_true", help="tiny sizes, to see that it runs")
    arguments = parser.parse_args()
    print(heading(), flush=True)
    for name in arguments.rows:
        module, function = ROWS[name]
        for row in getattr(importlib.import_module(f"bench.{module}"), function)(arguments.small):
            print_row(row)


if __name__ == "__main__":
    main()
