"""What several commands take: manifests, folders, places, durations, amounts."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import time
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from batchgen.errors import BatchgenError, ExitCode

if TYPE_CHECKING:  # rich, which parsing does without
    from batchgen.report.screen import Screen

Call = Callable[["Screen"], ExitCode]
"""What a command line asks for, ready to be done."""

DEFAULT_SPEED = 60.0
"""Of the sandbox."""

_MOST_COMPLETIONS = 200
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


class _ManifestPath(click.ParamType[Path]):
    """A path; whether it leads to a manifest is said by the room that reads it."""

    name = "manifest"

    def convert(
        self, value: Any, _param: click.Parameter | None, _ctx: click.Context | None
    ) -> Path:
        return Path(value)

    def shell_complete(
        self, _ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Manifests that begin so, and those one folder below; else the shell offers folders."""
        folder, start = Path(incomplete).parent, Path(incomplete).name
        if incomplete.endswith("/"):
            folder, start = Path(incomplete), ""
        name = f"{_literally(start)}*"
        found = chain(folder.glob(f"{name}.y*ml"), folder.glob(f"{name}/*.y*ml"))
        paths = sorted(str(path) for path in islice(found, _MOST_COMPLETIONS))
        items = [CompletionItem(path) for path in paths]
        return items or [CompletionItem(incomplete, type="dir")]


class _Duration(click.ParamType[float]):
    """``90s``, ``10m``, ``1h30m``, ``2d``: to seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        if not re.fullmatch(r"(\d+(?:\.\d+)?[smhd])+", value):
            self.fail(f"{value!r} is no duration; write it like 90s, 10m or 1h30m.", param, ctx)
        parts = re.findall(r"([\d.]+)([smhd])", value)
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
        if seconds <= 0:
            self.fail("it must be longer than nothing.", param, ctx)
        return seconds


class _TimeOfDay(click.ParamType[time]):
    """``07:00``, ``23:30``: a time as the clock on the wall shows it."""

    name = "time of day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> time:
        if isinstance(value, time):
            return value
        if not re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", value):
            self.fail(f"{value!r} is no time of day; write it like 07:00 or 23:30.", param, ctx)
        hour, minute = value.split(":")
        return time(int(hour), int(minute))


class _Amount(click.ParamType[Decimal]):
    """An exact amount of money: ``25``, ``0.75``."""

    name = "amount"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        if not re.fullmatch(r"\d{1,12}(\.\d{1,6})?", value):
            self.fail(f"{value!r} is no amount; write it like 25 or 0.75.", param, ctx)
        return Decimal(value)


def _literally(start: str) -> str:
    """For a glob: what a person typed stands for itself."""
    return re.sub(r"([*?[])", r"[\1]", start)


MANIFEST = _ManifestPath()
DURATION = _Duration()
TIME_OF_DAY = _TimeOfDay()
AMOUNT = _Amount()

one_manifest = click.argument("manifest", type=MANIFEST)

sandbox_option = click.option(
    "--sandbox",
    is_flag=True,
    help="The rehearsal of the batch: on a local stand-in of the service, without key and cost,"
    " apart from the real one in a folder `sandbox`.",
)
output_option = click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for the results, from the current folder; a folder for the batch is made in it."
    " Default: `output:` of the manifest, else `output/` beside it.",
)
region_option = click.option(
    "--region",
    metavar="R",
    help="Region of the service, such as singapore or cn-beijing; beats the manifest's.",
)
base_url_option = click.option(
    "--base-url",
    metavar="URL",
    help="Base URL of the service, up to and including /api/v1; beats any region.",
)
only_option = click.option(
    "--only", metavar="GLOB", help="Only the jobs whose id matches, such as 'fox-*'."
)
rerun_changed_option = click.option(
    "--rerun-changed",
    is_flag=True,
    help="Buy jobs anew that the manifest has changed since they were paid for; the old result is"
    " moved to .batchgen/replaced. Without it the result as bought stays (exit code 3).",
)
catalog_option = click.option(
    "--catalog",
    "catalog_files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Models to add to those that batchgen knows, or to put in their place; beats `catalog:` of"
    " the manifest. May be given several times.",
)
speed_option = click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    metavar="X",
    help="Seconds that pass in the sandbox in one of ours; only with --sandbox."
    f" Default: {DEFAULT_SPEED:g}, a minute of rendering takes a second.",
)
faults_option = click.option(
    "--faults",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="YAML with what shall go wrong in the sandbox: refusals, lost answers, broken downloads.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for programs, one object a line."
)


def give_up_option(default: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A night bears a longer silence than a person who waits."""
    return click.option(
        "--give-up",
        type=DURATION,
        default=default,
        metavar="DURATION",
        help=f"How long the service may stay silent, such as 90s or 1h30m. Default: {default}.",
    )


quiet_option = click.option(
    "-q",
    "--quiet",
    is_flag=True,
    help="No progress, and no summary where everything is done: for cron.",
)
until_option = click.option(
    "--until",
    type=TIME_OF_DAY,
    metavar="HH:MM",
    help="End in good order when the clock next shows that, in the local time zone (TZ): exit code"
    " 7 if more is to do. What was sent just before goes on at the service; collect it later.",
)
max_duration_option = click.option(
    "--max-duration",
    type=DURATION,
    metavar="D",
    help="End so after that long, such as 90m or 8h; of this and --until, whichever is first.",
)
summary_option = click.option(
    "--summary",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write what came of it to FILE as one JSON document, however it ended; only a mistake in"
    " the options themselves leaves FILE as it was. FILE is replaced in one step: it is the old one"
    " or the new one, never half of it.",
)
on_finish_option = click.option(
    "--on-finish",
    metavar="CMD",
    help="Run this line with sh at the end, with the same JSON on its standard input; it has 60"
    " seconds, and nothing that it does changes the exit code.",
)
if_idle_option = click.option(
    "--if-idle",
    is_flag=True,
    help="Say nothing where another run holds the batch; the exit code is 4 all the same.",
)


def unattended(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a command that is left alone for the night."""
    chosen = (
        until_option,
        max_duration_option,
        summary_option,
        on_finish_option,
        if_idle_option,
    )
    for option in reversed(chosen):
        command = option(command)
    return command


def answered(call: Call, *, as_json: bool) -> Call:
    """The call; a program that reads JSON is told there of an error as well."""

    def answer(screen: Screen) -> ExitCode:
        try:
            return call(screen)
        except BatchgenError as error:
            from batchgen.report.errors import refusal_data  # noqa: PLC0415 - for a call alone

            screen.tell_json(refusal_data(error))
            raise

    return answer if as_json else call


def refuse_places(*, sandbox: bool, region: str | None, base_url: str | None) -> None:
    """A rehearsal has a place of its own. Raises UsageError."""
    for option, value in (("--region", region), ("--base-url", base_url)):
        if sandbox and value is not None:
            raise click.UsageError(f"{option} and --sandbox exclude each other.")


def refuse_without_sandbox(*, sandbox: bool, speed: float | None, faults: Path | None) -> None:
    """The service has a pace and faults of its own. Raises UsageError."""
    if speed is not None and not sandbox:
        raise click.UsageError("--speed needs --sandbox: the service has its own pace.")
    if faults is not None and not sandbox:
        raise click.UsageError("--faults needs --sandbox: the service has its own.")
