"""A detector as an ONNX file, from waveform to verdict, for machines without dgmix or torch.

The decisions are in docs/onnx.md.
"""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from dgmix.audio.bank import bank_of_signals
from dgmix.audio.frames import hop_frames
from dgmix.audio.io import to_signal
from dgmix.config import Recipe
from dgmix.detect.bundle import recipe_of
from dgmix.detect.compare import Direct
from dgmix.detect.conformal import smallest_rate
from dgmix.detect.embed import embed_clips
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.one_channel import of_one_channel
from dgmix.detect.summary import plain
from dgmix.detect.waveform import WaveformEmbedding, WaveformVerdict, can_be_exported
from dgmix.errors import DgmixError, InputError
from dgmix.files import atomic_path

if TYPE_CHECKING:
    from onnx import ModelProto

FORMAT = 2
OPSET = 18
OUTPUTS = ("score", "p_value", "anomaly", "embedding")
LARGEST_BYTES = 1_900_000_000  # an ONNX file is one protobuf message: less than 2 GiB
AGREEMENT = 1e-3
Floats = NDArray[np.floating]


def export_onnx(
    fitted: FittedDetector,
    folder: Path,
    *,
    name: str = "detector",
    section: str = "",
    false_alarm_rate: float | None = None,
    embedding: bool = False,
) -> Path:
    """Write `folder`/`name`.onnx, and `name`.json that describes it; return the former's path.

    The model takes `waveform` float32 (sample,) at the recipe's sample rate, of any length, and
    gives `score` float64 (), `p_value` float32 (), `anomaly` bool () at `false_alarm_rate` (by
    default the detector's), and, of a learned view, `embedding` float32 (dim,), the mean over the
    windows. With `embedding` it gives the last only and is called `name`-embedding.onnx. A clip is
    compared with `section`, or with all clips.

    Both files appear only after onnxruntime has run the model and agreed with the detector.
    Raises `InputError` where onnx is not installed, where several channels are compared, for an
    unknown section, for a rate that the recordings do not support, and for a memory beyond the
    2 GiB of an ONNX file.
    """
    fitted = of_one_channel(fitted, "an ONNX file")
    _check_installed()
    _check_encoder(fitted)
    outputs = _outputs(fitted, embedding)
    description = _description(fitted, outputs)
    module: nn.Module = _embedding(fitted)
    if not embedding:
        fitted.check_section(section)
        rate = fitted.rate(false_alarm_rate, [section])
        description |= _calibration(fitted, section, rate)
        module = _verdict(fitted, section, rate)
    description["recipe"] = recipe_of(fitted)
    path = Path(folder) / (f"{name}-embedding.onnx" if embedding else f"{name}.onnx")
    content = _to_onnx(module, outputs, description).SerializeToString(deterministic=True)
    with atomic_path(path.with_suffix(".json")) as about, atomic_path(path) as file:
        file.write_bytes(content)
        _check(file, fitted, section)
        description = {"sha256": hashlib.sha256(content).hexdigest(), **description}
        about.write_text(json.dumps(description, indent=2) + "\n", "utf-8")
    return path


def _outputs(fitted: FittedDetector, embedding: bool) -> tuple[str, ...]:
    """Return the names of a model's outputs; raises `InputError` for an embedding without one."""
    if embedding and fitted.network is None:
        raise InputError("--embedding: no view of this detector is learned; it has no embedding")
    return OUTPUTS[-1:] if embedding else OUTPUTS[: None if fitted.network else -1]


def _check_encoder(fitted: FittedDetector) -> None:
    """Raise `InputError` for an encoder that cannot become a part of an ONNX file."""
    from dgmix.model.encoders.frozen import GivenEncoder

    encoder = fitted.network.encoder if fitted.network else None
    is_module = isinstance(encoder, GivenEncoder) and encoder.is_module
    if getattr(encoder, "takes", "mel") != "mel" or (
        getattr(encoder, "frozen", False) and not is_module
    ):
        raise InputError(
            f"encoder '{fitted.recipe.encoder.name}' cannot become part of an ONNX file: only a "
            "torch module that takes mel spectrograms can; export a detector without it"
        )


def _check_installed() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"exporting needs {error.name}, which is not installed: pip install 'dgmix[onnx]'"
        ) from error


def _embedding(fitted: FittedDetector) -> WaveformEmbedding:
    recipe = fitted.recipe
    if fitted.network and recipe.detect.pool == "relative-deviation":
        raise InputError(
            "detect.pool=relative-deviation cannot be exported to ONNX; fit a detector with "
            "detect.pool=mean-embedding"
        )
    return WaveformEmbedding(recipe, fitted.network, hop_frames(recipe))


def _verdict(fitted: FittedDetector, section: str, rate: float) -> WaveformVerdict:
    """Return the module that compares with the clips of `section`."""
    settings, comparison = fitted.recipe.detect, fitted.comparison(section)
    if not isinstance(comparison, Direct) or not can_be_exported(comparison.scorers):
        raise InputError(
            "only the scorers knn and kriging, without whiten, per_domain and balance, can be "
            "exported to ONNX, with metric euclidean and one band; fit a detector with one of them"
        )
    known = fitted.calibration(section).known
    plugins = fitted.recipe.plugins
    verdict = WaveformVerdict(
        _embedding(fitted), settings, comparison.scorers, known, rate, plugins
    )
    if sum(each.numel() * each.element_size() for each in verdict.buffers()) > LARGEST_BYTES:
        raise InputError(
            f"a memory of {len(comparison.calibrating)} recordings is too large for an ONNX file "
            "(2 GiB); export one section, or learn with detect.pool=mean-embedding"
        )
    return verdict


def _description(fitted: FittedDetector, outputs: tuple[str, ...]) -> dict[str, Any]:
    from dgmix.version import __version__

    recipe = fitted.recipe
    return {
        "format": FORMAT,
        "dgmix": __version__,
        "outputs": list(outputs),
        "sample_rate": recipe.audio.rate,
        "window_seconds": recipe.input.crop_seconds,
    }


def _calibration(fitted: FittedDetector, section: str, rate: float) -> dict[str, Any]:
    """Return, as plain values, what the verdicts of `section` rest on."""
    calibration = fitted.calibration(section)
    scores = calibration.known.scores
    conditions = sorted(set(calibration.conditions))
    return {
        "section": section or None,
        "recordings": calibration.count(),
        "conditions": {name: calibration.count(name) for name in conditions},
        "false_alarm_rate": rate,
        "smallest_false_alarm_rate": smallest_rate(calibration.count()),
        "threshold": plain(calibration.threshold(rate)),
        "healthy_scores": {
            "least": plain(scores.min()),
            "median": plain(np.median(scores)),
            "greatest": plain(scores.max()),
        },
    }


def _to_onnx(module: nn.Module, outputs: tuple[str, ...], about: dict[str, Any]) -> ModelProto:
    """Return `module` as a model that names nothing of the machine that it was made on."""
    import onnx
    import torch.onnx

    example = (torch.zeros(10 * about["sample_rate"]),)
    sizes = ({0: torch.export.Dim("sample")},)
    with _silence():
        traced = torch.export.export(
            module.eval(),
            example,
            dynamic_shapes=sizes,
            prefer_deferred_runtime_asserts_over_guards=True,
        )
        program = torch.onnx.export(
            traced,
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=["waveform"],
            output_names=list(outputs),
        )
    assert program is not None
    model: ModelProto = program.model_proto
    graph = model.graph
    graph.name = "dgmix"
    graph.input[0].type.tensor_type.shape.dim[0].dim_param = "sample"
    graph.ClearField("value_info")
    for part in (*graph.node, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")
    model.producer_name, model.producer_version = "dgmix", about["dgmix"]
    onnx.helper.set_model_props(model, {"dgmix": json.dumps(about)})
    return model


@contextmanager
def _silence() -> Iterator[None]:
    """Keep to itself what torch's exporter says of itself and of packages it does not need."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _check(file: Path, fitted: FittedDetector, section: str) -> None:
    """Raise `DgmixError` unless the model is valid and onnxruntime agrees with the detector."""
    import onnx
    import onnxruntime

    onnx.checker.check_model(str(file), full_check=True)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    for signal in _trial_signals(fitted.recipe):
        outputs = dict(zip(names, session.run(None, {"waveform": signal}), strict=True))
        for name, expected in _expected(fitted, signal, section).items():
            if name in outputs and not _agree(outputs[name], expected, fitted):
                raise DgmixError(
                    f"the {name} of the ONNX model differs from that of the detector, so it was "
                    "not written; please report this with the versions of torch and onnxruntime"
                )


def _trial_signals(recipe: Recipe) -> Iterator[NDArray[np.float32]]:
    """Yield noise shorter than a window, as long as one, and longer by a part of one."""
    rng = np.random.default_rng(0)
    for parts in (0.4, 1.0, 3.3):
        samples = round(parts * recipe.input.crop_seconds * recipe.audio.rate)
        yield (0.1 * rng.standard_normal(samples) + 0.01).astype(np.float32)


def _expected(
    fitted: FittedDetector, signal: NDArray[np.float32], section: str
) -> dict[str, Floats]:
    """Return what the detector finds of a signal (sample,), by the names of the outputs."""
    recipe, network = fitted.recipe, fitted.network
    signal = to_signal(signal, recipe.audio.rate, recipe.audio)
    bank = bank_of_signals([signal], recipe.audio, recipe.features)
    (judgement,) = fitted.judge(bank, ["trial"], [section])
    return {
        "score": np.array(judgement.score),
        **({"embedding": embed_clips(recipe, network, bank)[0]} if network else {}),
    }


def _agree(values: Floats, expected: Floats, fitted: FittedDetector) -> bool:
    """Say whether values differ by no more than `AGREEMENT` of the largest of them.

    The score of several views is one of deviations, of which 1 is much, and may be near 0.
    """
    least = 1.0 if len(fitted.views) > 1 else 0.0
    limit = AGREEMENT * max(float(np.abs(expected).max()), least)
    return float(np.abs(values - expected).max()) <= limit
