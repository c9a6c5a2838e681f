"""Trust in hooks: given to ours, and never lost for the user's own."""

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct, field

from infinium_codex.codex.app_server import AppServer, HookState
from infinium_codex.support.json_fields import mapping


class TrustChange(Struct, frozen=True, kw_only=True):
    """What to write to `hooks.state`, key by key."""

    trust: dict[str, str] = field(default_factory=dict)
    """The hash to trust, for each key."""
    enable: dict[str, bool] = field(default_factory=dict)
    """Whether the user lets the hook run, for each key where that has to be said anew."""
    forget: tuple[str, ...] = ()
    """Keys whose entry goes."""

    def write(self, server: AppServer) -> None:
        """Let Codex write it."""
        new: dict[str, dict[str, object]] = {key: {"trusted_hash": value} for key, value in self.trust.items()}
        for key, enabled in self.enable.items():
            new.setdefault(key, {})["enabled"] = enabled
        if self.forget:
            # The table as a whole: up to 0.131 (0.140 can), a path with a quoted key in it removes nothing.
            state = server.user_value("hooks", "state")
            kept = {key: {**mapping(state, key), **new.pop(key, {})} for key in state if key not in self.forget}
            server.write_config({"hooks.state": {**kept, **new}}, replace=True)
        elif new:
            server.write_config({"hooks.state": new})


def trust_ours(hooks: Iterable[HookState], is_ours: Callable[[str], bool]) -> TrustChange:
    """Trust exactly our own hooks, as they are now. Managed ones run without it."""
    needy = [hook for hook in hooks if is_ours(hook.command) and hook.trust not in ("trusted", "managed")]
    return TrustChange(trust={hook.key: hook.current_hash for hook in needy})


def keep_trust(before: Sequence[HookState], after: Sequence[HookState], is_ours: Callable[[str], bool]) -> TrustChange:
    """Trust again what was trusted before an edit and is unchanged: a key holds a position, and positions shift.

    So it is with what the user turned off. Two hooks of the same definition are told apart by their order. Entries left
    at positions that are gone, or that a hook of the user's without trust has moved into, are forgotten.
    """
    known: dict[tuple[str, str], list[HookState]] = {}
    for hook in before:
        known.setdefault((hook.event, hook.current_hash), []).append(hook)
    keep: dict[str, str] = {}
    enable: dict[str, bool] = {}
    there = {hook.key for hook in after}
    forget = [hook.key for hook in before if (hook.trust == "trusted" or not hook.enabled) and hook.key not in there]
    vacated = {hook.key for hook in before if is_ours(hook.command)}
    for hook in after:
        same = known.get((hook.event, hook.current_hash))
        was = same.pop(0) if same else None
        if is_ours(hook.command) or was is None:
            continue
        if was.enabled is not hook.enabled:
            enable[hook.key] = was.enabled
        if was.trust == "trusted" != hook.trust:
            keep[hook.key] = hook.current_hash
        elif was.trust != "trusted" and hook.trust == "modified" and hook.key in vacated:
            forget.append(hook.key)
    return TrustChange(trust=keep, enable=enable, forget=tuple(forget))
