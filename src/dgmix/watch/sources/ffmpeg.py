"""Cameras and audio streams, read by an ffmpeg process.

Its own time-out for RTSP (`-timeout`, microseconds) is infinite by default and was called
`-stimeout` before version 5; the watch has one of its own in any case, on samples that arrive.
"""

from __future__ import annotations

from dgmix.watch.redaction import without_secrets
from dgmix.watch.sources.pipe import BytesStream, Decoder, program_stream
from dgmix.watch.sources.settings import StreamSettings

MICROSECONDS = 1_000_000


def open_ffmpeg(settings: StreamSettings) -> BytesStream:
    """Return the sound of an address as a stream; raises `InputError` without ffmpeg."""
    url = settings.url.get_secret_value()
    decode = Decoder("f32le", 1) if settings.channel is None else Decoder("f32le", 1, 1)
    return program_stream(
        command(settings), decode, settings.sample_rate, lambda text: without_secrets(text, url)
    )


def command(settings: StreamSettings) -> list[str]:
    """Return the command that writes an address's sound as raw mono samples to its output."""
    url = settings.url.get_secret_value()
    wait = str(round(settings.timeout * MICROSECONDS))
    if url.lower().startswith("rtsp"):
        transport = ["-rtsp_transport", settings.transport, "-timeout", wait]
        protocol = [*transport, "-allowed_media_types", "audio"]
    else:
        protocol = ["-rw_timeout", wait]
    channel = settings.channel
    mix = ["-af", f"pan=mono|c0=c{channel - 1}"] if channel else ["-ac", "1"]
    return [
        *(settings.ffmpeg, "-nostdin", "-hide_banner", "-loglevel", "error"),
        *protocol,
        *("-i", url, "-vn", *mix, "-ar", str(settings.sample_rate), "-f", "f32le", "pipe:1"),
    ]
