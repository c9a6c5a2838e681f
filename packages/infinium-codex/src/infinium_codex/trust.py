"""Trust in hooks: given to ours, and never lost for the user's own."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from infinium_codex.app_server import AppServer, HookState


@dataclass(frozen=True, kw_only=True, slots=True)
class TrustChange:
    """What to write to `hooks.state`, key by key."""

    trust: dict[str, str] = field(default_factory=dict)
    """The hash to trust, for each key."""
    forget: tuple[str, ...] = ()
    """Keys whose entry goes."""

    def write(self, server: AppServer) -> None:
        """Let Codex write it."""
        edits: dict[str, object] = {f"hooks.state.{json.dumps(key)}": None for key in self.forget}
        if self.trust:
            edits["hooks.state"] = {key: {"trusted_hash": value} for key, value in self.trust.items()}
        if edits:
            server.write_config(edits)


def trust_ours(hooks: Iterable[HookState], is_ours: Callable[[str], bool]) -> TrustChange:
    """Trust exactly our own hooks, as they are now. Managed ones run without it."""
    needy = [hook for hook in hooks if is_ours(hook.command) and hook.trust not in ("trusted", "managed")]
    return TrustChange(trust={hook.key: hook.current_hash for hook in needy})


def keep_trust(before: Sequence[HookState], after: Sequence[HookState], is_ours: Callable[[str], bool]) -> TrustChange:
    """Trust again what was trusted before an edit and is unchanged: a key holds a position, and positions shift.

    Two hooks of the same definition are told apart by their order. Entries left at positions that are gone, or that a
    hook of the user's without trust has moved into, are forgotten.
    """
    trusted: dict[tuple[str, str], list[bool]] = {}
    for hook in before:
        trusted.setdefault((hook.event, hook.current_hash), []).append(hook.trust == "trusted")
    keep: dict[str, str] = {}
    forget = [hook.key for hook in before if hook.trust == "trusted" and hook.key not in {h.key for h in after}]
    vacated = {hook.key for hook in before if is_ours(hook.command)}
    for hook in after:
        known = trusted.get((hook.event, hook.current_hash))
        was_trusted = known.pop(0) if known else False
        if is_ours(hook.command):
            continue
        if was_trusted and hook.trust != "trusted":
            keep[hook.key] = hook.current_hash
        elif not was_trusted and hook.trust == "modified" and hook.key in vacated:
            forget.append(hook.key)
    return TrustChange(trust=keep, forget=tuple(forget))
