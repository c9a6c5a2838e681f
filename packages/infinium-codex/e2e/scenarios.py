"""What the scripted model does, turn by turn."""

from infinium_codex.demo.scripted_model import Patch, Reply, Say, Shell, Usage

PATCH = "*** Begin Patch\n*** Add File: notes.txt\n+first\n+second\n*** End Patch\n"
PROMPT = "Try the build, then leave a note."


def failing_command_patch_message() -> list[Reply]:
    """A command that ends with exit code 3, a patch that adds a file, and a last word."""
    return [
        Reply([Shell("echo building; exit 3")], Usage(input_tokens=1_000, output_tokens=50, reasoning_tokens=10)),
        Reply([Patch(PATCH)], Usage(input_tokens=1_200, cached_tokens=900, output_tokens=80, reasoning_tokens=20)),
        Reply(
            [Say("The build fails; a note is left.")], Usage(input_tokens=1_400, cached_tokens=1_100, output_tokens=30)
        ),
    ]


def one_message(text: str = "Done.") -> list[Reply]:
    """A turn without any tool."""
    return [Reply([Say(text)], Usage(input_tokens=500, output_tokens=5))]
