"""Encoders, scorers and views from outside, through the doors that people use."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dgmix import Detector, InputError, load_recipe
from dgmix.audio.io import write_wav
from dgmix.config import Recipe
from dgmix.detect.bundle import load_detector
from dgmix.pipeline import run
from dgmix.plugins import OWN, Plugins, installed

RATE = 16_000
Command = Callable[..., tuple[int, str, str]]
pytestmark = pytest.mark.usefixtures("own_cache")


class Net(nn.Module):
    """(crop, 1, mel, frame) → a map (crop, 4, mel, frame)."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layers = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.layers(x)
        return features


class Centre:
    """The distance to the mean of the references."""

    def fit(self, references: NDArray[np.floating]) -> Centre:
        self.mean = references.mean(0)
        return self

    def score(self, queries: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.linalg.norm(queries - self.mean, axis=1).astype(np.float64)


def crest(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far the loudest moment is above the mean."""
    return np.asarray(levels.max(0) - levels.mean(0))


def loudness(signals: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.abs(signals.reshape(len(signals), -1, 100)).mean(2)


FILE = """
import numpy as np

class Centre:
    def fit(self, references):
        self.mean = references.mean(0)
        return self

    def score(self, queries):
        return np.linalg.norm(queries - self.mean, axis=1).astype(np.float64)

def crest(levels):
    return levels.max(0) - levels.mean(0)

views = {"crest": crest}
scorers = {"centre": Centre()}
"""


def sounds(count: int, seed: int = 0) -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    return [(0.1 * rng.standard_normal(RATE // 2)).astype(np.float32) for _ in range(count)]


QUERIES = [sounds(1)[0], np.eye(1, RATE // 2, 4000, dtype=np.float32)[0], *sounds(1, 9)]


def fitted(recipe: Recipe, **given: Any) -> Detector:
    return Detector(recipe, sample_rate=RATE, **given).fit(sounds(6))


@pytest.mark.parametrize(
    "given",
    [
        {"encoder": Net()},
        {"encoder": lambda crops: crops.mean(3)[:, 0]},
        {"scorer": Centre()},
        {"views": {"crest": crest}},
        {"encoder": Net(), "scorer": Centre(), "views": {"crest": crest}},
    ],
    ids=lambda given: "-".join(given),
)
def test_an_object_goes_in_is_named_by_the_file_and_given_back(
    given: dict[str, Any], tiny: Recipe, tmp_path: Path
) -> None:
    detector = fitted(tiny, **given)
    scores = detector.score_samples(QUERIES)
    assert np.ptp(scores) > 0
    detector.save(tmp_path / "mine.dgmix")
    with pytest.raises(InputError, match=r"mine.dgmix: needs the \w+ '\w+', which is code, and no"):
        Detector.load(tmp_path / "mine.dgmix")
    again = Detector.load(tmp_path / "mine.dgmix", **given).set_params(sample_rate=RATE)
    np.testing.assert_allclose(again.score_samples(QUERIES), scores, rtol=1e-9)
    wanted = {"encoder": "dgmix", "views": "crest"}
    assert {wanted[key] for key in given if key in wanted} <= set(detector.fitted_.views)


def test_the_weights_of_a_module_are_those_of_the_file(tiny: Recipe, tmp_path: Path) -> None:
    detector = fitted(tiny, encoder=Net())
    detector.save(tmp_path / "mine.dgmix")
    again = Detector.load(tmp_path / "mine.dgmix", encoder=Net(7)).set_params(sample_rate=RATE)
    assert np.array_equal(again.score_samples(QUERIES), detector.score_samples(QUERIES))


def test_another_encoder_than_it_was_made_with_is_refused(tiny: Recipe, tmp_path: Path) -> None:
    fitted(tiny, encoder=lambda crops: crops.mean(3)[:, 0]).save(tmp_path / "mine.dgmix")
    for other, sentence in (
        (lambda crops: 2 * crops.mean(3)[:, 0], "mine.dgmix: the encoder .* is not the one that"),
        (Net(), "or not with the encoder that is given"),
    ):
        with pytest.raises(InputError, match=sentence):
            Detector.load(tmp_path / "mine.dgmix", encoder=other)


def test_a_waveform_goes_to_an_encoder_that_takes_it(tiny: Recipe, tmp_path: Path) -> None:
    settings = tiny.encoder.model_copy(update={"input": "waveform"})
    recipe = tiny.model_copy(update={"encoder": settings})
    paths = [tmp_path / f"{number}.wav" for number in range(6)]
    for path, sound in zip(paths, sounds(6), strict=True):
        write_wav(path, sound, RATE)
    of_arrays = fitted(recipe, encoder=loudness)
    of_files = Detector(recipe, encoder=loudness, cache=tmp_path / "cache").fit(
        list(map(str, paths))
    )
    vectors = of_files.fitted_.memory.views["dgmix"].values
    signals = np.stack(sounds(6))
    signals = signals - signals.mean(1, keepdims=True)
    np.testing.assert_allclose(vectors, loudness(signals), atol=1e-4)
    expected = of_arrays.fitted_.memory.views["dgmix"].values
    np.testing.assert_allclose(vectors, expected, atol=1e-4)
    assert of_arrays.score_samples(QUERIES)[1] > of_arrays.score_samples(QUERIES)[0]
    more = Detector.of(of_arrays.fitted_).set_params(sample_rate=RATE)
    assert len(more.update(sounds(2, 5), accept=True).fitted_.memory.clips) == 8


@pytest.mark.filterwarnings("ignore")  # of torch's exporter
def test_an_onnx_file_becomes_part_of_the_detector(tiny: Recipe, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="part of the extra 'onnx', which is not installed")
    file = tmp_path / "net.onnx"
    torch.onnx.export(Net().eval(), (torch.zeros(2, 1, 32, 16),), file, dynamo=False)
    changes = ["encoder.name=onnx", f"encoder.weights={file}", "features.n_mels=32"]
    recipe = load_recipe("default", [*changes, "input.crop_seconds=0.5", "detect.hop_seconds=0.5"])
    assert recipe.detect.views[-1] == "dgmix"
    with pytest.raises(InputError, match=r"takes \(2, 1, 32, 16\), and the recipe has crops of"):
        fitted(recipe)
    options = {"dynamic_axes": {"x": {0: "crop"}}, "input_names": ["x"], "dynamo": False}
    torch.onnx.export(Net().eval(), (torch.zeros(2, 1, 32, 16),), file, **options)
    detector = fitted(recipe)
    scores = detector.score_samples(QUERIES)
    detector.save(tmp_path / "mine.dgmix")
    file.unlink()
    again = Detector.load(tmp_path / "mine.dgmix").set_params(sample_rate=RATE)
    assert np.array_equal(again.score_samples(QUERIES), scores)
    assert Path(again.fitted_.recipe.encoder.weights).name == again.fitted_.recipe.encoder.weights


def test_a_recipe_names_a_file_and_a_detector_file_never_runs_it(
    dgmix: Command, tmp_path: Path
) -> None:
    (tmp_path / "healthy").mkdir()
    for number, sound in enumerate(sounds(6)):
        write_wav(tmp_path / "healthy" / f"{number}.wav", sound, RATE)
    (tmp_path / "mine.py").write_text(FILE)
    recipe, detector = tmp_path / "mine.yaml", tmp_path / "mine.dgmix"
    recipe.write_text("detect: {views: [crest], scorer: centre}\nplugins: [mine.py]\n")
    status, _, err = dgmix("fit", tmp_path / "healthy", "-o", detector, "--recipe", recipe)
    assert status == 0, err
    status, _, err = dgmix("score", detector, tmp_path / "healthy")
    assert status == 2
    assert "needs the scorer 'centre', which is code" in err
    assert "give it by --plugins FILE.py" in err
    assert "It was in mine.py." in err
    given = ["--plugins", tmp_path / "mine.py"]
    status, out, err = dgmix("score", detector, tmp_path / "healthy", "--json", *given)
    assert status == 0, err
    assert len(list(map(json.loads, out.splitlines()))) == 6
    assert dgmix("info", detector, *given)[0] == 0
    status, _, err = dgmix("export", detector, "--onnx", tmp_path / "out", *given)
    assert (status, "only the scorers knn and kriging" in err) == (2, True)


def test_a_run_has_what_is_plugged_in(
    tiny: Recipe, simulated: Path, shared_cache: Path, in_process: None, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(FILE)
    changes = [
        "detect.views=[crest, logmel-max]",
        "detect.scorer=centre",
        "evaluate.baselines=[crest]",
    ]
    sizes = ["audio.sample_rate=16000", "features.n_mels=32", "evaluate.bootstrap=20"]
    options: dict[str, Any] = {"changes": [*changes, *sizes], "machines": ["fan"], "device": "cpu"}
    file = [tmp_path / "mine.py"]
    output = run(
        "default", simulated, tmp_path / "run", plugins=file, cache=shared_cache, **options
    )
    unit = output / "fan" / "seed0"
    assert (unit / "scores_crest.csv").exists()
    assert (output / "report.html").exists()
    file[0].write_text(FILE + "\n# changed\n")
    with pytest.raises(
        InputError, match=r"plugins.sha256: this folder holds a run of other plug-in"
    ):
        run("default", simulated, output, plugins=file, cache=shared_cache, **options)
    with pytest.raises(InputError, match=r"detector.dgmix: needs the scorer 'centre'"):
        load_detector(unit / "detector.dgmix")
    assert load_detector(unit / "detector.dgmix", file).views == ["crest", "logmel-max"]


def test_a_view_without_a_form_for_tensors_is_exported_or_refused_in_a_sentence(
    tiny: Recipe, tmp_path: Path
) -> None:
    pytest.importorskip("onnxscript", reason="part of the extra 'onnx', which is not installed")
    recipe = load_recipe("default", ["detect.views=[logmel-max]", "features.n_mels=32"])
    odd = {"odd": lambda levels: np.median(levels, 0)}
    with pytest.raises(InputError, match=r"view 'odd' cannot become part of an ONNX file"):
        fitted(recipe, views=odd).export_onnx(tmp_path)
    assert not list(tmp_path.iterdir())
    even = {"even": lambda levels: levels.mean(0)}
    assert fitted(recipe, views=even).export_onnx(tmp_path).exists()


def test_an_installed_package_is_found_by_its_entry_points(
    tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "dgmix_crest-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: dgmix-crest\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(
        "[dgmix.views]\ncrest = crested:crest\nbroken = nowhere:at_all\n"
    )
    (tmp_path / "crested.py").write_text(FILE)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules["dgmix.plugins"]._installed.cache_clear()
    try:
        assert set(installed("views")) == {"crest", "broken"}
        recipe = load_recipe("default", ["detect.views=[crest]", "features.n_mels=32"])
        fitted(recipe).save(tmp_path / "mine.dgmix")
        assert Detector.load(tmp_path / "mine.dgmix").fitted_.views == ["crest"]
        with pytest.raises(InputError, match="'broken' of the package dgmix-crest cannot be impo"):
            fitted(load_recipe("default", ["detect.views=[broken]"]))
    finally:
        monkeypatch.undo()
        sys.modules["dgmix.plugins"]._installed.cache_clear()
        sys.modules.pop("crested", None)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"viws": {}}, r"there is no kind 'viws' \(did you mean 'views'\?\)"),
        ({"views": {"cepstrum": crest}}, "dgmix itself has 'cepstrum' in views; take another name"),
        ({"views": {"a/b": crest}}, "'a/b' in views is no name; take letters"),
        ({"views": [crest]}, "views must be a dictionary of objects by name"),
        (3, "plugins: give a list of Python files, or of each kind"),
        (["gone.py"], r"gone.py: there is no such file of plug-ins"),
    ],
)
def test_what_cannot_be_plugged_in_is_one_sentence(given: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        load_recipe("default", plugins=given)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1 / 0", r"mine.py: failed: ZeroDivisionError: division by zero"),
        ("x = 1", r"mine.py: plugs nothing in; it needs a dictionary called encoders, objectives"),
        ("views = {'logmel-max': max}", "dgmix itself has 'logmel-max' in views"),
    ],
)
def test_a_file_that_is_none_is_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(InputError, match=sentence):
        load_recipe("default", plugins=[tmp_path / "mine.py"])


def test_a_view_that_gives_no_vector_of_its_size_is_one_sentence(tiny: Recipe) -> None:
    with pytest.raises(InputError, match=r"view 'long': shape \(\d+,\) of a recording, or a value"):
        fitted(tiny, views={"long": lambda levels: levels.mean(1)})


ADDED = {
    "views": (
        "CREST",
        "CREST = RawView(lambda levels: levels.max(0) - levels.mean(0), 'c', (2.0,))",
    ),
    "scorers": ("Centre", FILE),
    "encoders": (
        "Mean",
        "from torch import nn\n"
        "class Mean(nn.Module):\n"
        "    def __init__(self, settings, n_mels, frames):\n"
        "        super().__init__()\n"
        "        self.embedding_size, self.layer = n_mels, nn.Linear(n_mels, n_mels)\n"
        "    def forward(self, mels):\n"
        "        return self.layer(mels.mean(3)[:, 0])\n",
    ),
}


@pytest.mark.parametrize("kind", ADDED)
def test_a_member_of_dgmix_is_one_file_and_one_line(
    kind: str, tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What CONTRIBUTING.md says: settings, a detector, its file and contract go by these two."""
    name, text = ADDED[kind]
    made = "def __init__(self, settings):\n        pass\n\n    def fit(self"
    text = text.replace("def fit(self", made).replace("Centre()", "Centre")
    (tmp_path / "added.py").write_text("from dgmix.detect.views import RawView\n" + text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(OWN[kind], "added", f"added:{name}")  # the line
    setting = {"views": "detect.views=[added]", "scorers": "detect.scorer=added"}
    learned = "detect.views=[dgmix]"
    changes = [setting.get(kind, "encoder.name=added"), *([learned] if kind == "encoders" else [])]
    sizes = [
        "features.n_mels=32",
        "input.crop_seconds=0.5",
        "pretrain.max_steps=1",
        "pretrain.epochs=1",
    ]
    try:
        detector = fitted(load_recipe("default", [*changes, *sizes]))
        detector.save(tmp_path / "added.dgmix")
        again = Detector.load(tmp_path / "added.dgmix").set_params(sample_rate=RATE)
        assert np.array_equal(again.score_samples(QUERIES), detector.score_samples(QUERIES))
        given = Plugins().find(kind, "added")  # type: ignore[arg-type]
        checks = __import__("dgmix.testing", fromlist=["x"])
        getattr(checks, f"check_{kind[:-1]}")(given)
    finally:
        sys.modules.pop("added", None)


class Bare(nn.Module):
    """A class that is called with nothing, where dgmix calls it with settings and sizes."""

    def __init__(self) -> None:
        super().__init__()


@pytest.mark.parametrize(
    ("kind", "given", "change"),
    [
        ("scorers", Centre, "detect.scorer=mine"),
        ("encoders", Bare, "encoder.name=mine"),
        ("objectives", Bare, "finetune.objective=mine"),
    ],
)
def test_a_class_that_takes_other_arguments_is_one_sentence(
    kind: str, given: type, change: str
) -> None:
    views = "detect.views=[logmel-max]" if kind == "scorers" else "detect.views=[dgmix]"
    changes = [change, views, "pretrain.epochs=0", "finetune.epochs=1", "audio.sample_rate=16000"]
    recipe = load_recipe("default", changes, {kind: {"mine": given}})
    sound = [np.random.default_rng(i).normal(size=RATE).astype(np.float32) for i in range(4)]
    with pytest.raises(InputError, match=f"{kind[:-1]} 'mine': a class is called with"):
        _ = Detector(recipe).fit(sound, sample_rate=RATE, sections=["a", "b"] * 2).threshold_
