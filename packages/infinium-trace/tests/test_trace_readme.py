"""The README's example runs, its prices are valid, and it lists every module."""

import re
from pathlib import Path
from textwrap import dedent
from typing import Any

import infinium_trace
import pytest
from infinium_trace import PriceTable

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
SOURCE = Path(infinium_trace.__file__).parent


def test_the_example_builds_a_trace(capsys: pytest.CaptureFixture[str]) -> None:
    [example] = re.findall(
        r"^    from infinium_trace.*?(?=^\S)", README.partition("\n## ")[0], re.MULTILINE | re.DOTALL
    )
    names: dict[str, Any] = {"agent_secret": "quartz-mango-7319-heron"}
    exec(compile(dedent(example), "README.md", "exec"), names)
    trace = names["trace"]
    assert trace.name == "Run the tests."
    assert b'"tests_passed":3' in trace.body
    assert trace.key in capsys.readouterr().out


def test_the_price_table_is_valid() -> None:
    [table] = re.findall(r"^    (as_of = .*?)(?=^\S)", README, re.MULTILINE | re.DOTALL)
    assert ("*", "my-model") in PriceTable.parse(table).prices


def test_every_module_is_listed() -> None:
    modules = {path.stem for path in SOURCE.glob("*.py")} - {"__init__"}
    assert {module for module in modules if f"`{module}`" not in README} == set()
