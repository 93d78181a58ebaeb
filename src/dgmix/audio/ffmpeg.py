"""What libsndfile cannot decode, by FFmpeg: PyAV brings it (`pip install "dgmix[decoders]"`)."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.packets import Contents
from dgmix.audio.riff import shortfall
from dgmix.errors import InputError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

MISSING = 'run `pip install "dgmix[decoders]"`, which brings FFmpeg'
FORMATS = (  # none that may open other files, and no streams of the network
    "aac,ac3,eac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dts,flac,flv,loas,matroska,matroska,webm,"
    "mov,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpeg,mpegts,ogg,rm,tta,voc,w64,wav,wv"
)
WITH_LENGTH = (
    "mov,mp4,m4a,3gp,3g2,mj2",
    "matroska,webm",
    "asf",
    "caf",
    "flac",
    "avi",
    "wav",
    "w64",
)
OFF_SECONDS = 0.25


def available() -> bool:
    """Say whether PyAV is installed."""
    return importlib.util.find_spec("av") is not None


class FFmpegSound:
    """The first audio stream of an open binary file; close it when done.

    `contents` are those that were counted, where it is MP3 or Ogg.

    Raises `InputError`, naming `name`, where FFmpeg is not installed, where it does not know the
    format and where there is no sound.
    """

    def __init__(self, file: BinaryIO, name: str, contents: Contents | None = None) -> None:
        if not available():
            raise InputError(f"{name}: cannot be decoded by libsndfile alone; {MISSING}")
        import av

        self._contents = contents
        self._decoded = self._skipped = 0
        av.logging.set_level(av.logging.PANIC)
        file.seek(0)
        options = {"format_whitelist": FORMATS, "protocol_whitelist": ""}
        try:
            self._container: InputContainer = av.open(
                file, "r", options=options, metadata_errors="replace"
            )
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise _undecodable(name, error) from error
        if not self._container.streams.audio:
            self.close()
            raise InputError(f"{name}: there is no sound in it")
        self._stream: AudioStream = self._container.streams.audio[0]
        context: Any = self._stream.codec_context  # none of an unknown encoding
        if context is None:
            self.close()
            raise InputError(f"{name}: its sound is in an unknown encoding; convert it to WAV")
        if context.name == "flac":  # else what is damaged sounds like noise
            context.options = {"err_detect": "crccheck+explode"}
        self.sample_rate: int = self._stream.rate or 0
        self.channels: int = self._stream.channels or 0
        if not (self.sample_rate and self.channels):
            self.close()
            raise InputError(f"{name}: its sound has no sample rate; convert it to WAV")

    @property
    def seconds(self) -> float:
        """How long it is by the count of its contents, or as it says; 0 where it does not."""
        if self._contents:
            return self._contents.seconds
        duration = self._stream.duration
        if duration and self._stream.time_base:
            return float(duration * self._stream.time_base)
        return (self._container.duration or 0) / 1e6

    @property
    def note(self) -> str:
        """What is missing, after all blocks; empty where nothing is."""
        there = self._decoded / self.sample_rate
        packets = "1 damaged packet is" if self._skipped == 1 else f"{self._skipped} packets are"
        notes = [f"{packets} left out"] if self._skipped else []
        states_length = self._container.format.name in WITH_LENGTH or self._contents is not None
        if states_length and there and self.seconds - there > OFF_SECONDS:
            notes.append(shortfall(there, self.seconds))
        return "; ".join(notes)

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield what can be decoded, float32 (frame, channel), all at the rate of the first."""
        self._decoded = 0
        for part in self._resampled():
            self._decoded += part.samples
            interleaved = part.to_ndarray()  # planes of more than 8 channels crash PyAV
            samples = np.asarray(interleaved, np.float32).reshape(-1, part.layout.nb_channels)
            if samples.shape[1] != self.channels:  # of another file behind the first
                samples = samples.mean(1, keepdims=True).repeat(self.channels, 1)
            yield samples

    def _resampled(self) -> Iterator[Any]:
        """Yield frames at the rate of the first, of which files that are joined may have others."""
        import av

        resampler, form = None, None
        for frame in chain(self._frames(), [None]):
            own = frame and (frame.format.name, frame.layout.name, frame.sample_rate)
            try:
                if resampler and form != own:
                    yield from resampler.resample(None)
                if frame and form != own:
                    resampler = av.AudioResampler("flt", frame.layout.name, self.sample_rate)
                form = own
                if frame and resampler:
                    frame.pts = None  # joined and damaged streams jump in time
                    yield from resampler.resample(frame)
            except av.error.FFmpegError:  # of a rate or layout that is none
                self._skipped += 1

    def _frames(self) -> Iterator[Any]:
        """Yield decoded frames; damaged packets are counted, and left out."""
        import av

        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except (av.error.FFmpegError, OSError):
                self._skipped += 1
                return
            if packet is None:
                return
            try:
                yield from packet.decode()
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                self._skipped += 1

    def close(self) -> None:
        """Let go of the file."""
        with suppress(OSError):
            self._container.close()


def _undecodable(name: str, error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or str(error)
    return InputError(
        f"{name}: not a sound file, or a damaged one ({reason.rstrip('.')}); convert it to WAV or "
        "FLAC"
    )
