"""What help shows: the commands by task, and an example of each."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

TASKS = {
    "Your own recordings": {
        "fit": "dgmix fit recordings/healthy -o pump.dgmix",
        "choose": "dgmix choose recordings/healthy -o pump.yaml",
        "score": "dgmix score pump.dgmix monday.wav recordings/",
        "update": "dgmix update pump.dgmix recordings/new-load --accept",
        "report": "dgmix report pump.dgmix recordings/ -o monday.html",
        "info": "dgmix info pump.dgmix",
        "export": "dgmix export pump.dgmix --onnx model",
        "watch": "dgmix watch watch.yaml",
    },
    "Data sets and benchmarks": {
        "demo": "dgmix demo --quick",
        "inspect": "dgmix inspect recordings",
        "simulate": "dgmix simulate -d data/simulated --machine fan",
        "download": "dgmix download dcase2022 -d data/dcase2022",
        "run": "dgmix run default -d data/dcase2022 -o runs/default --seed 0 --seed 1",
        "evaluate": "dgmix evaluate runs/default",
        "compare": "dgmix compare runs/default runs/published",
    },
    "This installation": {
        "doctor": "dgmix doctor",
        "cache": "dgmix cache ls",
    },
}
PARTS = {
    "watch": {
        "run": "dgmix watch watch.yaml",
        "notify-test": "dgmix watch notify-test watch.yaml",
        "label": "dgmix watch label watch.yaml 17 healthy --condition night",
        "export": "dgmix watch export watch.yaml --parquet history",
        "install": "dgmix watch install watch.yaml --user",
    },
    "cache": {
        "ls": "dgmix cache ls --json",
        "clear": "dgmix cache clear --older-than 30",
    },
}


class Tasks(TyperGroup):
    """The commands of dgmix, in the order of `TASKS`; those that it lacks come last."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for task, examples in TASKS.items():
            for name in examples.keys() & self.commands.keys():
                self.commands[name].rich_help_panel = task  # type: ignore[attr-defined]
            _show_examples(self, examples)
        for name, examples in PARTS.items():
            _show_examples(self.commands.get(name), examples)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return a command and its arguments; says so where a command stands behind others."""
        name = next((each for each in args if each in self.commands), None)
        if name and args[0] not in self.commands:
            others = [each for each in args if each != name]
            ctx.fail(f"the command comes first: {ctx.command_path} {' '.join([name, *others])}")
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands in the order of help."""
        known = [name for examples in TASKS.values() for name in examples if name in self.commands]
        return known + [name for name in super().list_commands(ctx) if name not in known]


def _show_examples(group: Any, examples: dict[str, str]) -> None:
    """Let the help of the commands of a group end with an example."""
    for name, command in getattr(group, "commands", {}).items():
        if name in examples:
            command.epilog = f"Example: {examples[name]}"
