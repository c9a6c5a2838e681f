"""The real Codex in a process namespace that ends with it, as a container does."""

import pytest
from api import receive
from infinium_codex.demo.scripted_model import ScriptedModel
from sandbox import Sandbox
from scenarios import one_message

pytestmark = pytest.mark.codex

AGENT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
IN_ENVIRONMENT = {"INFINIUM_AGENT_SECRET": "sesame-4711"}
CONTAINER = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
TURNS = 20


def test_every_turn_of_a_container_that_ends_with_codex_arrives(newest: Sandbox) -> None:
    """In CI the hook of the session's end waits for the worker. When Codex ends, every other process is killed."""
    with ScriptedModel(one_message() * TURNS) as model, receive() as receiver:
        newest.configure_codex(model)
        arguments = ("init", "--no-interactive", "--agent-id", AGENT, "--base-url", receiver.base_url, "--trust")
        newest.must_run(*arguments, environ=IN_ENVIRONMENT)
        newest.prefix = CONTAINER
        for number in range(TURNS):
            newest.codex_exec(f"Question {number}.", environ={**IN_ENVIRONMENT, "CI": "true"})
        newest.prefix = []
    prompts = [request.trace["input_summary"] for request in receiver.requests]
    assert sorted(prompts) == sorted(f"Question {number}." for number in range(TURNS))
