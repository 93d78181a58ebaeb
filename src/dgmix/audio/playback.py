"""Sound for browsers: short signals as MP3, which every browser plays."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray

BEST = 0.0


def data_uri(samples: NDArray[np.float32], sample_rate: int) -> str:
    """Return a signal, float32 (sample,) of full scale ±1, as a `data:` address to play.

    MP3 at its highest rate (48 kbit/s at 16 kHz, 60 kB for 10 s), which keeps all frequencies up
    to about 7.9 kHz; 16-bit WAV where libsndfile cannot write MP3 or not at this rate. Samples
    beyond full scale are clipped. The same samples give the same text.
    """
    clipped = np.clip(samples, -1, 1)
    try:
        mime, data = "audio/mpeg", _encoded(clipped, sample_rate, "MP3", compression_level=BEST)
    except (ValueError, RuntimeError):
        mime, data = "audio/wav", _encoded(clipped, sample_rate, "WAV", subtype="PCM_16")
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def _encoded(
    samples: NDArray[np.float32], sample_rate: int, kind: str, **options: str | float
) -> bytes:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, samples, sample_rate, format=kind, **options)
    return file.getvalue()
