"""Compressed recordings for tests, made by libsndfile and FFmpeg, whole and damaged."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import soundfile

RATE = 16_000
QUIET_THEN_LOUD = 4 * RATE


def sound(seconds: float = 8.0) -> np.ndarray:
    """Return noise, quiet at first, that an encoder of variable rate spends unequal bits on."""
    noise = np.random.default_rng(0).normal(size=round(seconds * RATE))
    noise[:QUIET_THEN_LOUD] *= 0.002
    noise[QUIET_THEN_LOUD:] *= 0.2
    return np.clip(noise, -1, 1).astype(np.float32)


def encoded(
    samples: np.ndarray, format: str, subtype: str | None = None, mode: str = "", rate: int = RATE
) -> bytes:
    """Return what libsndfile writes; `mode` is CONSTANT or VARIABLE, for MP3."""
    file = io.BytesIO()
    options = {"bitrate_mode": mode, "compression_level": 0.5} if mode else {}
    soundfile.write(file, samples, rate, format=format, subtype=subtype, **options)
    return file.getvalue()


def by_ffmpeg(path: Path, samples: np.ndarray, codec: str, form: str, rate: int = RATE) -> Path:
    """Write `samples` as FFmpeg encodes them."""
    with av.open(str(path), "w", format=form) as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        stream.bit_rate = 64_000
        context = stream.codec_context
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate = RATE
        resampler = av.AudioResampler(
            context.format, "mono", rate, frame_size=context.frame_size or 1024
        )
        parts = [*resampler.resample(frame), *resampler.resample(None), None]
        for packet in (packet for part in parts for packet in stream.encode(part)):
            out.mux(packet)
    return path
