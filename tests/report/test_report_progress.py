"""A run can be watched, in a log and on a terminal, and watching never harms it."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.text import Text

from batchgen.report.progress import LiveProgress, PlainProgress, watch
from batchgen.report.screen import Screen
from batchgen.report.stream import Stream


class Clock:
    """Seconds that pass when they are told to."""

    now = 1_000.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    """A file that says it is a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def log():
    return Console(file=io.StringIO(), width=1_000, markup=False, highlight=False)


def lines(console):
    return console.file.getvalue().splitlines()


def test_a_log_begins_with_a_line(log, clock, progress):
    """The first line says what there is to do, and what it may cost."""
    with PlainProgress("night", log, clock=clock) as watcher:
        watcher(progress())
    assert lines(log) == [
        "night: 8 waiting, 2 at the service; up to USD 1.00 for what is under way or in doubt"
    ]


def test_a_log_is_quiet(log, clock, progress):
    """Changes are told at most every 30 s, and nothing is told twice."""
    with PlainProgress("night", log, clock=clock) as watcher:
        watcher(progress())
        clock.now += 29
        watcher(progress(waiting=7, done=1))
        assert len(lines(log)) == 1
        clock.now += 1
        watcher(progress(waiting=7, done=1))
        clock.now += 1_000
        watcher(progress(waiting=7, done=1))
    assert len(lines(log)) == 2
    assert "7 waiting, 2 at the service, 1 done" in lines(log)[1]


@pytest.mark.parametrize("trouble", ["failed", "needs_a_person"])
def test_trouble_is_told_at_once(log, clock, progress, trouble):
    """A job that failed or needs a person does not wait for its turn."""
    with PlainProgress("night", log, clock=clock) as watcher:
        watcher(progress())
        watcher(progress(waiting=7, **{trouble: 1}))
    assert len(lines(log)) == 2


def test_a_pause_has_its_reason(log, clock, progress):
    """A run that waits says why, in the service's words, made harmless."""
    with PlainProgress("night", log, clock=clock) as watcher:
        watcher(progress(pause="Throttling: [red]slow\x1b[2J", pause_until=5.0))
    assert r"paused: Throttling: [red]slow\x1b[2J" in lines(log)[0]


def test_a_panel_tells_everything(clock, progress, shown):
    """On a terminal: counts, money, time and the reason of a pause."""
    console = Console(file=Terminal(), force_terminal=True, width=100)
    live = LiveProgress("night[/nope]", console, clock=clock, wall=lambda: 100.0)
    with live:
        clock.now += 65
        live(
            progress(
                done=3,
                spent=1_500_000,
                seconds_left=7_500.0,
                pause="Throttling.RateQuota",
                pause_until=108.0,
            )
        )
        seen = shown(live._panel())
    assert "night[/nope]: 3 of 10 jobs done" in seen
    assert "8 waiting, 2 at the service" in seen.splitlines()
    assert "spent USD 1.50, up to USD 1.00 more for what is under way or in doubt" in seen
    assert "running for 1 min 05 s, about 2 h 05 min left" in seen
    assert "no new tasks for 8 s: Throttling.RateQuota" in seen


def test_a_panel_is_gone_at_the_end(clock, progress):
    """The terminal gets its cursor back, and the thread that draws has ended."""
    terminal = Terminal()
    console = Console(file=terminal, force_terminal=True, width=60)
    with LiveProgress("night", console, clock=clock) as live:
        live(progress())
    assert "\x1b[?25l" in terminal.getvalue()
    assert terminal.getvalue().rindex("\x1b[?25h") > terminal.getvalue().rindex("\x1b[?25l")


def test_nothing_to_do_shows_nothing(clock):
    """A run that finds nothing to do leaves the terminal alone."""
    terminal = Terminal()
    with LiveProgress("night", Console(file=terminal, force_terminal=True), clock=clock):
        pass
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("width", [10, 20, 40])
def test_a_narrow_terminal_breaks_lines(clock, progress, shown, width):
    """Nothing is cut off where it is narrow."""
    live = LiveProgress("night", Console(file=Terminal(), force_terminal=True), clock=clock)
    with live:
        live(progress(done=3))
        seen = shown(live._panel(), width=width)
    assert max(map(len, seen.splitlines())) <= width
    assert "3 of 10 jobs done" in " ".join(seen.split("\n"))


def test_a_full_disk_behind_the_log_does_not_end_the_run(clock, progress):
    """Progress that cannot be written is lost, and nothing else is."""
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123
        console = Console(file=Stream(full), width=100)
        with PlainProgress("night", console, clock=clock) as watcher:
            watcher(progress())
            watcher(progress(failed=1))


def test_the_right_way_to_watch(monkeypatch, progress):
    """A panel on a terminal, lines in a log or on a dumb terminal, nothing when quiet."""
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Console(file=Terminal(), force_terminal=True)
    log = Console(file=io.StringIO())
    assert isinstance(watch("night", terminal, quiet=False), LiveProgress)
    assert isinstance(watch("night", log, quiet=False), PlainProgress)
    with watch("night", log, quiet=True) as watcher:
        watcher(progress())
    assert log.file.getvalue() == ""
    monkeypatch.setenv("TERM", "dumb")
    dumb = Console(file=Terminal(), force_terminal=True)
    assert isinstance(watch("night", dumb, quiet=False), PlainProgress)


def test_no_color_means_none(monkeypatch):
    """NO_COLOR takes the colours away."""
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stdout", terminal)
    Screen().tell(Text("failed", style="red"))
    assert "\x1b[31m" not in terminal.getvalue()
    assert "failed" in terminal.getvalue()
