"""Sessions to render: empty, small, real, huge, hostile and full of subagents."""

from collections.abc import Callable, Mapping
from hashlib import sha256

from infinium_codex.view.from_transcript import view_turn
from infinium_codex.view.model import Delivery, DeliveryState, SessionView
from infinium_trace import (
    Answer,
    ChangeKind,
    Commit,
    FileChange,
    Message,
    ModelCall,
    PermissionRequest,
    Reasoning,
    Session,
    Step,
    Subagent,
    TokenUsage,
    ToolCall,
    TraceOptions,
    TreeChanges,
    Turn,
    TurnStatus,
    trace_key,
)
from msgspec.structs import replace

START_MS = 1_790_000_000_000
SESSION_ID = "019e6000-0000-7000-8000-000000000000"
PROJECT = "/home/ada/dates"

OPTIONS = TraceOptions(program="codex", version="2.0.0")


class Story:
    """Builds a turn step by step, with a clock."""

    def __init__(self, number: int, prompt: str, start_ms: int) -> None:
        self.number, self.prompt = number, prompt
        self.start_ms = self.now_ms = start_ms
        self.steps: list[Step] = []
        self.calls: list[ModelCall] = []

    def model(self, seconds: float, prompt: int = 18_000, completion: int = 400, agent: str | None = None) -> "Story":
        self.now_ms += round(seconds * 1000)
        self.calls.append(
            ModelCall(
                response_id=f"r{self.number}-{len(self.calls)}",
                ended_at_ms=self.now_ms,
                latency_ms=round(seconds * 1000),
                model="gpt-5.5",
                usage=TokenUsage(
                    prompt=prompt, cached=prompt * 3 // 4, completion=completion, reasoning=completion // 3
                ),
                subagent_id=agent,
            )
        )
        return self

    def think(self, text: str) -> "Story":
        self.steps.append(Reasoning(started_at_ms=self.now_ms, text=text))
        return self

    def say(self, text: str) -> "Story":
        self.steps.append(Message(started_at_ms=self.now_ms, text=text))
        return self

    def call(self, step: ToolCall) -> "Story":
        self.steps.append(step)
        return self

    def shell(
        self, command: str, output: str = "", seconds: float = 0.3, exit_code: int = 0, wait: bool = True
    ) -> "Story":
        self.steps.append(self.tool("shell", {"command": command}, output, seconds, exit_code))
        if wait:
            self.now_ms += round(seconds * 1000)
        return self

    def tool(
        self, name: str, arguments: Mapping[str, object] | str, output: str, seconds: float, exit_code: int = 0
    ) -> ToolCall:
        return ToolCall(
            call_id=f"c{self.number}-{len(self.steps)}-{self.now_ms}",
            tool=name,
            started_at_ms=self.now_ms,
            ended_at_ms=self.now_ms + round(seconds * 1000),
            duration_ms=seconds * 1000,
            arguments=arguments,
            output=output,
            exit_code=exit_code,
            failed=exit_code != 0,
            finished=True,
        )

    def patch(self, text: str, *changes: FileChange) -> "Story":
        call = self.tool("apply_patch", text, "Success. Updated the following files:\n", 0.04)
        self.steps.append(replace(call, changes=changes))
        self.now_ms += 40
        return self

    def end(self, answer: str, status: TurnStatus = TurnStatus.COMPLETED, reason: str | None = None) -> Turn:
        if answer:
            self.steps.append(Message(started_at_ms=self.now_ms, text=answer))
        return Turn(
            id=f"019e6001-0000-7000-8000-{self.number:012}",
            started_at_ms=self.start_ms,
            ended_at_ms=self.now_ms + 300,
            duration_ms=float(self.now_ms + 300 - self.start_ms),
            status=status,
            reason=reason,
            prompt=self.prompt,
            last_message=answer or None,
            models=("gpt-5.5",),
            cwd=PROJECT,
            effort="medium",
            sandbox="workspace-write",
            approval="on-request",
            context_window=272_000,
            steps=tuple(self.steps),
            calls=tuple(self.calls),
        )


def session_view(
    turns: list[Turn],
    changes: Mapping[int, TreeChanges] | None = None,
    grades: Mapping[int, object] | None = None,
    deliveries: Mapping[int, Delivery] | None = None,
) -> SessionView:
    """The view of these turns. The mappings are by the turn's number, from 0."""
    session = Session(
        turns=tuple(turns),
        started_at_ms=turns[0].started_at_ms if turns else START_MS,
        cwd=PROJECT,
        provider="openai",
        client_version="0.169.0",
        originator="codex_tui",
        git_branch="main",
    )
    views = []
    for at, turn in enumerate(turns):
        key = trace_key(SESSION_ID, None, turn.id, "turn")
        known = {key: deliveries[at]} if deliveries and at in deliveries else {}
        view = view_turn(session, turn, SESSION_ID, PROJECT, OPTIONS, known, (changes or {}).get(at))
        views.append(replace(view, summary=replace(view.summary, grade=(grades or {}).get(at))))
    return SessionView(
        session_id=SESSION_ID,
        project=PROJECT,
        turns=tuple(views),
        started_at_ms=session.started_at_ms,
        client="codex 0.169.0",
        originator=session.originator,
        branch="main",
    )


def empty() -> SessionView:
    return session_view([])


def small() -> SessionView:
    story = Story(1, "How many tests are there?", START_MS).model(1.2)
    story.shell("grep -rc '^def test_' tests | awk -F: '{s+=$2} END {print s}'", "42\n", 0.09).model(0.9)
    return session_view([story.end("There are **42** tests.")])


_DIFF = '''diff --git a/src/dates/parse.py b/src/dates/parse.py
index 1f3c2aa..9be0d41 100644
--- a/src/dates/parse.py
+++ b/src/dates/parse.py
@@ -1,9 +1,14 @@
 """Parses dates as people write them."""

+import re
 from datetime import date

+_WEEK = re.compile(r"(\\d{4})-W(\\d{2})(?:-([1-7]))?")
+

 def parse(text: str) -> date:
     """Return the date of a text. Raises ValueError."""
+    if match := _WEEK.fullmatch(text.strip()):
+        return date.fromisocalendar(int(match[1]), int(match[2]), int(match[3] or 1))
-    year, month, day = text.split("-")
+    year, month, day = text.strip().split("-")
     return date(int(year), int(month), int(day))
diff --git a/tests/test_parse.py b/tests/test_parse.py
index 77aa120..0b2f4de 100644
--- a/tests/test_parse.py
+++ b/tests/test_parse.py
@@ -10,3 +10,11 @@ def test_a_date() -> None:

 def test_no_date() -> None:
     with pytest.raises(ValueError, match="month"):
         parse("2026-13-01")
+
+
+@pytest.mark.parametrize(("text", "expected"), [("2026-W01-1", "2025-12-29"), ("2026-W01", "2025-12-29")])
+def test_a_week(text: str, expected: str) -> None:
+    assert parse(text).isoformat() == expected
'''
_SOURCE = """from datetime import date


def parse(text: str) -> date:
    year, month, day = text.split("-")
    return date(int(year), int(month), int(day))
"""
_PYTEST = """============================= test session starts ==============================
platform linux -- Python 3.12.3, pytest-9.0.1, pluggy-1.6.0
rootdir: /home/ada/dates
collected 44 items

tests/test_format.py ....................                                [ 45%]
tests/test_parse.py ......................F.                              [100%]

=================================== FAILURES ===================================
_____________________________ test_a_week[2026-W01] ____________________________
tests/test_parse.py:19: in test_a_week
    assert parse(text).isoformat() == expected
E   AssertionError: assert '2026-01-01' == '2025-12-29'
=========================== short test summary info ============================
FAILED tests/test_parse.py::test_a_week[2026-W01] - AssertionError: assert '2026-01-01' == '2025-12-29'
========================= 1 failed, 43 passed in 2.31s =========================
"""
_ANSWER = """ISO week dates now parse, with and without the day:

| text | date |
|---|---|
| `2026-W01-1` | 2025-12-29 |
| `2026-W01` | 2025-12-29 |

- `parse` tries the week pattern first and then falls back to year, month and day.
- White space around the text no longer matters.

```python
>>> parse("2026-W48-2")
datetime.date(2026, 11, 24)
```

All 44 tests pass. I did **not** touch `format`, because [the issue](https://example.org/issues/12) is about parsing.
"""


def real() -> SessionView:
    """A morning's work: a question, a change with tests, an interruption, a failure, a permission."""
    first = Story(1, "Where do we parse dates, and what formats do we accept?", START_MS).model(2.4, 9_400, 180)
    first.think("**Looking for the parser**").shell(
        "rg -n 'def parse' src", "src/dates/parse.py:6:def parse(text: str)\n"
    )
    first.model(1.6, 9_900, 90).shell("sed -n 1,80p src/dates/parse.py", _SOURCE, 0.05)
    asked = first.model(3.1, 11_200, 260).end(
        "`src/dates/parse.py` has one function, `parse`. It accepts `YYYY-MM-DD` and nothing else."
    )

    work = Story(
        2,
        "Please support ISO week dates like 2026-W01-1, also without the day.\n\n"
        "Keep the public function, add tests, and run the whole suite before you commit.",
        asked.ended_at_ms + 90_000 if asked.ended_at_ms else 0,
    )
    work.model(4.2, 12_800, 520).think(
        "**Planning the change**\n\nA regular expression is enough; `fromisocalendar` does the rest."
    )
    work.say("I will add a pattern for week dates, then tests for both forms.")
    work.shell("git status --short", "", 0.03, wait=False).shell(
        "python -m pytest -q --collect-only | tail -1", "42 tests collected\n", 1.1
    )
    work.model(6.8, 15_900, 940)
    work.patch(
        "*** Begin Patch\n*** Update File: src/dates/parse.py\n@@\n+import re\n*** End Patch\n",
        FileChange(path=f"{PROJECT}/src/dates/parse.py", kind=ChangeKind.MODIFIED, lines_added=7, lines_removed=1),
    )
    work.model(2.9, 17_300, 380)
    work.patch(
        "*** Begin Patch\n*** Update File: tests/test_parse.py\n@@\n+def test_a_week() -> None:\n*** End Patch\n",
        FileChange(path=f"{PROJECT}/tests/test_parse.py", kind=ChangeKind.MODIFIED, lines_added=5, lines_removed=0),
    )
    work.model(1.4, 18_100, 120).shell("python -m pytest", _PYTEST, 3.4, 1)
    work.model(5.2, 21_700, 610).say("One case fails: without a day, `fromisocalendar` needs Monday.")
    work.shell("sed -i 's/match\\[3\\]))/match[3] or 1))/' src/dates/parse.py", "", 0.02)
    work.model(1.1, 22_000, 80).shell(
        "python -m pytest",
        _PYTEST.replace("F.", "..").replace("1 failed, 43", "44")[:420]
        + "\n============ 44 passed in 2.29s ============\n",
        3.1,
    )
    work.model(1.9, 23_400, 150)
    asked_for = work.now_ms
    work.now_ms += 8_400
    work.steps.append(
        PermissionRequest(
            started_at_ms=asked_for,
            tool="shell",
            arguments={"command": "git commit -am 'Parse ISO week dates'"},
            reason="git needs to write outside of the sandbox",
            answer=Answer.GRANTED,
            waited_ms=8_400.0,
        )
    )
    work.shell("git commit -am 'Parse ISO week dates'", "[main 5d1f0aa] Parse ISO week dates\n 2 files changed\n", 0.2)
    changed = work.model(4.4, 24_100, 420).end(_ANSWER)

    stopped = Story(3, "Now benchmark it against dateutil.", (changed.ended_at_ms or 0) + 40_000).model(
        2.2, 25_000, 200
    )
    stopped.shell(
        "pip install python-dateutil pyperf", "Looking in indexes …\nERROR: Could not find a version\n", 11.0, 1
    )
    interrupted = stopped.model(1.0, 25_900, 60).end("", TurnStatus.INTERRUPTED, "interrupted by the user")

    token = f"token ghp_{sha256(b'view').hexdigest()[:36]}"
    last = Story(4, f"Push it. Use {token} if git asks.", (interrupted.ended_at_ms or 0) + 60_000).model(
        1.8, 26_200, 140
    )
    last.shell("git push origin main", "To example.org:ada/dates.git\n   4c2e1b9..5d1f0aa  main -> main\n", 2.6)
    pushed = last.model(1.2, 26_500, 60).end("Pushed `5d1f0aa` to `main`.")

    tree = TreeChanges(
        files=(
            FileChange(path="src/dates/parse.py", kind=ChangeKind.MODIFIED, lines_added=7, lines_removed=1),
            FileChange(path="tests/test_parse.py", kind=ChangeKind.MODIFIED, lines_added=5, lines_removed=0),
        ),
        diff=_DIFF,
        changed_at_ms=START_MS,
        commits=(Commit(commit="5d1f0aa3c9e1b7d20f4a6c8e9b1d3f5a7c9e0b2d", subject="Parse ISO week dates"),),
    )
    sent = Delivery(state=DeliveryState.SENT, at_ms=START_MS + 200_000, trace_id="trc_81f2")
    grade = {
        "score": 0.91,
        "verdict": "pass",
        "criteria": [{"name": "tests run", "met": True}, {"name": "scope kept", "met": True}],
    }
    return session_view(
        [asked, changed, interrupted, pushed],
        {1: tree},
        {1: grade, 3: "B"},
        {0: sent, 1: sent, 3: replace(sent, state=DeliveryState.WAITING)},
    )


def huge(steps: int = 10_000, turns: int = 25) -> SessionView:
    """Many steps with long outputs."""
    built = []
    at = START_MS
    for number in range(turns):
        story = Story(number + 1, f"Request {number + 1}: migrate package {number + 1} to the new client.", at)
        for step in range(steps // turns):
            if step % 9 == 0:
                story.model(1.5, 20_000 + 40 * step, 300)
            failed = step % 37 == 5
            output = "\n".join(f"line {line} of the output of step {step} in request {number}" for line in range(4))
            story.shell(
                f"python -m pytest tests/unit/test_module_{step}.py -k 'case_{step % 7}' --maxfail={step % 5}",
                output,
                0.2 + step % 13,
                1 if failed else 0,
            )
        turn = story.model(2.0).end(f"Package {number + 1} uses the new client.")
        built.append(turn)
        at = (turn.ended_at_ms or at) + 30_000
    return session_view(built)


HOSTILE = (
    "<script>window.pwned = 1</script>",
    "</script><script>window.pwned = 2</script>",
    "</style><style>*{display:none}</style>",
    "<img src=x onerror='window.pwned=3'>",
    '"><svg onload="window.pwned=4">',
    "' onmouseover='window.pwned=5' x='",
    "[click](javascript:window.pwned=6) and [data](data:text/html,<script>window.pwned=7</script>)",
    "![image](http://127.0.0.1:9/pixel.png) <http://127.0.0.1:9/x> <a href='http://127.0.0.1:9/'>x</a>",
    "{{ 7 * 7 }} {% raw %} {# x #} ${7*7}",
    "right-to-left \u202e evil \u2066 isolate \u2069 \u200f",
    "nul \x00 escape \x1b[31m bell \x07 c1 \x9b2J line\u2028separator",
    "lone surrogate \ud800 end",
    "</pre></details></section></main></body></html><iframe src='http://127.0.0.1:9/'></iframe>",
    "<base href='http://127.0.0.1:9/'><meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'><link rel=stylesheet href='http://127.0.0.1:9/a.css'>",
    "```html\n</code></pre><script>window.pwned = 8</script>\n```\n~~~\n<b>",
    "@import url(http://127.0.0.1:9/); } body { background: url('http://127.0.0.1:9/b') }",
    "&lt;script&gt; &amp;quot; &#x3c;script&#x3e;window.pwned=9&#x3c;/script&#x3e;",
    "@everyone @ada/team #1 GH-1 </details> <!-- --> --> <![CDATA[ ]]>",
)


def hostile() -> SessionView:
    """Every text of a turn tries to get out of its place."""
    built = []
    at = START_MS
    for number, text in enumerate(HOSTILE):
        story = Story(number + 1, text, at).model(1.0).think(f"**{text}**\n\n{text}").say(text)
        story.shell(text, text, 0.2).shell(text, f"{text}\n" + "x" * 300_000, 0.2, 1)
        story.call(story.tool(text, {text: text}, text, 0.1)).call(story.tool("mcp__x__y", text, text, 0.1))
        path = f"{PROJECT}/{text}"
        story.patch(
            f"*** Begin Patch\n*** Update File: {text}\n@@\n-{text}\n+{text}\n*** End Patch\n",
            FileChange(path=path, kind=ChangeKind.MODIFIED, lines_added=1, lines_removed=1),
        )
        story.steps.append(
            PermissionRequest(started_at_ms=story.now_ms, tool=text, arguments=text, reason=text, waited_ms=10.0)
        )
        story.steps.append(
            Subagent(
                subagent_id=f"{text}{number}",
                started_at_ms=story.now_ms,
                ended_at_ms=story.now_ms + 1000,
                agent_type=text,
                prompt=text,
                status=TurnStatus.FAILED,
                reason=text,
                last_message=text,
                steps=(story.tool("shell", {"command": text}, text, 0.1),),
            )
        )
        turn = story.model(1.0).end(text, TurnStatus.FAILED, text)
        built.append(replace(turn, plan=text, disagreements=(text,), permission_mode=text, effort=text))
        at = (turn.ended_at_ms or at) + 1_000
    tree = TreeChanges(
        files=(FileChange(path=HOSTILE[0], kind=ChangeKind.MOVED, moved_to=HOSTILE[4]),),
        diff="\n".join(f"diff --git a/{text} b/{text}\n@@ -1 +1 @@ {text}\n-{text}\n+{text}" for text in HOSTILE),
        commits=tuple(Commit(commit=text, subject=text) for text in HOSTILE),
    )
    grade: dict[str, object] = {text: [text, {text: text}, None, True, 1.5] for text in HOSTILE}
    delivery = Delivery(state=DeliveryState.DEAD, at_ms=START_MS, trace_id=HOSTILE[0], reason=HOSTILE[3])
    view = session_view(built, {0: tree}, {0: grade, 1: HOSTILE[0]}, {0: delivery})
    return replace(view, branch=HOSTILE[0], client=HOSTILE[3], project=f"/home/{HOSTILE[1]}", session_id=HOSTILE[0])


def delegating(agents: int = 12) -> SessionView:
    """A turn whose work is done by many subagents at once, one of which has subagents itself."""
    story = Story(1, "Review every module for missing error handling, one agent each.", START_MS).model(3.0)
    begun = story.now_ms
    ended = begun
    for number in range(agents):
        agent = f"agent-{number}"
        inner = Story(100 + number, "", begun + 300 * number)
        inner.model(1.5 + number % 3, agent=agent)
        inner.shell(f"rg -n 'except' src/module_{number}.py", "12: except OSError:\n", 0.2)
        inner.model(2.0 + number % 4, agent=agent).say(f"Module {number} swallows an error in line 12.")
        if number == 3:
            deeper = inner.tool("shell", {"command": "pytest -q tests/test_module_3.py"}, "1 failed\n", 2.0, 1)
            inner.steps.append(
                Subagent(
                    subagent_id="agent-3-1",
                    started_at_ms=inner.now_ms,
                    ended_at_ms=inner.now_ms + 2_500,
                    agent_type="tester",
                    prompt="Run the tests of module 3.",
                    status=TurnStatus.FAILED,
                    reason="The tests fail.",
                    steps=(deeper,),
                )
            )
            inner.now_ms += 2_500
        story.calls += inner.calls
        usage = sum((call.usage for call in inner.calls), TokenUsage())
        story.steps.append(
            Subagent(
                subagent_id=agent,
                started_at_ms=inner.start_ms,
                ended_at_ms=inner.now_ms,
                agent_type="reviewer",
                prompt=f"Review src/module_{number}.py for missing error handling.",
                status=TurnStatus.COMPLETED,
                last_message=f"One finding in module {number}: an error is swallowed in line 12.",
                steps=tuple(inner.steps),
                calls=len(inner.calls),
                usage=usage,
            )
        )
        ended = max(ended, inner.now_ms)
    story.call(story.tool("wait_agent", {"targets": "all"}, "{}", (ended - begun) / 1000))
    story.now_ms = ended
    return session_view([story.model(4.0).end(f"{agents} modules reviewed. Every one swallows an error.")])


SAMPLES: Mapping[str, Callable[[], SessionView]] = {
    "empty": empty,
    "small": small,
    "real": real,
    "huge": huge,
    "hostile": hostile,
    "delegating": delegating,
}
