"""Encoders from ONNX files: equal to torch's, whatever their form, and nothing but data."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dgmix.config import EncoderSettings, load_recipe
from dgmix.errors import InputError
from dgmix.model.encoders import build_encoder
from dgmix.model.network import build_network
from dgmix.plugins import Plugins

onnx = pytest.importorskip("onnx", reason="part of the extra 'onnx', which is not installed")
pytest.importorskip("onnxruntime", reason="part of the extra 'onnx', which is not installed")

MELS, FRAMES, SAMPLES = 32, 16, 800


def saved(graph: Any, folder: Path, **options: Any) -> Path:
    opset = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8, **options)
    onnx.save(model, folder / "net.onnx")
    return folder / "net.onnx"


def graph(
    nodes: list[Any], shape: list[Any], weights: dict[str, np.ndarray] | None = None, **other: Any
) -> Any:
    """Return a graph from `x` of a shape to `y`, and to others by name."""
    kind = onnx.TensorProto.FLOAT
    arrays = [onnx.numpy_helper.from_array(v, k) for k, v in (weights or {}).items()]
    outputs = [onnx.helper.make_tensor_value_info(k, kind, None) for k in ("y", *other)]
    given = [onnx.helper.make_tensor_value_info("x", kind, shape)]
    return onnx.helper.make_graph(nodes, "net", given, outputs, arrays)


def encoder(path: Path, **settings: Any) -> Any:
    return build_encoder(
        EncoderSettings(name="onnx", weights=str(path), **settings), MELS, FRAMES, samples=SAMPLES
    )


@pytest.mark.filterwarnings("ignore")  # of torch's exporter
@pytest.mark.parametrize("name", ["light", "temporal"])
def test_an_exported_encoder_of_ours_gives_what_torch_gives(name: str, tmp_path: Path) -> None:
    sizes = ["audio.sample_rate=16000", "features.n_mels=32", "input.crop_seconds=0.5"]
    changes = [*sizes, f"encoder.name={name}"]
    ours = build_network(load_recipe("learned", [*changes, "encoder.width=0.25"]), 3).eval()
    file = tmp_path / "net.onnx"
    crops = torch.rand(2, 1, 32, ours.crop_frames)
    options = {"input_names": ["x"], "dynamic_axes": {"x": {0: "crop"}}, "dynamo": False}
    torch.onnx.export(ours.encoder, (crops,), file, opset_version=18, **options)
    wanted = ["encoder.name=onnx", f"encoder.weights={file}"]
    theirs = build_network(load_recipe("learned", [*sizes, *wanted]), 0).eval()
    mels = torch.rand(2, ours.crop_frames, 32)
    with torch.inference_mode():
        expected = ours(mels)
        torch.testing.assert_close(theirs(mels), expected, atol=1e-5, rtol=1e-5)
    assert theirs.embedding_size == ours.embedding_size
    again = pickle.loads(pickle.dumps(theirs))
    assert torch.equal(again(mels), theirs(mels))


def identity(shape: list[Any], axes: list[int]) -> Any:
    return graph([onnx.helper.make_node("ReduceMean", ["x"], ["y"], axes=axes, keepdims=0)], shape)


@pytest.mark.parametrize(
    ("shape", "axes", "expected"),
    [
        (["n", 1, MELS, FRAMES], [1, 3], lambda x: x.mean((1, 3))),
        (["n", 1, FRAMES, MELS], [1, 2], lambda x: x.mean((1, 3))),
        (["n", "mel", "frame"], [2], lambda x: x.mean((1, 3))),
        (["n", FRAMES, MELS], [1], lambda x: x.mean((1, 3))),
        ([1, 1, MELS, "frame"], [1, 3], lambda x: x.mean((1, 3))),
    ],
)
def test_mels_go_in_as_the_model_has_them(
    shape: list[Any], axes: list[int], expected: Any, tmp_path: Path
) -> None:
    crops = torch.rand(3, 1, MELS, FRAMES)
    made = encoder(saved(identity(shape, axes), tmp_path))
    assert made.takes == "mel"
    torch.testing.assert_close(made(crops), expected(crops))


@pytest.mark.parametrize("shape", [["n", "sample"], ["sample"], [1, SAMPLES]])
def test_a_waveform_and_a_map_are_pooled_over_time(shape: list[Any], tmp_path: Path) -> None:
    """As YAMNet has it: (sample,) to (frame, dim)."""
    lead = [0] if len(shape) > 1 else []
    sizes = np.array([*lead, -1, 8], np.int64)
    net = graph([onnx.helper.make_node("Reshape", ["x", "s"], ["y"])], shape, {"s": sizes})
    file = saved(net, tmp_path)
    signals = torch.rand(3, SAMPLES)
    made = encoder(file, pool=["mean", "max", "deviation"], time_axis=1)
    assert (made.takes, made.embedding_size) == ("waveform", 24)
    frames = signals.reshape(3, -1, 8)
    expected = [frames.mean(1), frames.amax(1), frames.std(1, correction=0)]
    torch.testing.assert_close(made(signals), torch.cat(expected, 1))


def test_another_output_is_chosen_by_name(tmp_path: Path) -> None:
    nodes = [
        onnx.helper.make_node("Identity", ["x"], ["y"]),
        onnx.helper.make_node("Neg", ["x"], ["z"]),
    ]
    file = saved(graph(nodes, ["n", "sample"], z=None), tmp_path)
    signals = torch.rand(2, SAMPLES)
    torch.testing.assert_close(encoder(file, output="z")(signals), -signals)
    with pytest.raises(InputError, match=r"no output 'q'; encoder.output may be y, z"):
        encoder(file, output="q")


def in_another_file(folder: Path) -> Path:
    weights = {"w": np.ones((SAMPLES, 4), np.float32)}
    net = graph([onnx.helper.make_node("MatMul", ["x", "w"], ["y"])], ["n", SAMPLES], weights)
    file = saved(net, folder)
    onnx.save(onnx.load(file), file, save_as_external_data=True, location="w", size_threshold=0)
    return file


def in_a_branch(folder: Path) -> Path:
    """A reference to another file inside of the branch of an `If`, and as an attribute."""
    tensor = onnx.numpy_helper.from_array(np.ones(1, np.float32), "v")
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    constant = onnx.helper.make_node("Constant", [], ["b"])
    constant.attribute.add(name="value", type=onnx.AttributeProto.TENSOR).t.CopyFrom(tensor)
    out = [onnx.helper.make_tensor_value_info("b", onnx.TensorProto.FLOAT, None)]
    branch = onnx.helper.make_graph([constant], "branch", [], out)
    condition = onnx.numpy_helper.from_array(np.array(True), "c")
    node = onnx.helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    net = graph([node], ["n", SAMPLES])
    net.initializer.append(condition)
    return saved(net, folder)


def of_another_domain(folder: Path) -> Path:
    node = onnx.helper.make_node("Run", ["x"], ["y"], domain="evil.ops")
    opset = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("evil.ops", 1)]
    model = onnx.helper.make_model(graph([node], ["n", SAMPLES]), opset_imports=opset, ir_version=8)
    onnx.save(model, folder / "net.onnx")
    return folder / "net.onnx"


def of_another_length(folder: Path) -> Path:
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    return saved(graph([node], ["n", 999]), folder)


def no_model(folder: Path) -> Path:
    (folder / "net.onnx").write_bytes(b"hello, I am text")
    return folder / "net.onnx"


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (in_another_file, "keeps weights in another file; save it as one"),
        (in_a_branch, "keeps weights in another file; save it as one"),
        (of_another_domain, "needs operators of evil.ops, which are code from elsewhere"),
        (of_another_length, r"takes \(n, 999\), and the recipe has crops of \(800\)"),
        (no_model, "not an ONNX model|onnxruntime cannot use this model"),
    ],
)
def test_what_is_more_than_data_or_does_not_fit_is_refused(
    make: Any, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=sentence):
        encoder(make(tmp_path))


class Map(nn.Module):
    """(crop, 1, mel, frame) → (crop, 2, mel, frame), and something else."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.cat([x, -x], 1), x


def given(what: Any, **settings: Any) -> Any:
    wanted = EncoderSettings(name="mine", **settings)
    return build_encoder(wanted, MELS, FRAMES, Plugins(encoders={"mine": what}), SAMPLES)


def test_a_module_and_a_function_are_pooled_alike() -> None:
    crops = torch.rand(3, 1, MELS, FRAMES)
    of_module = given(Map(), pool=["max"])(crops)
    of_function = given(lambda x: np.concatenate([x, -x], 1), pool=["max"])(crops)
    torch.testing.assert_close(of_module, torch.cat([crops, -crops], 1).amax(3).flatten(1))
    torch.testing.assert_close(of_function, of_module)


def test_a_module_is_copied_and_never_trained() -> None:
    module = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten())
    made = given(module).train()
    made(torch.rand(4, 1, MELS, FRAMES))
    assert not any(part.training for part in made.modules())
    assert module.training
    assert not any(p.requires_grad for p in made.parameters())
    assert int(module[0].num_batches_tracked) == 0


@pytest.mark.parametrize(
    ("what", "settings", "sentence"),
    [
        (lambda x: x.sum(), {}, r"shape \(\) of 2 crops; it must give"),
        (lambda x: x[:1, 0, 0], {}, r"shape \(1, 16\) of 2 crops"),
        (lambda x: x[:, 0, 0] / 0.0 * 0.0, {}, "a value that is not a number"),
        (lambda x: x, {"time_axis": 4}, "encoder.time_axis: 4, of an output of shape"),
        (lambda x: x, {"time_axis": 0}, "encoder.time_axis: 0, of an output of shape"),
        (lambda x: {"a": x[:, 0, 0]}, {"output": "b"}, "the encoder gives no 'b'; it gives a"),
        (lambda x: x[:, 0, 0], {"ensemble": 2}, "would all be the same; set it to 1"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_gives_no_embeddings_is_refused(
    what: Any, settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        given(what, **settings)
