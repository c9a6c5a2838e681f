"""Plans changes of Codex's trust in hooks: trusts ours, and keeps that of the user's own hooks.

Codex stores trust by a hook's position in the file. Where an edit of hooks.json moves a hook, its trust is moved here.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence, Set

from msgspec import Struct, field

from infinium_codex.codex.app_server import AppServer, HookState
from infinium_codex.support.json_fields import mapping

_Move = tuple[HookState, HookState]
"""An unchanged hook, as Codex listed it before the edit and after it."""


class TrustChange(Struct, frozen=True, kw_only=True):
    """What to write to `hooks.state`, by the hooks' keys."""

    trust: dict[str, str] = field(default_factory=dict)
    """The hash to trust, by key."""
    enable: dict[str, bool] = field(default_factory=dict)
    """Whether the user enabled the hook, by key, where that has to be written again."""
    forget: tuple[str, ...] = ()
    """Keys whose entry is removed."""

    def write(self, server: AppServer) -> None:
        """Write the change to the user's configuration, through Codex."""
        new: dict[str, dict[str, object]] = {key: {"trusted_hash": value} for key, value in self.trust.items()}
        for key, enabled in self.enable.items():
            new.setdefault(key, {})["enabled"] = enabled
        if self.forget:
            # The whole table is replaced: Codex 0.129 to 0.131 cannot remove a value whose path has a quoted key.
            state = server.user_value("hooks", "state")
            kept = {key: {**mapping(state, key), **new.pop(key, {})} for key in state if key not in self.forget}
            server.write_config({"hooks.state": {**kept, **new} or None}, replace=True)
        elif new:
            server.write_config({"hooks.state": new})


def trust_ours(hooks: Iterable[HookState], is_ours: Callable[[str], bool]) -> TrustChange:
    """Trust our own hooks as they are now, and no others. Managed hooks run without trust."""
    untrusted = [hook for hook in hooks if is_ours(hook.command) and hook.trust not in ("trusted", "managed")]
    return TrustChange(trust={hook.key: hook.current_hash for hook in untrusted})


def keep_trust(before: Sequence[HookState], after: Sequence[HookState], is_ours: Callable[[str], bool]) -> TrustChange:
    """Give the user's hooks the trust, and the enabled state, that they had before an edit moved them.

    Only an unchanged hook gets its trust back. Entries are removed that no hook has any more, or that a hook without
    trust would take over from one of ours.
    """
    moves = [move for move in _unchanged_hooks(before, after) if not is_ours(move[1].command)]
    left_by_ours = {hook.key for hook in before if is_ours(hook.command)}
    return TrustChange(
        trust=_lost_trust(moves),
        enable={new.key: old.enabled for old, new in moves if old.enabled is not new.enabled},
        forget=(*_unused_keys(before, after), *_taken_over(moves, left_by_ours)),
    )


def _unchanged_hooks(before: Iterable[HookState], after: Iterable[HookState]) -> Iterator[_Move]:
    """Yield each hook that is in both lists, before and after. Hooks with the same definition keep their order."""
    known: dict[tuple[str, str], list[HookState]] = {}
    for hook in before:
        known.setdefault((hook.event, hook.current_hash), []).append(hook)
    for hook in after:
        same = known.get((hook.event, hook.current_hash))
        if same:
            yield same.pop(0), hook


def _lost_trust(moves: Iterable[_Move]) -> dict[str, str]:
    """Return the hashes of hooks that were trusted before, by their new keys."""
    return {new.key: new.current_hash for old, new in moves if old.trust == "trusted" != new.trust}


def _taken_over(moves: Iterable[_Move], left_by_ours: Set[str]) -> list[str]:
    """Return the keys at which a hook without trust has found the entry of one of ours."""
    return [
        new.key for old, new in moves if old.trust != "trusted" and new.trust == "modified" and new.key in left_by_ours
    ]


def _unused_keys(before: Iterable[HookState], after: Iterable[HookState]) -> list[str]:
    """Return the keys that have an entry but no hook any more."""
    used = {hook.key for hook in after}
    return [hook.key for hook in before if (hook.trust == "trusted" or not hook.enabled) and hook.key not in used]
