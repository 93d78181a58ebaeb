"""The forms that a simulated set can have: those of the DCASE Task 2 sets.

Machines, sections, microphones and withheld attributes are those of `dgmix.data.years`. A machine
type that dgmix has no physical model of is another unit of the model that is nearest to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from dgmix.data.simulate.machine_types import MACHINES
from dgmix.data.year_names import WITHHELD
from dgmix.data.years import Year, year_of

USUAL = "dcase2022"
MODELS = {
    **dict.fromkeys(("pump", "AirCompressor", "Vacuum", "HairDryer"), "fan"),
    **dict.fromkeys(("BlowerDustCollector", "HoveringDrone", "ToyDrone"), "fan"),
    **dict.fromkeys(("bandsaw", "grinder", "Polisher", "Sander", "BrushlessMotor"), "bearing"),
    **dict.fromkeys(("ScrewFeeder", "CoffeeGrinder", "ToothBrush", "ToyCircuit"), "gearbox"),
    **dict.fromkeys(("3DPrinter", "RoboticArm", "Scanner", "HomeCamera", "BandSealer"), "slider"),
    **dict.fromkeys(("shaker", "SewingMachine", "AutoTrash"), "valve"),
    **dict.fromkeys(("ToyConveyor", "ToyNscale"), "ToyTrain"),
    **dict.fromkeys(("ToyTank", "ToyRCCar", "ToyPet"), "ToyCar"),
}
"""The physical model of machine types that have none of their own name."""
OTHERS = "fan"  # the model of those that are not here


def model_of(machine: str) -> str:
    """Return the physical model of a machine type; `fanEmu` is a `fan` too."""
    name = machine.removesuffix("Emu")
    return name if name in MACHINES else MODELS.get(name, OTHERS)


@dataclass(frozen=True)
class Form:
    """How a set is laid out and its clips are called."""

    year: Year

    @property
    def groups(self) -> tuple[tuple[str, str, str], ...]:
        """Split, domain and label of each group of clips that a section has."""
        domains = ("source",) if self.year.rule == "by-id" else ("source", "target")
        return (
            *(("train", domain, "normal") for domain in domains),
            *(("test", domain, label) for domain in domains for label in ("normal", "anomaly")),
        )

    @property
    def channels(self) -> int:
        """How many microphones a clip has."""
        return self.year.channels

    @property
    def attributes(self) -> bool:
        """Whether names have attributes, and tables of them lie beside the clips."""
        return self.year.number >= 2022

    def training(self, clips: int) -> tuple[int, ...]:
        """Return how many of `clips` normal training clips are of each domain.

        1000 are 990 + 10 from 2022 on. 2021 has three target clips, 2020 has no domains.
        """
        if self.year.rule == "by-id":
            return (clips,)
        wanted = 3 if self.year.rule == "by-domain" else max(10, clips // 100)
        target = min(wanted, clips // 2)
        return clips - target, target

    def sections(self, machine: str) -> list[int]:
        """Return the numbers of a machine's sections, those of the development set first."""
        names = [*self.year.dev.get(machine, ()), *self.year.eval.get(machine, ())]
        return [int(name.removeprefix("id_")) for name in names]

    def path(
        self, machine: str, section: int, group: tuple[str, str, str], index: int, condition: str
    ) -> PurePosixPath:
        """Return where a clip lies in the set, named as the year's are."""
        split, domain, label = group
        if self.year.rule == "by-id":
            return PurePosixPath(machine, split, f"{label}_id_{section:02d}_{index:08d}.wav")
        name = f"section_{section:02d}_{domain}_{split}_{label}_{index:04d}"
        if self.attributes:
            name += f"_{WITHHELD}" if machine in self.year.hidden else f"_{condition}"
        folder = f"{domain}_test" if self.year.number == 2021 and split == "test" else split
        return PurePosixPath(machine, folder, f"{name}.wav")


def form_of(like: str) -> Form:
    """Return the form of a set by the name of the data set that it is like.

    Raises `InputError` for a name that is none.
    """
    return Form(year_of(like))
