"""Smallest run of the benchmark command; its figures mean nothing."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHAPE = {"case", "metric", "reference", "ours", "theirs", "ratio", "spread"}
METRICS = {"throughput", "cpu", "answer_p50", "answer_p99", "actions", "events"}


def test_a_lifecycle_is_measured_against_the_bare_reference(tmp_path: Path):
    out = tmp_path / "latest.json"
    command = [sys.executable, "-m", "benchmarks", "lifecycle", "--size=tiny", f"--out={out}"]
    options = ["--references", "bare", "--databases", "sqlite"]

    done = subprocess.run(
        [*command, *options], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text())
    assert all(figure.keys() >= SHAPE for figure in figures)
    assert {(f["case"], f["reference"]) for f in figures} == {("lifecycle", "bare")}
    by_metric = {figure["metric"]: figure for figure in figures}
    assert by_metric.keys() >= METRICS
    for metric in METRICS:
        figure = by_metric[metric]
        assert figure["ours"] > 0
        assert figure["ratio"] == figure["ours"] / figure["theirs"]
    assert "throughput" in done.stdout
