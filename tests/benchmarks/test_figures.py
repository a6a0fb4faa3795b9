import json
from pathlib import Path

from benchmarks.figures import Figure, compare, load, run_alternately, save
from benchmarks.report import add_step, document


def test_the_ratio_is_the_median_of_the_ratios_of_each_round():
    figure = compare([1, 2, 30], [2, 2, 10], float, case="c", metric="m", reference="r")

    assert (figure.ours, figure.theirs, figure.ratio) == (2, 2, 1)
    assert figure.spread == (3 - 0.5) / 1


def test_a_reference_of_zero_has_no_ratio():
    figure = compare([1], [0], float, case="c", metric="m", reference="r")

    assert (figure.ratio, figure.spread) == (None, None)


def test_the_order_alternates_between_rounds():
    order: list[str] = []
    takes = {name: lambda name=name: order.append(name) for name in "ab"}

    run_alternately(2, takes)

    assert order == ["a", "b", "b", "a"]


def test_the_figures_of_a_case_replace_those_of_its_last_run(tmp_path: Path):
    file = tmp_path / "out" / "latest.json"
    save([Figure("x", "m", "r", 1.0), Figure("y", "m", "r", 1.0)], file)

    save([Figure("x", "m", "r", 2.0)], file)

    assert {(f.case, f.ours) for f in load(file)} == {("x", 2.0), ("y", 1.0)}


SECTIONS = ("figures", "steps", "sizing", "cost")


def lifecycle(metric: str, ours: float, theirs: float) -> Figure:
    about = {"reference": "bare", "database": "sqlite", "ratio": ours / theirs}
    return Figure("lifecycle", metric, ours=ours, theirs=theirs, **about)


def render(tmp_path: Path, figures: list[Figure]) -> str:
    page = tmp_path / "page.md"
    sections = "\n".join(f"<!-- {name} -->\nold\n<!-- end of {name} -->" for name in SECTIONS)
    page.write_text(f"Before\n{sections}\nAfter\n")
    document(figures, page)
    text = page.read_text()
    assert text.startswith("Before\n")
    assert text.endswith("After\n")
    assert "old" not in text
    return text


def test_a_missing_reference_is_listed_with_its_reason(tmp_path: Path):
    text = render(tmp_path, [Figure("x", "cpu", "celery", None, note="not installable")])

    assert "| x |  | cpu | celery | - | - | - |  | not installable |" in text


def test_the_page_shows_throughput_per_core_and_cost_per_million(tmp_path: Path):
    text = render(tmp_path, [lifecycle("cpu_worker", 20, 30), lifecycle("actions", 5, 6)])

    assert "| sqlite | worker | 20 | 50 |" in text
    assert "| sqlite | 5 | 250 |" in text


def test_a_step_keeps_its_measured_ratios(tmp_path: Path):
    file = tmp_path / "steps.json"
    metrics = ("throughput", "cpu", "answer_p50", "answer_p99", "actions", "events")

    add_step("first", [lifecycle(metric, 1, 2) for metric in metrics], file)
    add_step("second", [lifecycle(metric, 3, 2) for metric in metrics], file)

    steps = json.loads(file.read_text())
    assert [(step["step"], step["ratios"]["cpu"]) for step in steps] == [
        ("first", 0.5),
        ("second", 1.5),
    ]
