"""Pictures of numbers: PNG files without an imaging library, in colours that order by lightness."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

SHADES = 64
# Viridis (van der Walt, Smith 2015), dark to light: the order shows in grey and in print too.
VIRIDIS = "440154 472d7b 3b528b 2c728e 21918c 28ae80 5ec962 addc30 fde725"


def picture(values: NDArray[np.floating], low: float, high: float) -> str:
    """Return `values` (row, column) as a PNG in a `data:` address, one pixel each.

    `low` and less is the darkest of 64 shades, `high` and more the lightest; the first row is on
    top.
    """
    share = (np.asarray(values, np.float64) - low) / (high - low)
    shades = np.rint(np.clip(share, 0, 1) * (SHADES - 1)).astype(np.uint8)
    data = png(shades, palette(SHADES))
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def png(pixels: NDArray[np.uint8], colours: NDArray[np.uint8]) -> bytes:
    """Return a PNG file of `pixels` (row, column), each the number of one of `colours` (n, 3).

    Source: PNG specification, third edition (W3C 2025), sections 5, 11.2 and 11.3.1, colour type
    3 with a depth of 8 bits and no filter.
    """
    height, width = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    lines = np.concatenate([np.zeros((height, 1), np.uint8), pixels], axis=1)
    chunks = {
        b"IHDR": header,
        b"PLTE": colours.astype(np.uint8).tobytes(),
        b"IDAT": zlib.compress(lines.tobytes(), 9),
        b"IEND": b"",
    }
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks.items())


def palette(shades: int) -> NDArray[np.uint8]:
    """Return so many colours (shade, 3), dark to light, as red, green and blue."""
    anchors = np.array([list(bytes.fromhex(colour)) for colour in VIRIDIS.split()], np.float64)
    at = np.linspace(0, len(anchors) - 1, shades)
    channels = [np.interp(at, np.arange(len(anchors)), channel) for channel in anchors.T]
    return np.asarray(np.rint(np.stack(channels, axis=1)), np.uint8)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
