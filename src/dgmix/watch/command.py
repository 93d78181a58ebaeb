"""`dgmix watch` and what belongs to it. Each command only reads options and calls one function."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from dgmix.errors import DgmixError, InputError, did_you_mean

RUN = "run"
Settings = Annotated[Path, typer.Argument(metavar="SETTINGS", help="The file watch.yaml.")]
Json = Annotated[bool, typer.Option("--log-json", help="Log as JSON, an object a line.")]


class WithDefault(TyperGroup):
    """A group whose first word may be a settings file: `dgmix watch watch.yaml`."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Put the command that runs before words that are none."""
        if args and args[0] not in (*self.commands, "-h", "--help"):
            near = "" if args[0].startswith("-") else did_you_mean(args[0], self.commands)
            if near and not Path(args[0]).exists():
                raise InputError(f"{args[0]}: no command of dgmix watch, and no file{near}")
            args = [RUN, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=WithDefault,
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Listen to machines day and night, and tell people: dgmix watch watch.yaml",
)


@app.command(RUN)
def run(
    settings: Annotated[
        Path | None, typer.Argument(metavar="SETTINGS", help="The file watch.yaml.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Try every detector, source and sink once.")
    ] = False,
    example: Annotated[
        bool, typer.Option("--example", help="Write a commented watch.yaml, and end.")
    ] = False,
    devices: Annotated[
        bool, typer.Option("--devices", help="List the sound cards that record, and end.")
    ] = False,
    demo: Annotated[
        bool, typer.Option("--demo", help="Watch simulated machines that break; on this computer.")
    ] = False,
    state: Annotated[
        Path | None, typer.Option(help="With --demo: the folder to keep everything in.")
    ] = None,
    log_json: Json = False,
) -> None:
    """Watch by a settings file (what `dgmix watch watch.yaml` does)."""
    _needed()
    if devices:
        _list_devices()
    elif example:
        _write_example(settings or Path("watch.yaml"))
    elif demo:
        from dgmix.watch import logs
        from dgmix.watch.demo import run_demo

        logs.set_up(log_json)
        run_demo(state)
    elif settings is None:
        raise InputError("dgmix watch: name a settings file; --example writes one")
    elif check:
        _check(settings)
    else:
        from dgmix.watch import logs
        from dgmix.watch.running import run as watch

        logs.set_up(log_json)
        watch(settings)


@app.command("notify-test")
def notify_test(settings: Settings) -> None:
    """Send a test message to every sink, and tell which acknowledged it."""
    _needed()
    from dgmix.watch.checking import check_sinks
    from dgmix.watch.settings import load_settings

    loaded = load_settings(settings)
    trials = list(check_sinks(loaded))
    if not trials:
        raise InputError(f"{settings}: names no broker, webhook or Apprise address")
    _show(trials)


@app.command()
def label(
    settings: Settings,
    event: Annotated[str, typer.Argument(help="The event's id, from the page or a message.")],
    verdict: Annotated[str, typer.Argument(help="healthy, fault, or undo.")],
    condition: Annotated[
        str | None, typer.Option(help="The operating condition, where it was healthy.")
    ] = None,
    who: Annotated[str | None, typer.Option(help="Who says so; your user name by default.")] = None,
) -> None:
    """Say what an event was; a healthy one joins what the detector knows."""
    _needed()
    from dgmix.watch.labelling import label as say
    from dgmix.watch.settings import load_settings

    event_row = say(load_settings(settings), event, verdict, condition, who)
    what = (
        f"{event_row['label']} by {event_row['who']}" if event_row["label"] else "nothing any more"
    )
    print(f"{event_row['machine']}, {event_row['kind']} {event_row['id']}: {what}")


@app.command()
def export(
    settings: Settings,
    parquet: Annotated[Path, typer.Option("--parquet", metavar="DIR", help="Folder to write to.")],
) -> None:
    """Write windows, events, labels and coverage as Parquet files; beside a running watch too."""
    _needed()
    from dgmix.watch.settings import load_settings
    from dgmix.watch.store.export import export_parquet
    from dgmix.watch.store.store import read_only

    with read_only(load_settings(settings).state_folder) as connection:
        for path in export_parquet(connection, parquet):
            print(path)


@app.command()
def install(
    settings: Settings,
    user: Annotated[bool, typer.Option("--user", help="A service of yours, without root.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the unit to this file instead.")
    ] = None,
) -> None:
    """Write a systemd unit that watches by a settings file."""
    _needed()
    from dgmix.watch.settings import load_settings
    from dgmix.watch.systemd import install as write_unit

    load_settings(settings)
    print(write_unit(settings, user, output))


def _needed() -> None:
    """Raise `InputError` where the extra `live` is not installed."""
    from importlib.util import find_spec

    if not all(map(find_spec, ("pydantic_settings", "starlette", "uvicorn", "prometheus_client"))):
        raise InputError('dgmix watch needs more packages: pip install "dgmix[live]"')


def _list_devices() -> None:
    from dgmix.watch.sources.card import input_names, port_audio

    print("\n".join(input_names(port_audio())) or "no sound card records here")


def _check(settings: Path) -> None:
    from dgmix.watch.checking import check
    from dgmix.watch.settings import load_settings

    _show(check(load_settings(settings)))


def _write_example(path: Path) -> None:
    from dgmix.files import write_text
    from dgmix.watch.example import EXAMPLE

    if path.exists():
        raise InputError(f"{path}: exists, and would be overwritten; name another file")
    write_text(path, EXAMPLE)
    print(f"{path} written; next: edit it, then dgmix watch {path} --check")


def _show(trials: Any) -> None:
    """Print what was tried; raises `DgmixError` if something failed."""
    failures: list[Any] = []
    for each in trials:
        print(each, flush=True)
        failures += [] if each.good else [each]
    if failures:
        raise DgmixError(f"{len(failures)} of the checks failed")
