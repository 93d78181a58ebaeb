"""Sound for browsers: short signals as MP3, which every browser plays."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray

MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
BEST = 0.2


def data_uri(samples: NDArray[np.float32], sample_rate: int) -> str:
    """Return a signal, float32 (sample,) of full scale ±1, as a `data:` address to play.

    MP3 of high quality and variable rate, about 60 kB for 10 s at 16 kHz. An encoder leaves out
    the highest tenth of what its rate can hold; so the signal is first resampled to the next
    higher rate of MP3, and nothing audible is lost below 94 % of half of `sample_rate`. It is a
    16-bit WAV where there is no such rate or libsndfile cannot write MP3. Samples beyond full
    scale are clipped. The same samples give the same text.
    """
    higher = next((rate for rate in MP3_RATES if rate > sample_rate), None)
    try:
        mime, data = "audio/mpeg", _mp3(samples, sample_rate, higher or sample_rate)
    except (ValueError, RuntimeError):
        mime, data = "audio/wav", _encoded(samples, sample_rate, "WAV", subtype="PCM_16")
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def _mp3(samples: NDArray[np.float32], sample_rate: int, rate: int) -> bytes:
    import soxr

    resampled = soxr.resample(samples, sample_rate, rate, quality="VHQ")
    options: dict[str, str | float] = {"compression_level": BEST, "bitrate_mode": "VARIABLE"}
    return _encoded(resampled, rate, "MP3", **options)


def _encoded(
    samples: NDArray[np.float32], sample_rate: int, kind: str, **options: str | float
) -> bytes:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.clip(samples, -1, 1), sample_rate, format=kind, **options)
    return file.getvalue()
