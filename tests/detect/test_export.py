"""What onnxruntime makes of an exported detector against the detector itself."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import dgmix
from dgmix.audio.bank import MelBank, bank_of_signals
from dgmix.audio.io import to_signal
from dgmix.cli import main
from dgmix.config import EncoderSettings, Recipe, parse_recipe
from dgmix.detect import export
from dgmix.detect.bundle import save_detector
from dgmix.detect.export import export_onnx
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.learn import healthy_clips, remember
from dgmix.detect.recordings import Sounds
from dgmix.detect.views import RAW_VIEWS
from dgmix.errors import DgmixError, InputError
from dgmix.model.crops import TrainingCrops
from dgmix.model.network import Network, build_network
from dgmix.model.train import recalibrate
from dgmix.plugins import Plugins

WHY = "part of the extra 'onnx', which is not installed"
onnx = pytest.importorskip("onnx", reason=WHY)
pytest.importorskip("onnxscript", reason=WHY)
onnxruntime = pytest.importorskip("onnxruntime", reason=WHY)

RATE = 16_000
SECONDS = (1 / RATE, 0.02, 0.3, 0.5, 10, 10.37, 25)
LOUD = (0.5, 10.37)
ALARMS = 0.2
RELATIVE = 1e-4


class Small(nn.Module):
    """An encoder that is traced and run in no time; mobilenetv2 has a test of its own."""

    def __init__(self, _: EncoderSettings, n_mels: int, __: int) -> None:
        super().__init__()
        self.embedding_size = 24
        self.filters = nn.Conv2d(1, 8, 3, stride=2)
        self.project = nn.Linear(8 * ((n_mels - 1) // 2), 24)

    def forward(self, mels: Tensor) -> Tensor:
        return self.project(self.filters(mels).relu().mean(-1).flatten(1))


@dataclass(frozen=True)
class Exported:
    """A detector, the file it was exported to, and onnxruntime with that file."""

    fitted: FittedDetector
    path: Path
    session: Any

    def run(self, signal: NDArray[np.float32]) -> dict[str, Any]:
        names = [output.name for output in self.session.get_outputs()]
        return dict(zip(names, self.session.run(None, {"waveform": signal}), strict=True))


def signal_of(seconds: float, seed: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    hum = 0.1 * np.sin(2 * np.pi * rng.uniform(100, 200) * time)
    return (hum + rng.uniform(0.02, 0.2) * rng.standard_normal(len(time)) + 0.02).astype("f4")


def learned(recipe: Recipe, encoder: Callable[..., nn.Module] | None = None) -> FittedDetector:
    """A detector of a random network and twelve healthy recordings in two sections."""
    signals = [to_signal(healthy(number), RATE, recipe.audio) for number in range(12)]
    bank = bank_of_signals(signals, recipe.audio, recipe.features)
    sections, empty = ["00", "01"] * 6, [""] * 12
    sounds = Sounds(empty, [], sections, ["source"] * 8 + ["target"] * 4, empty, empty)
    network = random_network(recipe, bank, sections, encoder) if recipe.detect.learns else None
    return remember(recipe, network, bank, healthy_clips(sounds, bank, recipe))


def random_network(
    recipe: Recipe,
    bank: MelBank,
    sections: list[str],
    encoder: Callable[..., nn.Module] | None,
) -> Network:
    if encoder:
        settings = recipe.encoder.model_copy(update={"name": "small"})
        given = Plugins(encoders={"small": encoder})
        recipe = recipe.model_copy(update={"encoder": settings, "plugins": given})
    network = build_network(recipe, 0)
    crops = TrainingCrops.of(bank, sections)
    network.transform.set_statistics(*crops.level_statistics(network))
    recalibrate(network, crops, recipe.pretrain, 0)
    return network.eval()


def healthy(number: int) -> NDArray[np.float32]:
    return signal_of(1 + 0.3 * number, seed=number)


def exported(fitted: FittedDetector, folder: Path, **options: Any) -> Exported:
    path = export_onnx(fitted, folder, **options)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return Exported(fitted, path, session)


def changed(tiny: Recipe, **groups: dict[str, Any]) -> Recipe:
    values = tiny.model_dump(mode="json")
    for group, settings in groups.items():
        values[group] |= settings
    return parse_recipe(values, "changed")


@pytest.fixture(scope="module")
def plain(tiny: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The tiny recipe's detector with the small encoder, exported."""
    folder = tmp_path_factory.mktemp("plain")
    return exported(learned(tiny, Small), folder, name="pump", false_alarm_rate=ALARMS)


@pytest.fixture
def unwritten(tmp_path: Path) -> Iterator[Path]:
    """A folder that must stay without files."""
    yield tmp_path / "out"
    assert not list(tmp_path.rglob("*.*"))


def assert_same(model: Exported, section: str = "") -> None:
    """Compare with the detector at every length, loud and quiet."""
    recipe, limit = model.fitted.recipe, model.fitted.calibration(section).threshold(ALARMS)
    signals = [signal_of(seconds, seed=100 + k) for k, seconds in enumerate((*SECONDS, *LOUD))]
    signals[len(SECONDS) :] = [np.float32(20) * signal for signal in signals[len(SECONDS) :]]
    mono = [to_signal(signal, RATE, recipe.audio) for signal in signals]
    bank = bank_of_signals(mono, recipe.audio, recipe.features)
    judgements = model.fitted.judge(bank, [""] * len(signals), [section] * len(signals))
    for signal, expected in zip(signals, judgements, strict=True):
        outputs = model.run(signal)
        assert outputs["score"] == pytest.approx(expected.score, rel=RELATIVE, abs=RELATIVE)
        assert outputs["p_value"] == pytest.approx(expected.p_known)
        assert outputs["anomaly"] == (expected.p_known <= ALARMS) == (outputs["score"] > limit)
        assert (outputs["score"].shape, outputs["score"].dtype) == ((), np.float64)
        if model.fitted.network:
            assert outputs["embedding"].shape == (model.fitted.network.embedding_size,)


def test_finds_what_the_detector_finds(plain: Exported) -> None:
    assert_same(plain)
    loud = signal_of(2, seed=0) * np.float32(20)
    assert [bool(plain.run(each)["anomaly"]) for each in (loud, healthy(3))] == [True, False]


@pytest.mark.parametrize(
    "detect",
    [
        {
            "pool": "mean-distance",
            "neighbors": 3,
            "views": ["dgmix", "logmel-max", "logmel-rhythm"],
        },
        {"scorer": "kriging", "views": [n for n, v in RAW_VIEWS.items() if v.tensors]},
        {"scorer": "kriging", "views": ["logmel-q90"]},
    ],
    ids=str,
)
def test_finds_what_the_detector_finds_under_other_settings(
    detect: dict[str, Any], tiny: Recipe, tmp_path: Path
) -> None:
    other = {"input": {"standardize": False}, "features": {"n_fft": 800, "hop_length": 200}}
    recipe = changed(tiny, detect=detect, **other)
    assert_same(exported(learned(recipe, Small), tmp_path, false_alarm_rate=ALARMS))


@pytest.mark.parametrize("encoder", ["temporal", "statistics"])
def test_exports_a_learned_view_beside_a_raw_one(
    encoder: str, tiny: Recipe, tmp_path: Path
) -> None:
    recipe = changed(
        tiny,
        encoder={"name": encoder},
        detect={"views": ["logmel-mean", "dgmix"]},
    )
    assert_same(exported(learned(recipe), tmp_path, false_alarm_rate=ALARMS))


@pytest.mark.slow
def test_exports_the_encoder(tiny: Recipe, tmp_path: Path) -> None:
    recipe = changed(tiny, detect={"pool": "max-distance"}, input={"log": False})
    model = exported(learned(recipe), tmp_path, section="01", false_alarm_rate=ALARMS)
    assert_same(model, "01")


def test_embeds_without_a_verdict(tiny: Recipe, tmp_path: Path) -> None:
    model = exported(learned(tiny, Small), tmp_path, name="pump", embedding=True)
    assert model.path.name == "pump-embedding.onnx"
    for clip in range(3):
        outputs = model.run(healthy(clip))
        assert list(outputs) == ["embedding"]
        expected = model.fitted.memory.views["dgmix"].values[clip]
        np.testing.assert_allclose(outputs["embedding"], expected, atol=RELATIVE)
    about = json.loads(model.path.with_suffix(".json").read_text())
    assert about["outputs"] == ["embedding"]
    assert "threshold" not in about


def test_flags_a_signal_that_holds_no_number(plain: Exported) -> None:
    signal = signal_of(2, seed=0)
    signal[77] = np.inf
    outputs = plain.run(signal)
    assert np.isnan(outputs["score"])
    assert np.isnan(outputs["p_value"])
    assert outputs["anomaly"]


def test_uses_standard_operators_only(plain: Exported) -> None:
    model = onnx.load(plain.path)
    assert [(used.domain, used.version >= 17) for used in model.opset_import] == [("", True)]
    assert not model.functions
    (waveform,) = model.graph.input
    assert waveform.type.tensor_type.shape.dim[0].dim_param == "sample"


def test_names_nothing_of_the_machine_it_was_made_on(plain: Exported) -> None:
    content = plain.path.read_bytes() + plain.path.with_suffix(".json").read_bytes()
    for place in (Path(dgmix.__file__).parents[2], Path(torch.__file__).parents[1], Path.home()):
        assert str(place).encode() not in content
    assert b"waveform.py" not in content


def test_names_no_place_of_weights(tiny: Recipe, tmp_path: Path) -> None:
    weights = tmp_path / "weights.pt"
    recipe = changed(tiny, encoder={"name": "temporal"})
    torch.save(build_network(recipe, 5).encoder.state_dict(), weights)
    detector = learned(changed(recipe, encoder={"weights": str(weights)}))
    path = exported(detector, tmp_path / "out", embedding=True).path
    for file in (path, path.with_suffix(".json")):
        assert str(tmp_path).encode() not in file.read_bytes()
        assert b"weights.pt" in file.read_bytes()


def test_describes_itself(plain: Exported) -> None:
    about = json.loads(plain.path.with_suffix(".json").read_text())
    assert about["sha256"] == hashlib.sha256(plain.path.read_bytes()).hexdigest()
    assert about["sample_rate"] == RATE
    calibration = plain.fitted.calibration("")
    assert about["threshold"] == calibration.threshold(ALARMS)
    assert about["healthy_scores"]["greatest"] == calibration.known.scores.max()
    assert (about["recordings"], about["conditions"]) == (12, {"source": 8, "target": 4})
    assert about["smallest_false_alarm_rate"] == pytest.approx(1 / 13)
    assert parse_recipe(about["recipe"], "json") == plain.fitted.recipe
    inside = plain.session.get_modelmeta().custom_metadata_map["dgmix"]
    assert json.loads(inside) == {key: about[key] for key in about if key != "sha256"}


def test_refuses_an_unknown_section(tiny: Recipe, unwritten: Path) -> None:
    with pytest.raises(InputError, match=r"section 07: .* choose from 00, 01"):
        export_onnx(learned(tiny, Small), unwritten, section="07")


def test_refuses_a_rate_that_the_recordings_do_not_support(tiny: Recipe, unwritten: Path) -> None:
    with pytest.raises(InputError, match=r"0\.01 needs 99 healthy recordings"):
        export_onnx(learned(tiny, Small), unwritten, false_alarm_rate=0.01)


def test_refuses_a_memory_beyond_the_format(
    tiny: Recipe, unwritten: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "LARGEST_BYTES", 100)
    with pytest.raises(InputError, match="12 recordings is too large"):
        export_onnx(learned(tiny, Small), unwritten, false_alarm_rate=ALARMS)


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_says_what_to_install(
    package: str, tiny: Recipe, unwritten: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"needs {package}, .*pip install 'dgmix\[onnx\]'"):
        export_onnx(learned(tiny, Small), unwritten)


def test_keeps_no_file_that_disagrees(
    plain: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = plain.path.read_bytes()
    kept = tmp_path / "detector.onnx"
    kept.write_bytes(before)
    other = learned(changed(plain.fitted.recipe, input={"standardize": False}), Small)
    monkeypatch.setattr(export, "_to_onnx", lambda *_: onnx.load_from_string(before))
    with pytest.raises(DgmixError, match="score of the ONNX model differs"):
        export_onnx(other, tmp_path, false_alarm_rate=ALARMS)
    assert list(tmp_path.iterdir()) == [kept]
    assert kept.read_bytes() == before


def test_command_prints_where_the_model_is(
    tiny: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    calls = {}

    def record(fitted: FittedDetector, folder: Path, **options: Any) -> Path:
        calls.update(options, recordings=len(fitted.memory.clips))
        return folder / "fan.onnx"

    monkeypatch.setattr(export, "export_onnx", record)
    save_detector(learned(tiny), tmp_path / "fan.dgmix")
    options = ["--section", "01", "--false-alarm-rate", "0.2", "--embedding"]
    command = ["dgmix", "export", str(tmp_path / "fan.dgmix"), "--onnx", str(tmp_path), *options]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    assert capsys.readouterr().out == f"{tmp_path / 'fan.onnx'}\n"
    assert calls == {
        "name": "fan",
        "section": "01",
        "false_alarm_rate": 0.2,
        "embedding": True,
        "recordings": 12,
    }
