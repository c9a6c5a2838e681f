"""hooks.json: our hooks are added and removed, and every other byte stays."""

import json

import pytest
from infinium_codex.codex.hooks_json import Hook, HooksFileError, our_hooks, plan_install, plan_removal
from syrupy.assertion import SnapshotAssertion

OURS = [Hook(event=event, command=f"'/home/dev/data/hook.py' {event}") for event in ("SessionStart", "Stop")]
OLD_CONNECTOR = {"Stop": [{"command": "infinium-codex-connector hook stop"}]}


def is_ours(command: str) -> bool:
    return "hook.py" in command


def install(text: str | None) -> str:
    plan = plan_install(text, OURS, is_ours, can_async=True)
    assert plan.text is not None
    return plan.text


USERS = """{
    "hooks" : {
        "Stop": [ {"hooks": [{"type":"command","command":"./mine.sh"}]} ],
        "PreToolUse": [
            {"matcher": "Bash", "hooks": [{"type": "command", "command": "check", "timeout": 30}]}
        ]
    }
}
"""


def test_a_new_file(snapshot: SnapshotAssertion) -> None:
    assert install(None) == snapshot


def test_beside_the_users_own_hooks(snapshot: SnapshotAssertion) -> None:
    """The user's groups keep their bytes and their positions: Codex's trust depends on both."""
    text = install(USERS)
    assert text == snapshot
    for line in USERS.splitlines():
        assert line.rstrip(" }],") in text


@pytest.mark.parametrize(
    "text", [USERS, USERS.replace("\n", "\r\n"), '{"hooks":{}}', "{}", '{"other": 1}', "", "\t{\n\t}\n"]
)
def test_installing_again_changes_nothing_and_removing_restores_the_content(text: str) -> None:
    once = install(text)
    again = plan_install(once, OURS, is_ours, can_async=True)
    assert (again.changed, again.text) == (False, once)
    removed = plan_removal(once, is_ours)
    before = json.loads(text) if text.strip() else {}
    left = json.loads(removed.text) if removed.text else {}
    assert left == before or left == {**before, "hooks": {}} or {**left, "hooks": {}} == before


UNUSUAL = '{"x" : [1,2],  "hooks": {"Stop" : [{"hooks":[{"type":"command","command":"mine"}]}] ,"Other":[ ]},"y":{ } }'


@pytest.mark.parametrize("text", [USERS, USERS.replace("\n", "\r\n"), USERS.replace("    ", "\t"), UNUSUAL])
def test_removing_our_hooks_restores_every_byte(text: str) -> None:
    assert plan_removal(install(text), is_ours).text == text


def test_replacing_a_hook_keeps_the_bytes_of_the_users_hooks() -> None:
    """Our hook stands before the user's. After the replacement it stands behind it."""
    outdated = json.dumps(Hook(event="Stop", command="hook.py --old").to_group())
    text = USERS.replace('[ {"hooks"', f'[ {outdated}, {{"hooks"')
    plan = plan_install(text, OURS, is_ours, can_async=True)
    assert plan.removed == ("Stop",)
    assert plan.text == install(USERS)


def test_hooks_of_connectors_1_x_are_replaced() -> None:
    """Events at the top level make Codex ignore the whole file, the user's hooks too."""
    users = {"hooks": [{"type": "command", "command": "mine"}]}
    text = json.dumps({**OLD_CONNECTOR, "PreToolUse": [users]})
    plan = plan_install(text, OURS, is_ours, can_async=True)
    assert plan.text is not None
    found = json.loads(plan.text)
    assert set(found) == {"hooks"}
    assert found["hooks"]["PreToolUse"] == [users]
    assert "infinium-codex-connector" not in plan.text
    assert plan.repaired == ("PreToolUse", "Stop")


def test_an_upgrade_does_not_change_a_hook_that_works() -> None:
    """Another timeout or status message would change the hash, and the hook would lose its trust."""
    old = json.loads(install(None))
    old["hooks"]["Stop"][0]["hooks"][0]["timeout"] = 9
    text = json.dumps(old)
    assert plan_install(text, OURS, is_ours, can_async=True).changed is False


def test_an_async_hook_is_replaced_for_a_codex_that_would_skip_it() -> None:
    ours = [Hook(event="PreToolUse", command="hook.py PreToolUse", run_async=True)]
    text = plan_install(None, ours, is_ours, can_async=True).text
    sync = [Hook(event="PreToolUse", command="hook.py PreToolUse")]
    plan = plan_install(text, sync, is_ours, can_async=False)
    assert plan.text is not None
    assert "async" not in plan.text


def test_a_hook_becomes_async_when_the_user_trusts_the_hooks_again() -> None:
    sync = Hook(event="PreToolUse", command="hook.py PreToolUse")
    text = plan_install(None, [sync], is_ours, can_async=False).text
    best = [Hook(event="PreToolUse", command="hook.py PreToolUse", run_async=True)]
    assert plan_install(text, best, is_ours, can_async=True).changed is False
    plan = plan_install(text, best, is_ours, can_async=True, renew=True)
    assert plan.text is not None
    assert json.loads(plan.text)["hooks"] == {"PreToolUse": [best[0].to_group()]}
    assert plan_install(plan.text, best, is_ours, can_async=True, renew=True).changed is False


def test_our_hooks_are_found() -> None:
    assert our_hooks(install(USERS), is_ours) == {hook.event: hook.command for hook in OURS}


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"hooks": []}', '{"hooks": {"Stop": {}}}', "[" * 100_000, '{"hooks": {"Stop": [}}']
)
def test_an_invalid_file_is_an_error_that_says_where(text: str, snapshot: SnapshotAssertion) -> None:
    with pytest.raises(HooksFileError) as caught:
        install(text)
    assert str(caught.value) == snapshot
