from pathlib import Path

from benchmarks.figures import BEGIN, END, Figure, compare, document, in_turn, load, save


def test_the_ratio_is_the_median_of_what_was_measured_in_the_same_round():
    figure = compare([1, 2, 30], [2, 2, 10], float, case="c", metric="m", reference="r")

    assert (figure.ours, figure.theirs, figure.ratio) == (2, 2, 1)
    assert figure.spread == (3 - 0.5) / 1


def test_a_reference_that_costs_nothing_has_no_ratio():
    figure = compare([1], [0], float, case="c", metric="m", reference="r")

    assert (figure.ratio, figure.spread) == (None, None)


def test_every_round_another_one_goes_first():
    order: list[str] = []
    takes = {name: lambda name=name: order.append(name) for name in "ab"}

    in_turn(2, takes)

    assert order == ["a", "b", "b", "a"]


def test_the_figures_of_a_case_replace_those_of_its_last_run(tmp_path: Path):
    file = tmp_path / "out" / "latest.json"
    save([Figure("x", "m", "r", 1.0), Figure("y", "m", "r", 1.0)], file)

    save([Figure("x", "m", "r", 2.0)], file)

    assert {(f.case, f.ours) for f in load(file)} == {("x", 2.0), ("y", 1.0)}


def test_a_reference_that_is_missing_is_named_in_the_page_with_why(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text(f"Before\n{BEGIN}\nold\n{END}\nAfter\n")

    document([Figure("x", "cpu", "celery", None, note="not installable")], page)

    text = page.read_text()
    assert text.startswith("Before\n")
    assert text.endswith("After\n")
    assert "old" not in text
    assert "| x |  | cpu | celery | - | - | - |  | not installable |" in text
