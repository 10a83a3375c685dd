"""Rule 1 of the house: small files, small functions. Decay shows in the tail, so the tail is measured."""

from __future__ import annotations

from statistics import median, quantiles

from tests.house.source import length, modules

FILE_LIMIT, FILE_MEDIAN = 400, 150
FUNCTION_MEDIAN, FUNCTION_P95 = 10, 40


def test_no_file_is_longer_than_the_limit() -> None:
    counted = {m.at(m.tree): m.text.count("\n") for m in modules("src", "tests", "scripts", "benchmarks")}
    assert {place: lines for place, lines in counted.items() if lines > FILE_LIMIT} == {}


def test_median_file_is_short() -> None:
    assert median(m.text.count("\n") for m in modules() if m.text.strip()) < FILE_MEDIAN


def test_functions_are_short_at_the_median_and_in_the_tail() -> None:
    lengths = [length(function) for m in modules() for function in m.functions()]
    longest = sorted(((length(f), m.at(f)) for m in modules() for f in m.functions()), reverse=True)[:10]
    assert median(lengths) < FUNCTION_MEDIAN
    assert quantiles(lengths, n=20)[-1] < FUNCTION_P95, f"the longest are {longest}"
