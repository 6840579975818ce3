"""``batchgen completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_EPILOG = """\b
Examples:
  eval "$(batchgen completion bash)"                                    in ~/.bashrc
  eval "$(batchgen completion zsh)"                                     in ~/.zshrc
  batchgen completion fish > ~/.config/fish/completions/batchgen.fish"""


@click.command(short_help="Print the script for completion in a shell.", epilog=_EPILOG)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands, options and manifests in SHELL.

    It changes no file of yours.
    """
    kind = get_completion_class(shell)
    assert kind is not None
    root = context.find_root()
    variable = f"_{root.command.name}_COMPLETE".upper()
    click.echo(kind(root.command, {}, str(root.info_name), variable).source())
