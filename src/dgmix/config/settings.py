"""The groups of settings of a recipe, each value typed, with its unit and default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from dgmix.errors import InputError

PRETRAINED = ("aisfx", "beats", "eat")  # encoders that come with weights; each has its recipe
HE_INITIALISED = ("mobilenetv2", "light", "resnet")  # encoders that `encoder.init` is for
ERROR_SCORERS = ("reconstruction", "selective-mahalanobis")  # of an autoencoder's residuals
Classes = Literal["sections", "attributes"]
Precision = Literal["auto", "float32", "bfloat16"]
ONNX = "onnx"  # the encoder that is an ONNX file
LEARNED = "dgmix"  # the view that is the embedding of a network
GIVEN = "vectors"  # the view that is no more than vectors that the user gives
MOST_NETWORKS, LEAST_BANDS, MOST_BANDS = 32, 20, 512
PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]


class Settings(BaseModel):
    """Base of all settings: frozen, and strict about unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _listed(channels: Any) -> Any:
    """Return how channels are chosen, or their numbers in order, of a number, a list or a text."""
    if channels in get_args(ChannelMode):
        return channels
    numbers = channels if isinstance(channels, list | tuple) else [channels]
    if isinstance(channels, str):
        numbers = [int(each) if each.strip().isdigit() else 0 for each in channels.split(",")]
    if not numbers or any(type(each) is not int or each < 1 for each in numbers):
        raise ValueError(
            f"{channels!r} names no channels; choose auto, mean, first, all, or numbers from 1 on, "
            "such as 1,3"
        )
    return sorted(numbers)


ChannelMode = Literal["auto", "mean", "first", "all"]
Channels = Annotated[ChannelMode | list[int], BeforeValidator(_listed)]


class AudioSettings(Settings):
    """How a file becomes a signal."""

    channels: Channels = Field(
        "mean",
        description="which channels are compared, numbered from 1: their mean, the first, all, or "
        "those in a list, each by itself; auto: what healthy recordings show "
        "(docs/files.md#channels)",
    )
    reference_channel: Annotated[int, Field(ge=0)] = Field(
        0,
        description="channel of a microphone far from the machine; the others are compared as they "
        "are, and also without what it picks up too; 0: none",
    )
    sample_rate: PositiveInt | Literal["auto"] = Field(
        16_000,
        description="Hz; other rates are resampled; auto: the lowest rate that a healthy recording "
        "has",
    )
    remove_mean: bool = Field(True, description="subtract the mean of each recording")

    @model_validator(mode="after")
    def _channels_are_different(self) -> AudioSettings:
        if isinstance(self.channels, list):
            if len(set(self.channels)) < len(self.channels):
                raise ValueError("audio.channels names a channel twice")
            if self.reference_channel in self.channels:
                raise ValueError("audio.reference_channel is one of audio.channels")
        if self.channels == "first" and self.reference_channel == 1:
            raise ValueError("audio.reference_channel is the first channel, which is compared")
        return self

    @property
    def rate(self) -> int:
        """The sample rate in Hz; raises `InputError` where no recordings have decided it yet."""
        if self.sample_rate == "auto":
            raise InputError("setting 'audio.sample_rate': auto, which healthy recordings decide")
        return self.sample_rate


class FeatureSettings(Settings):
    """How a signal becomes a mel spectrogram (DESIGN §1.1).

    Where `f_max` is auto, these are the settings at 16 kHz, of bands up to 8 kHz: at another sample
    rate frames last as long, and bands lie as close up to half of it.
    """

    n_fft: PositiveInt = Field(1024, description="points of the Fourier transform of a frame")
    win_length: Annotated[int, Field(ge=0, multiple_of=2)] = Field(
        0, description="samples in a frame, at most `n_fft`; 0: as many"
    )
    hop_length: PositiveInt = Field(512, description="samples between frames")
    n_mels: Annotated[int, Field(ge=LEAST_BANDS, le=MOST_BANDS)] = Field(
        128, description="mel bands"
    )
    f_min: NonNegativeFloat = Field(0.0, description="Hz, lower edge of the lowest band")
    f_max: PositiveFloat | Literal["auto"] = Field(
        8000.0,
        description="Hz, upper edge of the highest band; auto: half of the sample rate, with "
        "longer frames and more bands than at 16 kHz where that is higher",
    )
    mel_scale: Literal["htk", "slaney"] = Field("htk", description="how bands widen with pitch")
    mel_triangles: Literal["hz", "mel"] = Field("hz", description="where triangles are straight")
    mel_norm: Literal["none", "slaney", "sum"] = Field(
        "none", description="of the triangles: peak 1, area 1 in Hz, or weights that sum to 1"
    )
    power: Literal[1, 2] = Field(
        1, description="what a band adds up: magnitudes, or powers, of whose sum it is the root"
    )
    window: Literal["hann", "hann-symmetric", "povey"] = Field(
        "hann", description="periodic, symmetric, or the latter to the power of 0.85 as in Kaldi"
    )
    window_norm: bool = Field(True, description="divide the STFT by the window's Euclidean norm")
    remove_frame_mean: bool = Field(False, description="subtract the mean of each frame")
    preemphasis: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="so much of the sample before is subtracted from each of a frame"
    )

    @property
    def highest(self) -> float:
        """The upper edge of the highest band in Hz; raises `InputError` where it is auto."""
        if self.f_max == "auto":
            raise InputError("setting 'features.f_max': auto, which the sample rate decides")
        return self.f_max


class InputSettings(Settings):
    """What of the mel spectrogram the encoder sees."""

    crop_seconds: PositiveFloat = Field(2.0, description="length of a training crop")
    log: bool = Field(True, description="decibels instead of magnitudes")
    standardize: bool = Field(True, description="per band, over the training clips")


class EncoderSettings(Settings):
    """Which network turns a crop into an embedding (DESIGN §1.2)."""

    name: str = Field("mobilenetv2", description="which; see docs/encoders-and-objectives.md")
    width: PositiveFloat = Field(1.0, description="multiplies the channels of every layer")
    init: Literal["torch", "he-fan-out"] = Field(
        "torch",
        description="first weights of convolutions: uniform over the fan-in, as torch draws them, "
        "or He's normal ones over the fan-out, as the published network has them",
    )
    ensemble: Annotated[int, Field(ge=1, le=MOST_NETWORKS)] = Field(
        1, description="so many networks, each from a seed of its own, embed side by side"
    )
    resolutions: list[Annotated[int, Field(ge=32)]] = Field(
        [256, 1024, 4096], min_length=1, description="`spectra`: frame lengths of spectrograms"
    )
    weights: str = Field(
        "", description="file of weights to start from; see docs/encoders-and-objectives.md"
    )
    input: Literal["mel", "waveform"] = Field(
        "mel",
        description="what an encoder from outside takes: (crop, 1, mel, frame), or (crop, sample); "
        "an ONNX file tells by itself",
    )
    output: str = Field(
        "", description="which output of an encoder from outside counts; empty: the first"
    )
    pool: Annotated[list[Literal["mean", "max", "deviation"]], Field(min_length=1)] = Field(
        ["mean"], description="statistics over time of an output that has a time axis"
    )
    time_axis: int = Field(
        -1, description="which axis of such an output is time, 1 or more from the crops on, or -1"
    )

    def weights_file(self) -> Path | None:
        """Return the file of weights to start from, or None where all are to be random.

        Raises `InputError` when it is not there, or needed and not named.
        """
        path = Path(self.weights).expanduser()
        if self.weights and not path.is_file():
            raise InputError(
                f"{path}: there is no such file of weights; see setting encoder.weights"
            )
        if self.name == ONNX and not self.weights:
            raise InputError(
                "setting 'encoder.weights': encoder 'onnx' needs the path of a file.onnx"
            )
        if self.name in PRETRAINED and not self.weights:
            raise InputError(
                f"setting 'encoder.weights': encoder '{self.name}' is trained already; give the "
                "file of its weights (docs/encoders-and-objectives.md tells where to get it)"
            )
        return path if self.weights else None


class LarsSettings(Settings):
    """LARS (You, Gitman, Ginsburg 2017, arXiv 1708.03888)."""

    name: Literal["lars"] = Field("lars", description="which optimiser")
    lr: PositiveFloat = Field(0.8, description="highest learning rate, at `lr_batch_size`")
    lr_batch_size: PositiveInt = Field(2048, description="batch size that `lr` is meant for")
    weight_decay: NonNegativeFloat = Field(1e-4, description="not of biases and norms")
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(0.9, description="of the steps")
    trust: PositiveFloat = Field(1e-3, description="trust coefficient")


class AdamWSettings(Settings):
    """AdamW (Loshchilov, Hutter 2019, arXiv 1711.05101)."""

    name: Literal["adamw"] = Field("adamw", description="which optimiser")
    lr: PositiveFloat = Field(1e-3, description="highest learning rate, at `lr_batch_size`")
    lr_batch_size: PositiveInt = Field(64, description="batch size that `lr` is meant for")
    weight_decay: NonNegativeFloat = Field(1e-4, description="not of biases and norms")


def _named(optimizer: Any) -> Any:
    return {"name": "adamw", **optimizer} if isinstance(optimizer, dict) else optimizer


OptimizerSettings = Annotated[
    LarsSettings | AdamWSettings, Field(discriminator="name"), BeforeValidator(_named)
]


class StageSettings(Settings):
    """What the two training stages have in common."""

    epochs: Annotated[int, Field(ge=0)] = Field(0, description="0 leaves the stage out")
    min_steps: Annotated[int, Field(ge=0)] = Field(
        0, description="more epochs, where so few clips make fewer steps than this"
    )
    max_steps: Annotated[int, Field(ge=0)] = Field(
        0, description="fewer epochs, where so many clips make more steps than this; 0: no limit"
    )
    crops_per_clip: Annotated[int, Field(ge=0)] | Literal["auto"] = Field(
        1,
        description="crops that an epoch takes of a clip; 0: as many as fill one batch; auto: as "
        "many as a healthy recording of median length has, one from each frame on",
    )
    batch_size: Annotated[int, Field(ge=4)] = Field(64, description="crops in a step")
    recompute: bool = Field(
        False,
        description="compute what gradients need once more instead of keeping it: the same "
        "gradients in less memory and more time (docs/decisions/0020-batch-size.md)",
    )
    optimizer: OptimizerSettings = Field(AdamWSettings(), description="which, and how fast")
    warmup: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.1, description="part of the steps over which the learning rate rises from 0"
    )
    final_lr: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0025, description="learning rate of the last step, as a part of the highest"
    )
    alpha: PositiveFloat = Field(0.5, description="mixing weights are of Beta(alpha, alpha)")
    mixed: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="probability that a pair is mixed; of others the first crop alone counts"
    )


class PretrainSettings(StageSettings):
    """DG-Mix pre-training (DESIGN §1.3)."""

    projector: list[PositiveInt] = Field(
        [1280, 1280, 1280], min_length=1, description="sizes of the layers after the encoder"
    )
    geometric: NonNegativeFloat = Field(25.0, description="weight of the geometric term")
    variance: NonNegativeFloat = Field(25.0, description="weight of the variance term")
    covariance: NonNegativeFloat = Field(1.0, description="weight of the covariance term")
    geometric_reduction: Literal["mean", "sum"] = Field("mean", description="over dimensions")


class FinetuneSettings(StageSettings):
    """Fine-tuning on mixed section labels (DESIGN §1.4)."""

    classes: Classes = Field(
        "sections",
        description="what it tells apart: sections, or each section's attributes in clip names",
    )
    objective: str = Field("sections", description="which; see docs/encoders-and-objectives.md")
    head: list[PositiveInt] = Field(
        [], description="`sections`: sizes of linear layers between embedding and classes"
    )
    sub_clusters: PositiveInt = Field(16, description="`adacos`: centres of a section")
    scale: Literal["adaptive", "fixed"] = Field(
        "adaptive", description="`adacos`: that of the cosines follows the batches, or stays"
    )
    classification: NonNegativeFloat = Field(1.0, description="weight of the section term")
    geometric: NonNegativeFloat = Field(1.0, description="weight of the geometric term")


class DetectSettings(Settings):
    """How embeddings become an anomaly score (DESIGN §1.5)."""

    hop_seconds: PositiveFloat = Field(2.0, description="between the windows that are embedded")
    pool: Literal["mean-embedding", "relative-deviation", "mean-distance", "max-distance"] = Field(
        "mean-embedding",
        description="pool the windows' embeddings before, by their mean or one in which those "
        "unlike the others count more, or their distances after the search",
    )
    emphasis: NonNegativeFloat = Field(
        4.0,
        description="`relative-deviation`: a window has the weight (1 + its deviation)^this, the "
        "deviation from the mean being 1 where it is largest",
    )
    views: list[str] = Field(
        ["dgmix"],
        min_length=1,
        description="what is compared of a clip: the learned embedding, statistics of the log-mel; "
        "of several views, each in units of healthy clips, the largest score counts",
    )
    whiten: bool = Field(
        False, description="compare where healthy clips differ alike in all directions"
    )
    scorer: str = Field(
        "knn", description="how far a clip is from the healthy ones; see docs/scorers.md"
    )
    metric: Literal["euclidean", "cosine"] = Field(
        "euclidean", description="distance of two vectors; by the cosine their lengths do not count"
    )
    bands: PositiveInt = Field(
        1,
        description="so many equal parts of a vector have scorers of their own, whose mean counts",
    )
    neighbors: PositiveInt = Field(
        1, description="`knn`, `daco`: the score is the mean distance to k"
    )
    local_neighbors: PositiveInt = Field(
        4,
        description="`density`, `varmin`: a reference's mean distance to so many others is what "
        "distances to it are divided by, or have a part of taken off",
    )
    domain_prior: NonNegativeFloat = Field(
        0.0,
        description="`daco`: the distances of all domains count for a domain as so many of its own",
    )
    components: PositiveInt = Field(
        2, description="`gmm`: Gaussians, fewer where there are not two references for each"
    )
    held_out: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.5,
        description="part of the recordings that calibrates where a scorer estimates something "
        "from the healthy ones (all but `knn` and `kriging` by themselves do), which it "
        "does from the others",
    )
    per_section: bool = Field(True, description="search the clip's own section only")
    per_domain: bool = Field(
        False, description="score against each domain, standardised, and take the least"
    )
    balance: Literal["none", "kmeans", "smote", "memmixup"] = Field(
        "none", description="how there come to be as many references of each domain"
    )
    balance_size: Annotated[int, Field(ge=0)] = Field(
        0, description="references of a domain after balancing; 0: of the rarest or commonest"
    )

    @model_validator(mode="after")
    def _go_together(self) -> DetectSettings:
        apart = self.per_domain or self.balance != "none"
        if self.scorer == "kriging" and (self.whiten or apart):
            raise ValueError("scorer kriging goes without whiten, per_domain and balance")
        if self.scorer == "kriging" and not self.one_vector:
            raise ValueError(
                "scorer kriging needs one vector of each clip: pool mean-embedding or "
                "relative-deviation"
            )
        if self.scorer == "daco" and apart:
            raise ValueError("scorer daco weighs domains itself: without per_domain and balance")
        if self.metric == "cosine" and self.scorer in ("kriging", "mahalanobis", "gmm"):
            raise ValueError(f"scorer {self.scorer} has metric euclidean only")
        if self.bands > 1 and self.whiten:
            raise ValueError("whiten mixes the bands of a vector: choose whiten or bands")
        if self.bands > 1 and self.pool == "max-distance":
            raise ValueError("bands go without pool max-distance: their mean is of whole clips")
        return self

    @property
    def one_vector(self) -> bool:
        """Whether the windows of a clip become one vector before it is compared."""
        return self.pool in ("mean-embedding", "relative-deviation")

    @property
    def learns(self) -> bool:
        """Whether a view is the embedding of a network."""
        return LEARNED in self.views


class EvaluateSettings(Settings):
    """How the tables are made."""

    bootstrap: Annotated[int, Field(ge=0)] = Field(1000, description="resamples per interval")
    confidence: Annotated[float, Field(gt=0, lt=1)] = Field(0.95, description="of the intervals")
    baselines: list[str] = Field(
        ["untrained", "logmel-mean", "logmel-max"],
        description="systems shown beside the detector: its learned view alone, its raw views "
        "alone, the learned view untrained; one raw view with the published 1-NN",
    )
