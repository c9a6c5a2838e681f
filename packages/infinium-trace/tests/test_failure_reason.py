"""The message of a failed command's error is the line of its output that tells why it failed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from infinium_trace import clean
from infinium_trace.failure_reason import failure_reason

PYTEST = """\
============================= test session starts ==============================
collected 2 items

test_cart.py F.                                                          [100%]

=================================== FAILURES ===================================
__________________________________ test_total __________________________________
    def test_total():
>       assert total([1, 2]) == 4
E       assert 3 == 4
E        +  where 3 = total([1, 2])

test_cart.py:5: AssertionError
=========================== short test summary info ============================
FAILED test_cart.py::test_total - assert 3 == 4
========================= 1 failed, 1 passed in 0.02s ==========================
"""
TRACEBACK = """\
loading settings
Traceback (most recent call last):
  File "main.py", line 3, in <module>
    import cart
  File "cart.py", line 1, in <module>
    import prices
ModuleNotFoundError: No module named 'prices'
"""
CARGO_BUILD = """\
   Compiling shop v0.1.0 (/home/ada/shop)
error[E0308]: mismatched types
 --> src/lib.rs:2:5
  |
2 |     "3"
  |     ^^^ expected `u32`, found `&str`

error: aborting due to 1 previous error
error: could not compile `shop` (lib) due to 1 previous error
"""
CARGO_TEST = """\
running 1 test
test total ... FAILED

thread 'total' panicked at src/lib.rs:9:5:
assertion `left == right` failed
  left: 3
 right: 4
test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

error: test failed, to rerun pass `--lib`
"""
JEST = """\
> shop@1.0.0 test
> jest

FAIL ./cart.test.js
  ● total

    expect(received).toBe(expected) // Object.is equality

    Expected: 4
    Received: 3

Tests:       1 failed, 1 total
npm error Lifecycle script `test` failed with error:
npm error code 1
"""
MAKE = """\
cc -c cart.c -o cart.o
cart.c:4:12: error: 'totl' undeclared (first use in this function)
    4 |     return totl;
make: *** [Makefile:3: cart.o] Error 1
"""
TRUNCATED = """\
Total output lines: 4012

step 1 of 2000
[... omitted 3990 of 4012 lines ...]

step 2000 of 2000
E: Unable to locate package libcart
"""
TRUNCATED_TOKENS = "downloading\n…2143 tokens truncated…\nfatal: could not read Username: terminal prompts disabled\n"
MAVEN = """\
[INFO] -------------------------------------------------------
[ERROR] CartTest.total:9 expected: <4> but was: <3>
[INFO] BUILD FAILURE
[ERROR] Failed to execute goal org.apache.maven.plugins:maven-surefire-plugin:2.22.3:test
[ERROR] -> [Help 1]
[ERROR] To see the full stack trace of the errors, re-run Maven with the -e switch.
"""
TSC = "src/cart.ts(3,5): error TS2322: Type 'string' is not assignable to type 'number'.\n"
ESLINT = (
    "\n/home/ada/shop/cart.js\n  3:7  error  'tax' is assigned a value but never used  no-unused-vars\n\n✖ 1 problem\n"
)
NODE = """\
/home/ada/shop/cart.js:3
throw new TypeError("no cart");
^

TypeError: no cart
    at Object.<anonymous> (/home/ada/shop/cart.js:3:7)
    at Module._compile (node:internal/modules/cjs/loader:1554:14)

Node.js v20.20.2
"""
GO = """\
--- FAIL: TestTotal (0.00s)
    cart_test.go:9: total = 3, want 4
FAIL
FAIL\texample.org/shop\t0.002s
FAIL
"""


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        pytest.param(PYTEST, "FAILED test_cart.py::test_total - assert 3 == 4", id="pytest"),
        pytest.param(PYTEST[: PYTEST.index("====== short") - 21], "E assert 3 == 4", id="pytest without its summary"),
        pytest.param(TRACEBACK, "ModuleNotFoundError: No module named 'prices'", id="traceback"),
        pytest.param(CARGO_BUILD, "error[E0308]: mismatched types", id="rustc"),
        pytest.param(
            CARGO_TEST,
            "thread 'total' panicked at src/lib.rs:9:5: assertion `left == right` failed",
            id="cargo test",
        ),
        pytest.param(
            JEST,
            "expect(received).toBe(expected) // Object.is equality Expected: 4 Received: 3",
            id="jest under npm",
        ),
        pytest.param(MAKE, "cart.c:4:12: error: 'totl' undeclared (first use in this function)", id="cc under make"),
        pytest.param(TRUNCATED, "E: Unable to locate package libcart", id="an output that the agent truncated"),
        pytest.param(
            TRUNCATED_TOKENS,
            "fatal: could not read Username: terminal prompts disabled",
            id="an output truncated by tokens",
        ),
        pytest.param(MAVEN, "[ERROR] CartTest.total:9 expected: <4> but was: <3>", id="maven"),
        pytest.param(TSC, TSC.strip(), id="tsc"),
        pytest.param(ESLINT, "3:7 error 'tax' is assigned a value but never used no-unused-vars", id="eslint"),
        pytest.param(NODE, "TypeError: no cart", id="node"),
        pytest.param(GO, "cart_test.go:9: total = 3, want 4", id="go test"),
        pytest.param("bash: line 1: cagro: command not found\n", "bash: line 1: cagro: command not found", id="shell"),
        pytest.param("make: *** [Makefile:2: all] Error 1\n", "make: *** [Makefile:2: all] Error 1", id="make alone"),
        pytest.param("one\ntwo\n\n", "two", id="no known form"),
        pytest.param("> shop@1.0.0 build\n> tsc\n\n=====\n", "", id="a banner alone"),
        pytest.param("Total output lines: 9\n[... omitted 7 of 9 lines ...]\n", "", id="a truncation notice alone"),
        pytest.param("", "", id="no output"),
    ],
)
def test_the_reason_is_the_most_telling_line(output: str, reason: str) -> None:
    assert failure_reason(output) == reason


REAL = {
    "bats": '# (in test file cart.bats, line 2) # `@test "tax" { [ $((1 + 2)) -eq 4 ]; }\' failed',
    "bun": "Expected: 4 Received: 3",
    "cargo": "thread 'tax' (3746) panicked at src/lib.rs:4:12: assertion `left == right` failed",
    "ctest": "2/3 Test #2: tax ..............................***Failed 0.00 sec",
    "deno": "error: Error: not 4",
    "go-json": "cart_test.go:6: tax = 3, want 4",
    "go-v": "cart_test.go:6: tax = 3, want 4",
    "jest": "expect(received).toBe(expected) // Object.is equality Expected: 4 Received: 3",
    "make": "FAILED test_cart.py::test_tax - assert (1 + 2) == 4",
    "maven": "java.lang.AssertionError: expected:<4> but was:<3>",
    "minitest": "Expected: 4 Actual: 3",
    "mocha": "AssertionError [ERR_ASSERTION]: 3 == 4",
    "nextest": "thread 'tax' (7554) panicked at src/lib.rs:4:12: assertion `left == right` failed",
    "node-test": "expected: 4 actual: 3",
    "npm-vitest": "AssertionError: expected 3 to be 4 // Object.is equality",
    "phpunit": "Failed asserting that 3 is identical to 4. /home/ada/shop/php/CartTest.php:5",
    "playwright": "Error: expect(received).toBe(expected) // Object.is equality",
    "pytest-xdist": "FAILED test_cart.py::test_tax - assert (1 + 2) == 4",
    "rspec": 'Failure/Error: it("tax") { expect(1 + 2).to eq 4 } expected: 4',
    "unittest": "AssertionError: 3 != 4",
}
REAL_OUTPUTS = Path(__file__).parent / "runner_outputs"


@pytest.mark.parametrize("runner", sorted(REAL))
def test_the_reason_in_a_real_runners_output_is_the_assertion(runner: str) -> None:
    assert failure_reason(clean((REAL_OUTPUTS / f"{runner}.txt").read_text("utf-8"))) == REAL[runner]


def test_the_reason_is_found_at_both_ends_of_a_long_output() -> None:
    noise = "compiling another module\n" * 40_000
    assert failure_reason(f"a.c:1:2: error: no such type\n{noise}") == "a.c:1:2: error: no such type"
    assert failure_reason(f"{noise}ValueError: no cart\n") == "ValueError: no cart"


@pytest.mark.parametrize(
    "line", ["Assert a " * 90_000, "-" * 800_000 + "x", " " * 800_000 + "x", "= " * 400_000, "\n" * 800_000]
)
def test_a_hostile_output_takes_no_more_than_linear_time(line: str) -> None:
    """A quadratic search would not end within the time of a test run."""
    assert len(failure_reason(line)) <= 500


@given(st.text(st.characters() | st.sampled_from(list("Eerror: \n…[]>=0")), max_size=300))
def test_a_reason_is_one_line_of_the_output(output: str) -> None:
    assert "\n" not in failure_reason(output)
