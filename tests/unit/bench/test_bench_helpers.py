"""The pure helpers of the benchmarks: figures, tables and charts."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from benchmarks.guide import peer, replace_block, sizing
from benchmarks.report import Section, Table, Target, join, write
from benchmarks.scenarios import scale
from benchmarks.stats import Sample, number, percentile, summary
from benchmarks.svg import line_chart


@pytest.mark.parametrize(
    ("values", "rank", "expected"),
    [([5.0], 99, 5.0), ([1.0, 2.0, 3.0], 50, 2.0), ([3.0, 1.0], 50, 2.0), ([0.0, 10.0], 95, 9.5), ([1, 2, 3], 0, 1)],
)
def test_a_percentile_lies_between_its_neighbours(values: list[float], rank: float, expected: float) -> None:
    assert percentile(values, rank) == pytest.approx(expected)


@pytest.mark.parametrize(("values", "rank"), [([], 50), ([1.0], 101)])
def test_there_is_no_percentile_of_nothing(values: list[float], rank: float) -> None:
    with pytest.raises(ValueError, match="no percentile"):
        percentile(values, rank)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1234567, "1,234,567"),
        (12.345, "12.3"),
        (0.012345, "0.0123"),
        (2.0, "2"),
        (99.96, "100"),
        (-1.5, "-1.5"),
    ],
)
def test_numbers_have_three_significant_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_a_sample_shows_its_median_and_spread() -> None:
    assert str(Sample.of([3, 1, 2], "ms")) == "2 (1-3) ms"
    assert str(Sample.of([2, 2])) == "2"
    assert str(Sample.of([])) == "-"


def test_a_summary_of_nothing_is_empty() -> None:
    assert summary([]) == {}
    assert summary([1.0, 3.0])["p50"] == 2.0


def test_a_chart_is_a_document_with_a_line_for_each_series() -> None:
    chart = line_chart("a < b", "jobs", "ms", {"ours": [(100, 2), (1000, 3)], "peer": [(100, 20)]}, log_x=True)

    root = ElementTree.fromstring(chart)
    assert len(root.findall("{http://www.w3.org/2000/svg}polyline")) == 2
    assert "a &lt; b" in chart


def test_a_chart_refuses_what_it_cannot_show() -> None:
    with pytest.raises(ValueError, match="no point"):
        line_chart("empty", "x", "y", {})
    with pytest.raises(ValueError, match="logarithmic"):
        line_chart("zero", "x", "y", {"a": [(0, 1)]}, log_x=True)


@pytest.mark.parametrize(
    ("value", "at_least", "met"), [(1.0, False, True), (3.0, False, False), (3.0, True, True), (math.nan, False, False)]
)
def test_a_target_is_met_or_not(value: float, at_least: bool, met: bool) -> None:
    assert Target("calls", value, 2.0, at_least=at_least).met is met


def test_the_report_holds_every_section(tmp_path) -> None:
    table = Table("cost", ["loop", "µs"], [["ours", Sample.of([1.0, 2.0, 3.0])]])
    section = Section(
        "follow", "Following", tables=[table], targets=[Target("calls", 1.0, 2.0)], plots={"a.svg": "<svg/>"}
    )

    report = write(tmp_path, [section], "quick")

    text = report.read_text()
    assert "| ours | 2 (1-3) |" in text
    assert "1 of 1 targets met" in text
    assert "| follow | calls | at most 2 | 1 | yes |" in text
    assert (tmp_path / "a.svg").read_text() == "<svg/>"
    assert json.loads((tmp_path / "report.json").read_text())["sections"][0]["targets"][0]["met"] is True


def test_a_block_of_the_guide_is_replaced_again_and_again() -> None:
    text = "before\n<!-- bench:sizing -->\nold\n<!-- bench:end -->\nafter\n"

    once = replace_block(text, "sizing", "| new |\n")

    assert once == "before\n<!-- bench:sizing -->\n| new |\n<!-- bench:end -->\nafter\n"
    assert replace_block(once, "sizing", "| new |\n") == once
    with pytest.raises(ValueError, match="no block 'other'"):
        replace_block(text, "other", "")


def test_the_sizing_table_has_a_row_for_each_size() -> None:
    one = {"jobs": 1000, "job_sets": 1, "bytes_per_job": 3000, "floor_bytes_per_job": 1000, "p50": 0.001, "p99": 0.02}

    rows = sizing([{**one, "idle_cpu_share": 0.002}]).splitlines()[2:]

    assert rows == ["| 1,000 | 1 | 2.0 MB | 1 / 20 ms | 0.2 % of a core |"]


def test_the_peer_table_shows_medians() -> None:
    table = {"title": "per task", "columns": ["", "CPU"], "rows": [["ours", {"values": [1.0, 3.0, 2.0], "unit": ""}]]}

    assert peer(table).splitlines()[-1] == "| ours | 2 |"


def test_a_section_that_is_measured_by_itself_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    others = [Section("a", "First", ["one note"], targets=[Target("x", 1, 2)]), Section("c", "Last", ["another"])]
    write(tmp_path, [others[0], Section("b", "Second", ["an old note"]), others[1]], "full")

    join(tmp_path, Section("b", "Second", ["a new note"], targets=[Target("y", 3, 2)], seconds=61))

    text = (tmp_path / "report.md").read_text()
    assert all(section.markdown() in text for section in others)
    assert "a new note" in text
    assert "an old note" not in text
    assert "**1 of 2 targets met**" in text
    assert text.count("## Second") == 1
    content = json.loads((tmp_path / "report.json").read_text())
    assert [section["name"] for section in content["sections"]] == ["a", "c", "b"]


SCALE = """<testsuites><testsuite time="12.5"><properties><property name="tasks" value="300"/>
<property name="airflow" value="3.4.0b2"/></properties>
<testcase name="test_killing"><properties><property name="s from the kill to the last cancel" value="3.5"/>
<property name="ms of the longest callback of ours" value="20"/></properties></testcase>
<testcase name="test_ends"><properties><property name="ms of the longest callback of ours" value="70"/></properties>
<failure message="lines"/></testcase></testsuite></testsuites>"""


def test_what_the_scale_stage_measured_is_told_side_by_side(tmp_path: Path) -> None:
    (tmp_path / "scale.xml").write_text(SCALE)

    told = scale.section([scale.Measured.read(tmp_path / "scale.xml")])

    assert told.tables[0].rows[1] == ["killing", "ms of the longest callback of ours", "20.0"]
    assert [(target.value, target.met) for target in told.targets] == [(1, False), (3.5, True), (70, False)]
    assert told.seconds == 12.5
