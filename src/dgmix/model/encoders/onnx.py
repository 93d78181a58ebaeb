"""An encoder from an ONNX file: data for onnxruntime, from which no other code can run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dgmix.config import ONNX, EncoderSettings
from dgmix.errors import InputError, first_few
from dgmix.model.encoders.frozen import FrozenEncoder

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}  # operators that onnxruntime itself has
TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}


class OnnxEncoder(FrozenEncoder):
    """What an ONNX model gives of its only input.

    An input (sample,) or (crop, sample) is a waveform; one of (crop, 1, mel, frame) or (crop, mel,
    frame), either with mel and frame the other way round, is what `input` makes of the spectrogram.
    `model` uint8 (byte,) is the whole file, which a detector keeps.
    """

    model: Tensor

    def __init__(
        self, settings: EncoderSettings, content: bytes, sizes: tuple[int, int, int]
    ) -> None:
        origin = settings.weights or ONNX
        n_mels, frames, samples = sizes
        check_model(content, origin)
        session = open_session(content, origin)
        (given,) = session.get_inputs()
        self._shape: list[Any] = list(given.shape)
        rank = len(self._shape)
        super().__init__(settings, "waveform" if rank <= 2 else "mel")
        self.register_buffer("model", torch.from_numpy(np.frombuffer(content, np.uint8).copy()))
        self._session, self._input, self._type = session, given.name, TYPES[given.type]
        self._output = self._output_named(settings.output, origin)
        self._alone = rank == 1 or self._shape[0] == 1
        self._transposed = rank > 2 and self._shape[-1] == n_mels != self._shape[-2]
        expected = [samples] if rank <= 2 else [n_mels, frames]
        self._check_sizes(expected[::-1] if self._transposed else expected, origin)
        self.start(sizes)

    def outputs(self, inputs: Tensor) -> Tensor:
        """Return the output of a model, (crop, …), float32."""
        values = self._arranged(inputs.cpu().numpy().astype(self._type))
        if not self._alone:
            outputs = self._run(values)
        elif values.ndim == 1 + len(self._shape):  # the model has no axis of crops
            outputs = np.stack([self._run(each) for each in values])
        else:
            outputs = np.concatenate([self._run(each[None]) for each in values])
        return torch.from_numpy(outputs.astype(np.float32)).to(inputs.device)

    def _run(self, values: NDArray[Any]) -> NDArray[Any]:
        if self._session is None:
            self._session = open_session(self.model.cpu().numpy().tobytes(), self.settings.name)
        try:
            (output,) = self._session.run([self._output], {self._input: values})
        except Exception as error:
            raise InputError(
                f"encoder.weights: onnxruntime cannot compute a crop of shape {values.shape} with "
                f"this model ({' '.join(str(error).split())}); see input.crop_seconds"
            ) from error
        return np.asarray(output)

    def _arranged(self, values: NDArray[Any]) -> NDArray[Any]:
        if len(self._shape) == 3:
            values = values[:, 0]
        return np.ascontiguousarray(values.swapaxes(-1, -2)) if self._transposed else values

    def _output_named(self, name: str, origin: str) -> str:
        names = [each.name for each in self._session.get_outputs()]
        if name and name not in names:
            raise InputError(
                f"{origin}: no output '{name}'; encoder.output may be {', '.join(names)}"
            )
        return str(name or names[0])

    def _check_sizes(self, expected: list[int], origin: str) -> None:
        """Raise `InputError` where the model takes crops of another size than the recipe's."""
        fixed = [each if isinstance(each, int) else None for each in self._shape]
        theirs = fixed[len(fixed) - len(expected) :]
        ones = fixed[: max(0, len(fixed) - len(expected))]  # crops, and their single channel
        pairs = zip(theirs, expected, strict=True)
        if any(one not in (None, 1) for one in ones) or any(
            size not in (None, wanted) for size, wanted in pairs
        ):
            raise InputError(
                f"{origin}: takes {shown(self._shape)}, and the recipe has crops of "
                f"{shown(expected)}; change input.crop_seconds, features or audio.sample_rate, or "
                "export the model for any number of crops"
            )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_session": None}


def shown(shape: Iterable[Any]) -> str:
    """Return a shape as text."""
    return f"({', '.join(str(each) for each in shape)})"


def read_model(path: Path) -> bytes:
    """Return the content of a file. Raises `InputError` where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def check_model(content: bytes, origin: str) -> None:
    """Raise `InputError` unless a model is all in these bytes and needs no code from elsewhere.

    That is also where onnx or onnxruntime is not installed.
    """
    try:
        import onnx
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"encoder 'onnx' needs {error.name}, which is not installed: pip install 'dgmix[onnx]'"
        ) from error
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:
        raise InputError(f"{origin}: not an ONNX model; give a file.onnx") from error
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in _tensors(model)):
        raise InputError(
            f"{origin}: keeps weights in another file; save it as one: "
            "onnx.save(onnx.load('net.onnx'), 'whole.onnx')"
        )
    own = {function.domain for function in model.functions}
    strange = sorted({node.domain for node in _nodes(model)} - DOMAINS - own)
    if strange:
        raise InputError(
            f"{origin}: needs operators of {first_few(strange)}, which are code from elsewhere; "
            "export it with standard operators"
        )


def _graphs(model: ModelProto) -> Iterator[GraphProto]:
    """Yield all graphs of a model, those inside of others too."""
    waiting = [model.graph]
    for function in model.functions:
        for node in function.node:
            waiting += _inner(node)
    while waiting:
        graph = waiting.pop()
        yield graph
        for node in graph.node:
            waiting += _inner(node)


def _inner(node: NodeProto) -> list[GraphProto]:
    return [graph for each in node.attribute for graph in (*each.graphs, each.g)]


def _nodes(model: ModelProto) -> Iterator[NodeProto]:
    for graph in _graphs(model):
        yield from graph.node
    for function in model.functions:
        yield from function.node


def _tensors(model: ModelProto) -> Iterator[TensorProto]:
    for graph in _graphs(model):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for node in _nodes(model):
        for each in node.attribute:
            yield from (*each.tensors, each.t)
            for sparse in (*each.sparse_tensors, each.sparse_tensor):
                yield from (sparse.values, sparse.indices)


def open_session(content: bytes, origin: str) -> Any:
    """Return an onnxruntime session, in one thread. Raises `InputError` for an unusable model."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{origin}: onnxruntime cannot use this model ({reason})") from error
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in TYPES or not 1 <= len(inputs[0].shape) <= 4:
        described = first_few([f"{each.name} {each.type} {each.shape}" for each in inputs])
        raise InputError(
            f"{origin}: takes {described or 'nothing'}; a model is needed that takes one array of "
            "numbers: (sample,), (crop, sample), (crop, mel, frame) or (crop, 1, mel, frame)"
        )
    return session
