"""The agent's secret in what Codex says: it reaches no trace, wherever the connector has it from."""

from api import Api
from lab import CANARY, Lab


def test_a_secret_from_the_keyring_is_redacted(lab: Lab, api: Api) -> None:
    """A user pasted it, a command printed it. It has the form of no known secret, and its name does not precede it."""
    lab.call("UserPromptSubmit", "s-1", "t-1", prompt=f"why is {CANARY} refused?")
    lab.call("Stop", "s-1", "t-1", last_assistant_message=f"{CANARY} has expired")
    lab.wait_until_idle()
    [(headers, body)] = api.requests
    assert headers["x-agent-key"] == CANARY
    lab.look_for_canary(body, "trace")
    lab.search()
    assert lab.leaks == set()
