"""Files made to deceive or to exhaust are refused in one sentence, and nothing in them runs."""

from __future__ import annotations

import json
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from dgmix.detect.bundle import describe_detector, load_detector, save_detector
from dgmix.detect.fitted import FittedDetector
from dgmix.errors import InputError

Make = Callable[..., FittedDetector]
NO_DETECTOR = "not a dgmix detector, or a damaged one"
DAMAGED = "a damaged detector"


@pytest.fixture(scope="module")
def good(make_fitted: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("good") / "pump.dgmix"
    save_detector(make_fitted(), path)
    return path


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """Where a test writes its file."""
    return tmp_path / "odd.dgmix"


def assert_refused(path: Path, sentence: str) -> None:
    for read in (load_detector, describe_detector):
        with pytest.raises(InputError) as raised:
            read(path)
        text = str(raised.value)
        assert text.startswith(f"{path}: {sentence}")
        assert "\n" not in text
        assert len(text) < len(str(path)) + 200


def parts(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = json.loads(file.metadata()["dgmix"])
    del about["sha256"]  # who changes a file on purpose can leave it out
    return tensors, about


def write(path: Path, tensors: dict[str, torch.Tensor], about: Any) -> None:
    text = about if isinstance(about, str) else json.dumps(about)
    save_file(tensors, path, metadata={"dgmix": text})


def write_raw(path: Path, header: Any, data: bytes = b"") -> None:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def header_of(path: Path) -> tuple[dict[str, Any], bytes]:
    content = path.read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + size]), content[8 + size :]


# Nothing runs


class Payload:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch '{self.marker}'",))


def test_pickles_of_every_kind_are_refused_and_do_not_run(odd: Path, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        odd.write_bytes(pickle.dumps(Payload(marker), protocol))
        assert_refused(odd, NO_DETECTOR)
    joblib.dump(Payload(marker), odd)
    assert_refused(odd, NO_DETECTOR)
    for zipped in (True, False):
        torch.save(Payload(marker), odd, _use_new_zipfile_serialization=zipped)
        assert_refused(odd, NO_DETECTOR)
    assert not marker.exists()
    pickle.loads(pickle.dumps(Payload(marker)))
    assert marker.exists(), "the payload of this test does not work"


def test_yaml_that_would_run_is_text(good: Path, odd: Path, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    code = f"!!python/object/apply:os.system ['touch {marker}']"
    tensors, about = parts(good)
    write(odd, tensors, {**about, "recipe": code})
    assert_refused(odd, DAMAGED)
    write(odd, tensors, {**about, "version": code})
    assert describe_detector(odd)["dgmix"] == code
    assert not marker.exists()


# The container


@pytest.mark.parametrize("claimed", [1 << 30, 1 << 40, (1 << 64) - 1, 0])
def test_a_header_may_not_claim_more_than_there_is(claimed: int, odd: Path) -> None:
    odd.write_bytes(struct.pack("<Q", claimed) + b"{}" + b" " * 100)
    assert_refused(odd, NO_DETECTOR)


@pytest.mark.parametrize("size", [90_000_000, 1 << 30])
def test_a_huge_header_is_refused_without_reading_it_all(size: int, odd: Path) -> None:
    with odd.open("wb") as file:
        file.write(struct.pack("<Q", size))
        file.truncate(8 + size)
    assert_refused(odd, NO_DETECTOR)


def test_every_truncation_is_refused(good: Path, odd: Path) -> None:
    content = good.read_bytes()
    for kept in np.linspace(0, len(content) - 1, 25).astype(int):
        odd.write_bytes(content[:kept])
        assert_refused(odd, NO_DETECTOR)
    odd.write_bytes(content + b"\0")
    assert_refused(odd, NO_DETECTOR)


@pytest.mark.parametrize(
    "change",
    [
        lambda a, _: (a, a),
        lambda a, b: (a, [a[1] - 8, b[1] - 8]),
        lambda a, b: (a, [b[0] + 8, b[1] + 8]),
        lambda a, b: ([a[1], a[0]], b),
        lambda a, b: ([a[0] - 8, a[1] - 8], b),
        lambda a, b: ([a[0], 1 << 62], b),
        lambda a, b: (a, [b[0], b[1] + 1]),
    ],
    ids=["same", "overlap", "gap", "backwards", "negative", "far", "longer"],
)
def test_offsets_that_overlap_or_lead_astray_are_refused(
    change: Callable[[list[int], list[int]], tuple[list[int], list[int]]], good: Path, odd: Path
) -> None:
    header, data = header_of(good)
    names = [name for name in header if name != "__metadata__"]
    first, second = sorted(names, key=lambda name: header[name]["data_offsets"])[:2]
    changed = change(header[first]["data_offsets"], header[second]["data_offsets"])
    header[first]["data_offsets"], header[second]["data_offsets"] = changed
    write_raw(odd, header, data)
    assert_refused(odd, NO_DETECTOR)


@pytest.mark.parametrize(
    "change",
    [{"dtype": "F63"}, {"shape": [1 << 40, 1 << 40]}, {"shape": [-1]}, {"shape": "8"}],
)
def test_tensors_described_wrongly_are_refused(
    change: dict[str, Any], good: Path, odd: Path
) -> None:
    header, data = header_of(good)
    header["memory.dgmix.clips"] |= change
    write_raw(odd, header, data)
    assert_refused(odd, NO_DETECTOR)


@pytest.mark.parametrize("nesting", ["[" * 100_000, '{"a":' * 100_000, "9" * 5000, "NaN"])
def test_a_description_that_is_a_bomb_is_refused(nesting: str, good: Path, odd: Path) -> None:
    write(odd, parts(good)[0], nesting)
    assert_refused(odd, NO_DETECTOR)


# What is in it


TENSORS = {
    "memory.dgmix.values": torch.float32,
    "memory.dgmix.clips": torch.int64,
    "healthy.digests": torch.int64,
    "healthy.seconds": torch.float64,
    "healthy.measures": torch.float64,
    "bands.mean": torch.float32,
    "bands.std": torch.float32,
    "bands.rise": torch.float32,
    "bands.fall": torch.float32,
    "bands.peak": torch.float64,
    "bands.count": torch.int64,
    "network.transform.mean": torch.float32,
}


def test_the_tensors_are_these_and_the_network(good: Path) -> None:
    dtypes = {k: v.dtype for k, v in parts(good)[0].items() if not k.startswith("network.encoder")}
    assert dtypes == {**TENSORS, "network.transform.scale": torch.float32}


@pytest.mark.parametrize("name", TENSORS)
def test_shapes_and_types_have_to_be_right(name: str, good: Path, odd: Path) -> None:
    tensors, about = parts(good)
    right = tensors[name]
    wrong = {
        "more axes": right[None],
        "other type": right.to(torch.float16),
        "longer": torch.cat([right.reshape(-1), right.reshape(-1)]),
        "empty": right.reshape(-1)[:0],
    }
    for tensor in wrong.values():
        write(odd, {**tensors, name: tensor.contiguous()}, about)
        rows = right.ndim == tensor.ndim == 1 and name.startswith("bands.")
        uneven = rows and right.dtype == tensor.dtype  # not as many as of the other statistics
        assert_refused(odd, DAMAGED if uneven else f"{DAMAGED} ({name} ")


@pytest.mark.parametrize("name", [n for n, kind in TENSORS.items() if kind != torch.int64])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_values_have_to_be_numbers(name: str, value: float, good: Path, odd: Path) -> None:
    if name == "healthy.measures" and np.isnan(value):
        pytest.skip("what was not measured is not a number")
    tensors, about = parts(good)
    bad = tensors[name].clone().contiguous()
    bad.view(-1)[-1] = value
    write(odd, {**tensors, name: bad}, about)
    assert_refused(odd, f"{DAMAGED} ({name} has a value that is not a number)")


def test_weights_have_to_be_numbers(good: Path, odd: Path) -> None:
    tensors, about = parts(good)
    name = next(n for n in tensors if n.startswith("network.encoder") and n.endswith("weight"))
    tensors[name].view(-1)[0] = float("nan")
    write(odd, tensors, about)
    assert_refused(odd, f"{DAMAGED} ({name} has a value that is not a number)")


@pytest.mark.parametrize("extra", ["memory.more", "network.encoder.hook", "x" * 5000])
def test_tensors_too_many_are_refused(extra: str, good: Path, odd: Path) -> None:
    tensors, about = parts(good)
    write(odd, {**tensors, extra: torch.zeros(1)}, about)
    assert_refused(odd, f"{DAMAGED} ('{extra[:60]}' does not belong there)")


@pytest.mark.parametrize(
    "changes",
    [
        {"hook": "import os"},
        {"format": 0},
        {"format": True},
        {"format": 1.0},
        {"recipe": []},
        {"sections": ["00"] * 7 + [1]},
        {"sections": "00000000"},
        {"domains": ["source"] * 9},
        {"recordings": ["a"] * 7},
        {"conditions": ["a"] * 7 + [None]},
        {"updates": {}},
        {"sections": [], "domains": []},
        {"trained": "all"},
        {"seed": None},
        {"false_alarm_rate": 0.0},
        {"false_alarm_rate": float("nan")},
    ],
    ids=str,
)
def test_descriptions_with_other_parts_are_refused(
    changes: dict[str, Any], good: Path, odd: Path
) -> None:
    tensors, about = parts(good)
    write(odd, tensors, {**about, **changes})
    assert_refused(odd, DAMAGED)


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("encoder", {"width": 1e6}),
        ("encoder", {"width": 1e300}),
        ("features", {"n_mels": 512}),
        ("input", {"crop_seconds": 1e12}),
    ],
)
def test_a_network_larger_than_the_file_takes_no_memory(
    part: str, changes: dict[str, Any], good: Path, odd: Path
) -> None:
    tensors, about = parts(good)
    about["recipe"][part] |= changes
    write(odd, tensors, about)
    assert_refused(odd, DAMAGED)


@pytest.mark.parametrize("clips", [[1, 0, 2, 3, 4, 5, 6, 7], [0] * 8, [0, 1, 2, 3, 4, 5, 6, 8]])
def test_every_recording_has_its_references_in_order(
    clips: list[int], good: Path, odd: Path
) -> None:
    tensors, about = parts(good)
    write(odd, {**tensors, "memory.dgmix.clips": torch.tensor(clips)}, about)
    assert_refused(odd, f"{DAMAGED} (memory.dgmix.clips does not name every recording in order)")


def test_a_recording_in_the_place_of_the_detector_is_named(tmp_path: Path) -> None:
    recording = tmp_path / "monday.wav"
    recording.write_bytes(b"RIFF")
    assert_refused(recording, "a recording; name the .dgmix file first")
