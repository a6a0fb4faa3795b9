"""`python -m benchmarks [CASE]` runs and prints; `python -m benchmarks report` writes the figures into the docs.

`python -m benchmarks step --name NAME` keeps how the lifecycle stands now, for the table of what made it faster.
"""

import argparse
import logging
import signal
from importlib import import_module
from pathlib import Path

from benchmarks.cases.asked import DATABASES, REFERENCES, SIZES, Asked
from benchmarks.figures import LATEST, Figure, load, save, show
from benchmarks.report import add_step, document
from benchmarks.servers import Site

CASES = ("lifecycle", "statements", "hot_advocate", "standing_crowd", "ingest", "messages")


def main() -> None:
    asked = _parser().parse_args()
    if asked.case == "report":
        document(load(asked.out))
        return
    if asked.case == "step":
        add_step(asked.name, load(asked.out))
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # servers end with their blocks
    logging.getLogger("alembic").setLevel(logging.WARNING)
    wanted = Asked(asked.size, asked.scale, asked.databases, asked.references)
    figures: list[Figure] = []
    for case in [asked.case] if asked.case else CASES:
        with Site() as site:
            figures += import_module(f"benchmarks.cases.{case}").run(wanted, site)
        save(figures, asked.out)
    show(figures)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("case", nargs="?", choices=[*CASES, "report", "step"])
    parser.add_argument("--name", default="", help="of the step")
    parser.add_argument("--size", choices=SIZES, default="medium")
    parser.add_argument("--scale", type=int, help="conversions, referrals waiting, or rows")
    parser.add_argument("--databases", nargs="+", choices=DATABASES, default=DATABASES)
    parser.add_argument("--references", nargs="+", choices=REFERENCES, default=REFERENCES)
    parser.add_argument("--out", type=Path, default=LATEST, help="where the figures are kept")
    return parser


if __name__ == "__main__":
    main()
