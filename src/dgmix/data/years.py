"""The DCASE Task 2 data sets, 2020 to 2026: one entry of `YEARS` describes one of them.

Sources: the Zenodo records, and the lists of archives in the organisers' repository
(`nttcslab/dcase2023_task2_baseline_ae`, `datasets/download_path_*.yaml`). A further year is one
more entry here, and one more list of names where its evaluation clips are published without labels
(see `dgmix.data.download.names`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from dgmix.errors import InputError, choices

Part = Literal["dev", "train", "eval"]
PARTS: tuple[Part, ...] = get_args(Part)
"""The development set; the training clips of the evaluation set; its test clips."""
Rule = Literal["by-id", "by-domain", "generalisation"]
"""How a year's systems are judged; see `dgmix.evaluate.rules`."""


@dataclass(frozen=True, slots=True)
class Source:
    """A Zenodo record with one archive for each machine.

    `pattern` names the archives, `{machine}` in it; `exceptions` are those with another name.
    """

    record: int
    pattern: str
    exceptions: Mapping[str, str] = field(default_factory=dict)

    def archive(self, machine: str) -> str:
        """Return the name of a machine's archive."""
        return self.exceptions.get(machine, self.pattern.format(machine=machine))


Sections = Mapping[str, tuple[str, ...]]
"""The sections of every machine, by machine."""


@dataclass(frozen=True, slots=True)
class Year:
    """A year's data set.

    `dev` and `eval` are the sections of each machine in the development and in the evaluation set.
    `hidden` are the machines whose attributes were withheld and published later, `channels` how
    many microphones a clip has, `labelled` whether dgmix knows the labels of the evaluation clips.
    """

    number: int
    rule: Rule
    dev: Sections
    eval: Sections
    sources: Mapping[Part, Source]
    hidden: tuple[str, ...] = ()
    channels: int = 1
    labelled: bool = True

    @property
    def dataset(self) -> str:
        """The name of the data set, `dcase2022` say."""
        return f"dcase{self.number}"

    @property
    def machines(self) -> tuple[str, ...]:
        """Every machine type, those of the development set first."""
        return tuple(dict.fromkeys([*self.dev, *self.eval]))

    @property
    def first_shot(self) -> bool:
        """Whether other machines are evaluated than developed on, one section each."""
        return not set(self.dev) & set(self.eval)

    @property
    def places(self) -> dict[str, frozenset[tuple[str, str]]]:
        """The machines with their sections, (machine, section), of "dev" and of "eval"."""
        return {
            name: frozenset((machine, s) for machine, sections in of.items() for s in sections)
            for name, of in (("dev", self.dev), ("eval", self.eval))
        }

    def parts_of(self, machine: str) -> tuple[Part, ...]:
        """Return the parts of the data set that have clips of a machine."""
        return tuple(
            part for part in PARTS if machine in (self.dev if part == "dev" else self.eval)
        )


def _all(machines: str, *sections: str) -> Sections:
    return dict.fromkeys(machines.split(), sections)


def _ids(machines: str, numbers: str) -> Sections:
    return _all(machines, *(f"id_{number}" for number in numbers.split()))


def _sources(dev: Source, train: Source, evaluation: Source) -> Mapping[Part, Source]:
    return {"dev": dev, "train": train, "eval": evaluation}


_DEV, _TRAIN, _EVAL = (
    "dev_{machine}.zip",
    "eval_data_{machine}_train.zip",
    "eval_data_{machine}_test.zip",
)
_MACHINES_2021 = "fan gearbox pump slider ToyCar ToyTrain valve"
_MACHINES_2022 = "fan gearbox bearing slider valve ToyCar ToyTrain"

YEARS: dict[int, Year] = {
    year.number: year
    for year in (
        Year(
            2020,
            "by-id",
            dev={
                **_ids("fan pump slider valve", "00 02 04 06"),
                **_ids("ToyCar", "01 02 03 04"),
                **_ids("ToyConveyor", "01 02 03"),
            },
            eval={
                **_ids("fan pump slider valve", "01 03 05"),
                **_ids("ToyCar", "05 06 07"),
                **_ids("ToyConveyor", "04 05 06"),
            },
            sources=_sources(
                Source(3678171, "dev_data_{machine}.zip"),
                Source(3727685, "eval_data_train_{machine}.zip"),
                Source(3841772, "eval_data_test_{machine}.zip"),
            ),
        ),
        Year(
            2021,
            "by-domain",
            dev=_all(_MACHINES_2021, "00", "01", "02"),
            eval=_all(_MACHINES_2021, "03", "04", "05"),
            sources=_sources(
                Source(4562016, "dev_data_{machine}.zip"),
                Source(4660992, _TRAIN),
                Source(4884786, _EVAL),
            ),
        ),
        Year(
            2022,
            "generalisation",
            dev=_all(_MACHINES_2022, "00", "01", "02"),
            eval=_all(_MACHINES_2022, "03", "04", "05"),
            sources=_sources(
                Source(6355122, _DEV), Source(6462969, _TRAIN), Source(6586456, _EVAL)
            ),
        ),
        Year(
            2023,
            "generalisation",
            dev=_all(_MACHINES_2022, "00"),
            eval=_all("bandsaw grinder shaker ToyDrone ToyNscale ToyTank Vacuum", "00"),
            sources=_sources(
                Source(7882613, _DEV), Source(7830345, _TRAIN), Source(7860847, _EVAL)
            ),
        ),
        Year(
            2024,
            "generalisation",
            dev=_all(_MACHINES_2022, "00"),
            eval=_all(
                "3DPrinter AirCompressor BrushlessMotor HairDryer HoveringDrone RoboticArm "
                "Scanner ToothBrush ToyCircuit",
                "00",
            ),
            sources=_sources(
                Source(10902294, _DEV),
                Source(
                    11259435,
                    _TRAIN,
                    {m: f"eval_data_{m}_train_r2.zip" for m in ("3DPrinter", "RoboticArm")},
                ),
                Source(11363076, _EVAL),
            ),
            hidden=(
                *("ToyTrain", "gearbox", "slider"),
                *("AirCompressor", "BrushlessMotor", "HoveringDrone", "ToothBrush"),
            ),
        ),
        Year(
            2025,
            "generalisation",
            dev=_all(_MACHINES_2022, "00"),
            eval=_all(
                "AutoTrash BandSealer CoffeeGrinder HomeCamera Polisher ScrewFeeder ToyPet "
                "ToyRCCar",
                "00",
            ),
            sources=_sources(
                Source(15097779, _DEV), Source(15392814, _TRAIN), Source(15519362, _EVAL)
            ),
            hidden=(
                *("ToyTrain", "bearing", "slider"),
                *("AutoTrash", "Polisher", "ScrewFeeder", "ToyPet"),
            ),
        ),
        Year(
            2026,
            "generalisation",
            dev=_all("ToyCar ToyCarEmu bearingEmu fan gearboxEmu sliderEmu valveEmu", "00"),
            eval=_all("BlowerDustCollector Sander SewingMachine ToothBrush ToyDrone", "00"),
            sources=_sources(
                Source(19336329, _DEV, {"ToyCar": "dev_ToyCar_r2.zip"}),
                Source(20151556, _TRAIN),
                Source(20437238, _EVAL),
            ),
            channels=2,
            labelled=False,
        ),
    )
}


def datasets() -> tuple[str, ...]:
    """Return the names of all data sets."""
    return tuple(year.dataset for year in YEARS.values())


def year_of(dataset: str) -> Year:
    """Return the year of a data set by its name, `dcase2022` say.

    Raises `InputError` for a name that is none.
    """
    for year in YEARS.values():
        if year.dataset == dataset:
            return year
    raise InputError(f"{dataset}: unknown data set{choices(dataset, datasets())}")
