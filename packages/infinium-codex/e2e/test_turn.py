"""A turn of the real Codex arrives at the API as a correct trace."""

import json
from typing import Any

import pytest
from api import Api, receive
from infinium_codex.demo.scripted_model import ScriptedModel
from machine import wait_for
from sandbox import Sandbox
from scenarios import PROMPT, failing_command_patch_message, one_message

pytestmark = pytest.mark.codex

AGENT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
SECRET = "sesame-4711-canary"
IN_ENVIRONMENT = {"INFINIUM_AGENT_SECRET": SECRET}


def set_up(sandbox: Sandbox, model: ScriptedModel, receiver: Api) -> str:
    """Run `init` as a user without a keyring; returns its output."""
    sandbox.configure_codex(model)
    return sandbox.must_run(
        *("init", "--no-interactive", "--agent-id", AGENT, "--base-url", receiver.base_url, "--trust"),
        environ=IN_ENVIRONMENT,
    )


def tags(trace: dict[str, Any]) -> dict[str, str]:
    found = trace["environment"]["custom_tags"]
    assert isinstance(found, dict)
    return found


def test_a_turn_arrives_once_and_true(sandbox: Sandbox) -> None:
    """A command with exit code 3, a patch and a message: the trace has everything its readers rely on."""
    with ScriptedModel(failing_command_patch_message()) as model, receive() as receiver:
        set_up(sandbox, model, receiver)
        sandbox.codex_exec(PROMPT, environ=IN_ENVIRONMENT)
        wait_for(lambda: receiver.requests, "the trace")
        sandbox.wait_until_idle()
    [request] = receiver.requests
    trace = request.trace
    reported = [usage.to_wire() for usage in model.reported]
    assert len(reported) == 3
    assert request.path == f"/v1/agents/{AGENT}/trace"
    assert request.headers["x-agent-id"] == AGENT
    assert request.headers["x-agent-key"] == SECRET
    assert request.headers["idempotency-key"] == tags(trace)["trace_key"]
    usage = trace["llm_usage"]
    assert usage["prompt_tokens"] == sum(one["input_tokens"] for one in reported)
    assert usage["completion_tokens"] == sum(one["output_tokens"] for one in reported)
    assert usage["api_calls_count"] == 3
    assert tags(trace)["cached_tokens"] == str(2_000)
    assert tags(trace)["reasoning_tokens"] == str(30)
    [error] = trace["errors"]
    assert error["error_code"] == "3"
    assert "exit code 3" in error["message"]
    assert trace["sections"]["development"]["files_modified"] == ["notes.txt"]
    assert (sandbox.project / "notes.txt").read_text() == "first\nsecond\n"
    assert trace["input_summary"] == PROMPT
    assert trace["output_summary"] == "The build fails; a note is left."
    assert trace["name"] == PROMPT
    assert trace["description"]
    shell, patch, changes = trace["steps"]
    assert [step["step_number"] for step in trace["steps"]] == [1, 2, 3]
    assert [step["tool_call"]["tool_name"] for step in (shell, patch)] == ["shell", "apply_patch"]
    assert shell["output_preview"] == "building\n"
    assert changes["metadata"]["files"] == [
        {"path": "notes.txt", "kind": "added", "lines_added": 2, "lines_removed": 0}
    ], "as git sees it"
    assert "+first\n+second" in changes["output_preview"]
    assert trace["environment"]["framework_version"] == sandbox.version
    assert tags(trace)["git_branch"] == "trunk"
    assert tags(trace)["cwd"] == str(sandbox.project)
    assert tags(trace)["sources"] == "hook, transcript"


def test_the_duration_is_codex_own_to_the_millisecond(sandbox: Sandbox) -> None:
    """The turn's duration is the one in Codex's transcript, or the time from its first record to its last."""
    with ScriptedModel(one_message()) as model, receive() as receiver:
        set_up(sandbox, model, receiver)
        sandbox.codex_exec("Say something.", environ=IN_ENVIRONMENT)
        wait_for(lambda: receiver.requests, "the trace")
    exact_ms = receiver.requests[0].trace["duration"] * 1000
    duration_ms = round(exact_ms)
    assert exact_ms == pytest.approx(duration_ms, abs=1e-6)
    measured = sandbox.measured_turn_ms()
    assert duration_ms == measured if isinstance(measured, int) else measured[0] <= duration_ms <= measured[1]


def test_nothing_of_the_users_is_lost_or_shown(sandbox: Sandbox) -> None:
    """Comments in config.toml stay, the secret is in no file, and Codex prints nothing about our hooks."""
    with ScriptedModel(failing_command_patch_message()) as model, receive() as receiver:
        set_up(sandbox, model, receiver)
        done = sandbox.codex_exec(PROMPT, environ=IN_ENVIRONMENT)
        wait_for(lambda: receiver.requests, "the trace")
        sandbox.wait_until_idle()
    assert sandbox.config_toml.read_text().startswith("# mine, keep it\n")
    assert [path for path, data in sandbox.contents().items() if SECRET.encode() in data] == []
    assert "infinium" not in (done.stdout + done.stderr).lower()


def test_init_prints_what_codex_answers(sandbox: Sandbox) -> None:
    """`init` lists the hooks that Codex will run, where Codex tells it; a second `init` changes nothing."""
    with ScriptedModel(one_message()) as model, receive() as receiver:
        said = set_up(sandbox, model, receiver)
        before = {path: path.read_bytes() for path in sandbox.user_files()}
        set_up(sandbox, model, receiver)
        assert {path: path.read_bytes() for path in sandbox.user_files()} == before
    minor = int(sandbox.version.split(".")[1])
    if minor >= 129:
        assert f"Codex {sandbox.version} will run: " in said
        assert "NOT" not in said
    else:
        assert f"Codex {sandbox.version} cannot list hooks" in said


def test_without_trust_init_says_that_codex_will_not_run_the_hooks(newest: Sandbox) -> None:
    with ScriptedModel(one_message()) as model, receive() as receiver:
        newest.configure_codex(model)
        said = newest.must_run("init", "--no-interactive", "--local", "--no-trust")
        assert "will NOT run: " in said
        assert "Stop (untrusted)" in said
        newest.codex_exec("Say something.")
        newest.wait_until_idle()
    assert receiver.requests == []
    assert newest.json("history")["traces"] == []


def test_the_same_turn_without_a_transcript(sandbox: Sandbox) -> None:
    """`--ephemeral` writes no transcript: the trace is built from hooks alone, and says so."""
    with ScriptedModel(failing_command_patch_message()) as model, receive() as receiver:
        set_up(sandbox, model, receiver)
        sandbox.codex_exec("--ephemeral", PROMPT, environ=IN_ENVIRONMENT)
        wait_for(lambda: receiver.requests, "the trace")
        sandbox.wait_until_idle()
    [request] = receiver.requests
    assert tags(request.trace)["sources"] == "hook"
    assert request.trace["input_summary"] == PROMPT
    assert request.trace["output_summary"] == "The build fails; a note is left."
    assert "prompt_tokens" not in request.trace.get("llm_usage", {})
    assert any("transcript" in warning for warning in request.trace["sections"]["general"]["warnings"])


def test_a_resumed_session_is_a_second_trace_with_its_own_tokens(sandbox: Sandbox) -> None:
    with ScriptedModel(one_message()) as model, receive() as receiver:
        set_up(sandbox, model, receiver)
        sandbox.codex_exec("First question.", environ=IN_ENVIRONMENT)
        wait_for(lambda: receiver.requests, "the first trace")
        sandbox.codex_exec("resume", "--last", "Second question.", environ=IN_ENVIRONMENT)
        wait_for(lambda: len(receiver.requests) > 1, "the second trace")
        sandbox.wait_until_idle()
    first, second = (request.trace for request in receiver.requests)
    assert [first["input_summary"], second["input_summary"]] == ["First question.", "Second question."]
    assert tags(first)["session"] == tags(second)["session"]
    assert tags(first)["trace_key"] != tags(second)["trace_key"]
    assert [trace["llm_usage"]["prompt_tokens"] for trace in (first, second)] == [500, 500]


def test_a_trace_the_api_could_not_take_is_sent_later(newest: Sandbox) -> None:
    """The server asks for a pause of a minute; `retry` does not wait and sends the same bytes."""
    with ScriptedModel(one_message()) as model, receive(429) as receiver:
        set_up(newest, model, receiver)
        environ = {**IN_ENVIRONMENT, "INFINIUM_MAX_RETRIES": "0"}
        newest.codex_exec("Say something.", environ=environ)
        wait_for(lambda: receiver.requests, "the attempt")
        newest.wait_until_idle()
        assert newest.json("status")["waiting"] == 1
        assert "HTTP 429" in newest.must_run("errors")
        assert newest.json("retry", environ=environ)["sent"] == 1
    assert len({request.body for request in receiver.requests}) == 1
    assert len({request.headers["idempotency-key"] for request in receiver.requests}) == 1
    assert len(newest.json("history")["traces"]) == 1


def test_local_traces_need_no_account(newest: Sandbox) -> None:
    with ScriptedModel(one_message("Kept here.")) as model:
        newest.configure_codex(model)
        newest.must_run("init", "--no-interactive", "--local", "--trust")
        newest.codex_exec("Say something.")
        [trace] = wait_for(lambda: newest.json("history")["traces"], "the trace")
    assert trace["base_url"] == "local"
    shown = newest.json("show", trace["key"])
    assert shown["traces"][0]["output_summary"] == "Kept here."
    assert shown["turns"][0]["answer"] == "Kept here."
    assert "Kept here." in newest.must_run("show", trace["key"][:8])


def test_paused_means_nothing_is_recorded(newest: Sandbox) -> None:
    """A turn that ran while paused is recorded nowhere, even after `resume` in the same session."""
    with ScriptedModel(one_message()) as model:
        newest.configure_codex(model)
        newest.must_run("init", "--no-interactive", "--local", "--trust")
        newest.must_run("pause")
        newest.codex_exec("Private question.")
        newest.must_run("resume")
        newest.codex_exec("resume", "--last", "Public question.")
        traces = wait_for(lambda: newest.json("history")["traces"], "the trace")
        newest.wait_until_idle()
    assert [trace["name"] for trace in traces] == ["Public question."]
    ours = {path: data for path, data in newest.contents().items() if "infinium" in str(path)}
    assert [path for path, data in ours.items() if b"Private" in data] == []


def test_a_connector_that_was_removed_is_not_noticed(newest: Sandbox) -> None:
    """Codex works, and prints nothing, with our hooks in hooks.json after the program and its data were removed."""
    with ScriptedModel(failing_command_patch_message()) as model:
        newest.configure_codex(model)
        newest.must_run("init", "--no-interactive", "--local", "--trust")
        for path in (newest.home / ".local" / "share" / "infinium-codex").iterdir():
            path.unlink()
        done = newest.codex_exec(PROMPT)
    assert (newest.project / "notes.txt").exists()
    assert "hook" not in (done.stdout + done.stderr).lower().replace("hooks.json", "").replace("hook: ", "")


def test_uninstall_leaves_the_project_as_it_was(newest: Sandbox) -> None:
    """The user's own trusted hooks still run; project and config.toml contain nothing of the connector."""
    hooks = newest.hooks
    hooks.parent.mkdir()
    ran = newest.root / "ran"
    own = json.dumps({"hooks": {"Stop": [{"hooks": [{"type": "command", "command": f"echo own >> {ran}"}]}]}})
    hooks.write_text(own)
    with ScriptedModel(one_message()) as model:
        newest.configure_codex(model)
        newest.trust_all_hooks()
        config = newest.config_toml.read_text()
        newest.must_run("init", "--no-interactive", "--local", "--trust")
        newest.codex_exec("Say something.")
        newest.wait_until_idle()
        newest.must_run("uninstall", "--yes")
        newest.codex_exec("Say something.")
    assert ran.read_text() == "own\nown\n"
    assert hooks.read_text() == own
    assert newest.config_toml.read_text() == config
    assert not (newest.project / ".infinium").exists()
