"""Trust follows the user's hooks when their positions shift, and no hook gains trust."""

from infinium_codex.codex.app_server import HookState
from infinium_codex.codex.trust import keep_trust, trust_ours


def state(position: int, name: str, trust: str, *, enabled: bool = True) -> HookState:
    return HookState(
        key=f"hooks.json:stop:{position}:0",
        event="Stop",
        command=name,
        source_path="hooks.json",
        enabled=enabled,
        current_hash=f"sha256:{name}",
        trust=trust,
    )


def is_ours(command: str) -> bool:
    return command == "ours"


def test_a_users_hook_behind_ours_keeps_its_trust_when_ours_goes() -> None:
    before = [state(0, "first", "trusted"), state(1, "ours", "trusted"), state(2, "last", "trusted")]
    after = [state(0, "first", "trusted"), state(1, "last", "modified")]
    change = keep_trust(before, after, is_ours)
    assert change.trust == {"hooks.json:stop:1:0": "sha256:last"}
    assert change.forget == ("hooks.json:stop:2:0",)


def test_an_untrusted_hook_does_not_inherit_our_place() -> None:
    before = [state(0, "ours", "trusted"), state(1, "theirs", "untrusted")]
    after = [state(0, "theirs", "modified")]
    change = keep_trust(before, after, is_ours)
    assert change.trust == {}
    assert change.forget == ("hooks.json:stop:0:0",)


def test_each_of_two_identical_hooks_keeps_its_own_trust() -> None:
    before = [state(0, "ours", "trusted"), state(1, "twin", "trusted"), state(2, "twin", "untrusted")]
    after = [state(0, "twin", "modified"), state(1, "twin", "trusted")]
    change = keep_trust(before, after, is_ours)
    assert change.trust == {"hooks.json:stop:0:0": "sha256:twin"}


def test_only_ours_are_trusted_on_request() -> None:
    hooks = [state(0, "theirs", "untrusted"), state(1, "ours", "modified"), state(2, "ours", "trusted")]
    assert trust_ours(hooks, is_ours).trust == {"hooks.json:stop:1:0": "sha256:ours"}


def test_managed_hooks_need_no_trust() -> None:
    assert trust_ours([state(0, "ours", "managed")], is_ours).trust == {}


def test_a_disabled_hook_stays_disabled_and_the_one_after_it_enabled() -> None:
    """Ours was at position 0. Codex lists the remaining hooks with the old entries of their new positions."""
    before = [state(0, "ours", "trusted"), state(1, "off", "trusted", enabled=False), state(2, "on", "trusted")]
    after = [state(0, "off", "modified"), state(1, "on", "modified", enabled=False)]
    change = keep_trust(before, after, is_ours)
    assert change.enable == {"hooks.json:stop:0:0": False, "hooks.json:stop:1:0": True}
    assert set(change.trust) == {"hooks.json:stop:0:0", "hooks.json:stop:1:0"}
    assert change.forget == ("hooks.json:stop:2:0",)
