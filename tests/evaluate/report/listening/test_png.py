import base64
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from dgmix.evaluate.report.listening.png import SHADES, palette, picture, png

shades = arrays(
    np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=20), elements=st.integers(0, 7)
)


def decode(data):
    """Return the chunks of a PNG file, each checked, and its pixels (row, column)."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        (check,) = struct.unpack(">I", data[at + 8 + length : at + 12 + length])
        assert check == zlib.crc32(kind + body)
        chunks[kind.decode()] = body
        at += 12 + length
    width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", chunks["IHDR"])
    assert (depth, colour, rest) == (8, 3, [0, 0, 0])
    lines = np.frombuffer(zlib.decompress(chunks["IDAT"]), np.uint8).reshape(height, width + 1)
    assert (lines[:, 0] == 0).all()
    return chunks, lines[:, 1:]


@given(shades)
def test_pixels_and_colours_come_back(pixels):
    colours = palette(8)
    chunks, read = decode(png(pixels, colours))
    assert list(chunks) == ["IHDR", "PLTE", "IDAT", "IEND"]
    assert (read == pixels).all()
    assert chunks["PLTE"] == colours.tobytes()


def test_colours_are_ordered_by_lightness_in_even_steps():
    linear = (palette(SHADES) / 255.0) ** 2.2
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    lightness = 116 * np.cbrt(luminance) - 16
    steps = np.diff(lightness)
    assert (steps > 0).all()
    assert steps.max() < 2.5 * steps.mean()
    assert lightness[0] < 20
    assert lightness[-1] > 85


@pytest.mark.parametrize(("value", "shade"), [(-9, 0), (0, 0), (5, 32), (10, 63), (99, 63)])
def test_values_become_shades_between_the_ends(value, shade):
    address = picture(np.full((2, 3), value), 0, 10)
    start, _, data = address.partition(",")
    _, pixels = decode(base64.b64decode(data))
    assert start == "data:image/png;base64"
    assert pixels.tolist() == [[shade] * 3] * 2


def test_the_first_row_is_on_top():
    data = picture(np.array([[1.0, 1.0], [0.0, 0.0]]), 0, 1).partition(",")[2]
    _, pixels = decode(base64.b64decode(data))
    assert pixels.tolist() == [[63, 63], [0, 0]]
