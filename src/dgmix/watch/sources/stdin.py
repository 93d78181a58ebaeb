"""Standard input: what `arecord` or `sox` write."""

from __future__ import annotations

from dgmix.watch.sound import Samples
from dgmix.watch.sources.pipe import BytesStream, Decoder, WavDecoder
from dgmix.watch.sources.settings import StdinSettings


def open_stdin(settings: StdinSettings, descriptor: int) -> BytesStream:
    """Return the stream of a file descriptor, as its settings describe it."""
    if settings.format != "wav":
        return BytesStream(
            descriptor,
            Decoder(settings.format, settings.channels),
            settings.sample_rate,
            lambda: "standard input ended",
        )
    return WavStream(descriptor)


class WavStream(BytesStream):
    """A WAV stream, whose sample rate is known once its header has come."""

    def __init__(self, descriptor: int) -> None:
        self._wav = WavDecoder()
        super().__init__(descriptor, self._wav, 1, lambda: "standard input ended")

    def read(self, timeout: float) -> Samples:
        """Return new samples, float32 (sample,), none if there are none within the time (s)."""
        samples = super().read(timeout)
        self.sample_rate = self._wav.sample_rate or 1
        return samples
