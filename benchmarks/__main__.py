"""Command line of the benchmarks.

`python -m benchmarks [CASE]` runs the cases and prints the figures, `python -m benchmarks report` writes them into
docs/performance.md, and `python -m benchmarks step --name NAME` stores the lifecycle's figures for the table of steps.
"""

import argparse
import logging
import signal
from importlib import import_module
from pathlib import Path

from benchmarks.cases.options import DATABASES, REFERENCES, SIZES, CaseOptions
from benchmarks.figures import LATEST, Figure, load, save, show
from benchmarks.report import add_step, document
from benchmarks.servers import Site

CASES = ("lifecycle", "statements", "hot_advocate", "waiting_referrals", "ingest", "messages")


def main() -> None:
    options = _parser().parse_args()
    if options.case == "report":
        document(load(options.out))
        return
    if options.case == "step":
        add_step(options.name, load(options.out))
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # servers end with their blocks
    logging.getLogger("alembic").setLevel(logging.WARNING)
    case_options = CaseOptions(options.size, options.scale, options.databases, options.references)
    figures: list[Figure] = []
    for case in [options.case] if options.case else CASES:
        with Site() as site:
            figures += import_module(f"benchmarks.cases.{case}").run(case_options, site)
        save(figures, options.out)
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
