"""Trust in hooks: given to ours, and never lost for the user's own."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from infinium_codex.app_server import AppServer, HookState


@dataclass(frozen=True, kw_only=True, slots=True)
class TrustChange:
    """Entries for `hooks.state`: what to write, key by key."""

    trust: dict[str, str]
    """The hash to trust, for each key."""

    @property
    def empty(self) -> bool:
        return not self.trust

    def write(self, server: AppServer) -> None:
        """Let Codex write it."""
        if not self.empty:
            server.write_config("hooks.state", {key: {"trusted_hash": value} for key, value in self.trust.items()})


def trust_ours(hooks: Iterable[HookState], is_ours: Callable[[str], bool]) -> TrustChange:
    """Trust exactly our own hooks, as they are now."""
    return TrustChange(trust={h.key: h.current_hash for h in hooks if is_ours(h.command) and h.trust != "trusted"})


def keep_trust(before: Sequence[HookState], after: Sequence[HookState], is_ours: Callable[[str], bool]) -> TrustChange:
    """Trust again what was trusted before an edit and is unchanged: a key holds a position, and positions shift.

    Two hooks of the same definition are told apart by their order.
    """
    trusted: dict[tuple[str, str], list[bool]] = {}
    for hook in before:
        trusted.setdefault((hook.event, hook.current_hash), []).append(hook.trust == "trusted")
    lost: dict[str, str] = {}
    for hook in after:
        known = trusted.get((hook.event, hook.current_hash))
        was_trusted = known.pop(0) if known else False
        if was_trusted and hook.trust != "trusted" and not is_ours(hook.command):
            lost[hook.key] = hook.current_hash
    return TrustChange(trust=lost)
