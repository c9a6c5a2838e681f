"""`init` with the real Codex: what it refuses before it writes anything, and what it repairs."""

import json
import tomllib
from pathlib import Path

import pytest
from infinium_codex.demo.scripted_model import ScriptedModel
from private_mounts import in_namespace, with_requirements
from sandbox import Sandbox
from scenarios import one_message

pytestmark = pytest.mark.codex

GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@b.c")
INIT = ("init", "--local", "--no-interactive", "--trust")


def configure(sandbox: Sandbox, extra: str = "", *, trusted: bool = True) -> None:
    """Write Codex's config.toml without a model, for tests that run no turn."""
    trust = f'\n[projects."{sandbox.project}"]\ntrust_level = "trusted"\n' if trusted else ""
    sandbox.config_toml.write_text(f"# mine, keep it\n{extra}{trust}", "utf-8")


def contents(sandbox: Sandbox) -> dict[Path, bytes]:
    """The contents of the user's files and ours, without Codex's own state."""
    own = (sandbox.project, sandbox.home / ".local", sandbox.config_toml)
    return {path: data for path, data in sandbox.contents().items() if any(path.is_relative_to(place) for place in own)}


def asks_for_trust(sandbox: Sandbox) -> bool:
    return number(sandbox) >= (0, 129)


def hooks_of(sandbox: Sandbox, worktree: Path, main: Path) -> Path:
    """The directory whose hooks Codex reads in a linked worktree."""
    return main if number(sandbox) >= (0, 131) else worktree


def number(sandbox: Sandbox) -> tuple[int, ...]:
    return tuple(map(int, sandbox.version.split(".")))


def refused(sandbox: Sandbox, *, reason: str, way_out: str, prefix: tuple[str, ...] = ()) -> None:
    """`init` must fail with these words and change no file."""
    before = contents(sandbox)
    done = sandbox.execute([*prefix, "infinium-codex", *INIT], check=False)
    assert done.returncode == 1, done.stdout
    assert reason in done.stderr
    assert way_out in done.stderr
    assert "Nothing was changed" in done.stderr
    assert contents(sandbox) == before


def test_an_untrusted_project_is_refused_with_the_one_command(sandbox: Sandbox) -> None:
    configure(sandbox, trusted=False)
    if not asks_for_trust(sandbox):
        assert "it runs hooks without trust" in sandbox.must_run(*INIT)
        return
    refused(sandbox, reason=f"Codex does not trust {sandbox.project}", way_out=f"cd '{sandbox.project}' && codex")
    (sandbox.project / ".codex").mkdir()
    refused(sandbox, reason=f"Codex does not trust {sandbox.project}", way_out="run init again")
    sandbox.must_run("init", "--local", "--no-interactive", "--no-trust")  # "I see to the trust myself"
    assert sandbox.hooks.exists()
    assert "trust_level" not in sandbox.config_toml.read_text()


@pytest.mark.parametrize("where", ["user", "project"])
def test_a_feature_that_is_off_is_refused_naming_the_file(newest: Sandbox, where: str) -> None:
    off = "[features]\nhooks = false\n"
    configure(newest, off if where == "user" else "")
    file = newest.config_toml
    if where == "project":
        file = newest.project / ".codex" / "config.toml"
        file.parent.mkdir()
        file.write_text(off)
    refused(newest, reason=f"Hooks are turned off in {file} (features.hooks = false)", way_out="remove the line")


def test_only_managed_hooks_allowed(newest: Sandbox) -> None:
    configure(newest)
    prefix = with_requirements(newest, "allow_managed_hooks_only = true\n")
    refused(newest, reason="Only managed hooks may run here", way_out="infinium-codex managed-config", prefix=prefix)


def test_an_administrator_who_turns_hooks_off(newest: Sandbox) -> None:
    configure(newest)
    prefix = with_requirements(newest, "[features]\nhooks = false\n")
    refused(newest, reason="turned off by requirements.toml", way_out="Only your administrator", prefix=prefix)


def test_a_project_that_cannot_be_written(newest: Sandbox) -> None:
    configure(newest)
    project = newest.project
    prefix = in_namespace(
        f"mount --bind '{project}' '{project}' && mount -o remount,bind,ro '{project}' && cd .. && cd -"
    )
    refused(newest, reason=f"{project} is read-only for you", way_out="whether it is mounted read-only", prefix=prefix)


def test_a_codex_that_cannot_read_its_own_configuration(newest: Sandbox) -> None:
    newest.config_toml.write_text("[features\n")
    refused(newest, reason="Codex refused config/read", way_out="run init again")


@pytest.mark.parametrize(
    ("flags", "left"), [("codex_hooks = true", {"hooks": True}), ("hooks = true\ncodex_hooks = true", {"hooks": True})]
)
def test_a_flag_of_which_codex_warns_gets_its_new_name(newest: Sandbox, flags: str, left: dict[str, bool]) -> None:
    """Connector 1.1.0 left `codex_hooks`; every start of a newer Codex prints a warning about it."""
    configure(newest, f"[features]\n{flags}\n")
    said = newest.must_run(*INIT)
    assert "Codex warned about the old name" in said
    assert tomllib.loads(newest.config_toml.read_text())["features"] == left
    assert newest.config_toml.read_text().startswith("# mine, keep it\n")
    assert "Feature" not in newest.must_run(*INIT)


def test_what_connector_1_1_0_left_is_mended_and_its_neighbours_run(newest: Sandbox) -> None:
    """Its events at the top level made Codex drop the whole file."""
    configure(newest)
    file = newest.hooks
    file.parent.mkdir()
    mine = {"hooks": [{"type": "command", "command": "true"}]}
    old = {"hooks": [{"type": "command", "command": "infinium-codex-connector hook Stop"}]}
    file.write_text(json.dumps({"hooks": {"Stop": [mine]}, "Stop": [old], "PreToolUse": [old]}))
    said = newest.must_run(*INIT)
    assert "repaired entries of an older connector" in said
    assert "failed to parse" not in said
    found = json.loads(file.read_text())
    assert set(found) == {"hooks"}
    assert found["hooks"]["Stop"][0] == mine
    assert "infinium-codex-connector" not in file.read_text()


def test_from_a_linked_worktree(sandbox: Sandbox) -> None:
    """Hooks go to the main checkout, where Codex reads them; turns in both are traced after one `init`."""
    with ScriptedModel(one_message() + one_message()) as model:
        sandbox.configure_codex(model)
        sandbox.execute([*GIT, "commit", "-q", "--allow-empty", "-m", "x"])
        worktree = sandbox.home / "elsewhere" / "tree"
        sandbox.execute([*GIT, "worktree", "add", "-q", str(worktree)])
        main, sandbox.project = sandbox.project, worktree
        said = sandbox.must_run(*INIT)
        reads = hooks_of(sandbox, worktree, main)
        assert (
            f"Worktree   {worktree}: uses {'the hooks of its main checkout' if reads == main else 'this worktree'}"
            in said
        )
        assert (reads / ".codex" / "hooks.json").exists()
        assert (main / ".infinium" / "config.json").exists()
        assert not (worktree / ".infinium").exists()
        assert f"{reads / '.codex' / 'hooks.json'}: unchanged" in sandbox.must_run(*INIT)
        sandbox.codex_exec("From the worktree.")
        sandbox.wait_until_idle()
        sandbox.project = main
        sandbox.must_run(*INIT)
        sandbox.codex_exec("From the main checkout.")
        sandbox.wait_until_idle()
        traces = sandbox.json("history")["traces"]
    assert [trace["name"] for trace in traces] == ["From the main checkout.", "From the worktree."]


def test_a_turn_in_a_worktree_that_existed_before_init_is_traced(newest: Sandbox) -> None:
    """Codex runs no hooks in a worktree without a `.codex` directory; `init` in the main checkout creates it."""
    with ScriptedModel(one_message()) as model:
        newest.configure_codex(model)
        newest.execute([*GIT, "commit", "-q", "--allow-empty", "-m", "x"])
        worktree = newest.home / "tree"
        newest.execute([*GIT, "worktree", "add", "-q", str(worktree)])
        assert f"Worktree   {worktree}: Codex now reads the hooks there" in newest.must_run(*INIT)
        newest.project = worktree
        newest.codex_exec("From the worktree.")
        newest.wait_until_idle()
        assert [trace["name"] for trace in newest.json("history")["traces"]] == ["From the worktree."]


def test_settings_of_a_worktree_of_its_own_are_told(newest: Sandbox) -> None:
    configure(newest)
    newest.execute([*GIT, "commit", "-q", "--allow-empty", "-m", "x"])
    worktree = newest.home / "tree"
    newest.execute([*GIT, "worktree", "add", "-q", str(worktree)])
    main, newest.project = newest.project, worktree
    own = worktree / ".infinium" / "config.json"
    own.parent.mkdir()
    own.write_text('{"base_url": "local"}')
    said = newest.must_run(*INIT)
    assert f"Worktree   {worktree}: " in said
    assert ", and its own settings" in said
    reads = hooks_of(newest, worktree, main)
    assert (reads / ".codex" / "hooks.json").exists()
    assert not (main / ".infinium").exists()
    assert (worktree / ".codex").is_dir()
