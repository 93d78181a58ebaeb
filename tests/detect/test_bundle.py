"""`.dgmix` files: what is saved is what scores, and nothing in a file can run."""

from __future__ import annotations

import json
import pickle
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from dgmix.audio.bank import MelBank
from dgmix.config import Recipe
from dgmix.detect import bundle
from dgmix.detect.bundle import describe_detector, load_detector, save_detector
from dgmix.detect.fitted import FittedDetector
from dgmix.errors import InputError

Make = Callable[..., FittedDetector]
READERS = [load_detector, describe_detector]


@pytest.fixture(scope="module")
def saved(make_fitted: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("detector") / "pump.dgmix"
    save_detector(make_fitted(), path)
    return path


def parts(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = json.loads(file.metadata()["dgmix"])
    del about["sha256"]  # who changes a file on purpose can leave it out
    return tensors, about


def write(path: Path, tensors: dict[str, torch.Tensor], description: Any) -> Path:
    save_file(tensors, path, metadata={"dgmix": json.dumps(description)})
    return path


def assert_refused(path: Path, sentence: str) -> None:
    for read in READERS:
        with pytest.raises(InputError) as raised:
            read(path)
        assert str(raised.value).startswith(f"{path}: {sentence}")
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"pool": "mean-distance"},
        {"pool": "max-distance", "neighbors": 2},
        {"views": ["logmel-q90", "logmel-max"], "scorer": "kriging"},
        {"views": ["logmel-mean", "dgmix"], "whiten": True},
    ],
    ids=str,
)
def test_a_detector_scores_the_same_to_the_bit_after_a_round_trip(
    changes: dict[str, Any], make_fitted: Make, healthy: MelBank, tmp_path: Path
) -> None:
    fitted = make_fitted(**changes)
    save_detector(fitted, tmp_path / "a.dgmix")
    loaded = load_detector(tmp_path / "a.dgmix")
    sections = ["00", "01", "elsewhere", "00"] * 2
    before, after = (each.judge(healthy, [""] * 8, sections) for each in (fitted, loaded))
    assert before == after
    assert np.array_equal(loaded.decision_scores, fitted.decision_scores)
    assert loaded.recipe == fitted.recipe
    for name in ("sections", "domains", "recordings", "conditions"):
        assert getattr(loaded.memory.clips, name) == getattr(fitted.memory.clips, name)
    assert (loaded.trained, loaded.seed, loaded.updates) == (8, 0, ())
    assert (loaded.network is None) == (fitted.network is None)
    assert loaded.network is None or not loaded.network.training
    save_detector(loaded, tmp_path / "b.dgmix")
    assert (tmp_path / "b.dgmix").read_bytes() == (tmp_path / "a.dgmix").read_bytes()


def test_without_a_learned_view_no_network_is_kept(make_fitted: Make, tmp_path: Path) -> None:
    save_detector(make_fitted(views=["logmel-mean"]), tmp_path / "a.dgmix")
    tensors, _ = parts(tmp_path / "a.dgmix")
    assert not [name for name in tensors if name.startswith("network.")]


def test_a_file_is_described_in_plain_values(saved: Path) -> None:
    values = describe_detector(saved)
    assert json.loads(json.dumps(values)) == values
    assert values["sections"] == {"00": 4, "01": 4}
    assert values["domains"] == {"source": 6, "target": 2}
    assert values["conditions"] == {"source": 6, "target": 2}
    assert values["format"] == bundle.FORMAT


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    assert_refused(tmp_path / "none.dgmix", "there is no such detector file")
    assert_refused(tmp_path, "a folder; name the .dgmix file first")


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"RIFF....WAVE", b"\x00" * 64, b"\xff" * 64, b"\x02" + b"\x00" * 7 + b"{}"],
)
def test_what_is_no_detector_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "odd.dgmix"
    path.write_bytes(content)
    assert_refused(path, "not a dgmix detector, or a damaged one")


def test_another_safetensors_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.dgmix"
    save_file({"weight": torch.zeros(3)}, path)
    assert_refused(path, "not a dgmix detector, or a damaged one")


class Payload:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.marker,))


def test_a_pickle_is_refused_and_does_not_run(tmp_path: Path) -> None:
    marker, path = tmp_path / "ran", tmp_path / "evil.dgmix"
    path.write_bytes(pickle.dumps(Payload(marker)))
    assert_refused(path, "not a dgmix detector")
    torch.save({"network": Payload(marker)}, path)
    assert_refused(path, "not a dgmix detector")
    assert not marker.exists()


@pytest.mark.parametrize("kept", [7, 100, 5000, -1])
def test_a_truncated_file_is_refused(kept: int, saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "short.dgmix"
    path.write_bytes(saved.read_bytes()[:kept])
    assert_refused(path, "not a dgmix detector, or a damaged one")


UPDATE = {"time": "2026-01-02T03:04:05+00:00", "added": 1, "left_out": 2, "conditions": ["a"]}


def test_updates_are_part_of_a_file(saved: Path, tmp_path: Path) -> None:
    tensors, description = parts(saved)
    path = write(tmp_path / "a.dgmix", tensors, {**description, "updates": [UPDATE]})
    (entry,) = load_detector(path).updates
    assert (entry.time, entry.added, entry.left_out) == (UPDATE["time"], 1, 2)
    assert entry.conditions == ("a",)
    assert describe_detector(path)["updates"][0]["left out"] == 2


@pytest.mark.parametrize(
    "update",
    [
        3,
        {**UPDATE, "added": -1},
        {**UPDATE, "added": 99},
        {**UPDATE, "added": True},
        {**UPDATE, "conditions": [1]},
        {**UPDATE, "more": 1},
        {"time": "now"},
    ],
)
def test_a_strange_update_is_refused(update: object, saved: Path, tmp_path: Path) -> None:
    tensors, description = parts(saved)
    path = write(tmp_path / "a.dgmix", tensors, {**description, "updates": [update]})
    assert_refused(path, "a damaged detector")


def test_a_newer_format_says_what_to_do(saved: Path, tmp_path: Path) -> None:
    tensors, description = parts(saved)
    newer = {**description, "format": bundle.FORMAT + 1, "version": "9.1"}
    path = write(tmp_path / "new.dgmix", tensors, newer)
    assert_refused(path, "written by a newer dgmix (9.1); update dgmix to read it")


@pytest.mark.parametrize("description", [[], 3, "text", None, {}, {"format": "1"}])
def test_a_strange_description_is_refused(description: Any, saved: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "odd.dgmix", parts(saved)[0], description)
    assert_refused(path, "not a dgmix detector, or a damaged one")


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("format", "not a dgmix detector"),
        ("version", "not a dgmix detector"),
        ("recipe", "a damaged detector"),
        ("sections", "a damaged detector"),
        ("domains", "a damaged detector"),
        ("recordings", "a damaged detector"),
        ("conditions", "a damaged detector"),
        ("updates", "a damaged detector"),
    ],
)
def test_a_description_without_a_part_is_refused(
    key: str, sentence: str, saved: Path, tmp_path: Path
) -> None:
    tensors, description = parts(saved)
    del description[key]
    assert_refused(write(tmp_path / "odd.dgmix", tensors, description), sentence)


def test_an_unknown_setting_is_named(saved: Path, tmp_path: Path) -> None:
    tensors, description = parts(saved)
    description["recipe"]["detect"]["k"] = 1
    path = write(tmp_path / "odd.dgmix", tensors, description)
    assert_refused(path, "unknown setting 'detect.k'")


def test_every_tensor_is_needed(saved: Path, tmp_path: Path) -> None:
    tensors, description = parts(saved)
    others = [name for name in tensors if not name.startswith("network.encoder")]
    for name in [*others, "network.encoder.pool.0.weight"]:
        left = {key: value for key, value in tensors.items() if key != name}
        assert_refused(write(tmp_path / "odd.dgmix", left, description), "a damaged detector")


def test_parts_that_do_not_fit_together_are_refused(saved: Path, tmp_path: Path) -> None:
    tensors, description = parts(saved)
    shorter = {
        name: tensors[name][:-1]
        for name in (
            "memory.dgmix.values",
            "memory.dgmix.clips",
            "bands.mean",
            "bands.std",
            "bands.count",
            "healthy.seconds",
        )
    }
    shorter["memory.dgmix.values "] = tensors["memory.dgmix.values"][:, :-1]
    shorter["memory.dgmix.clips "] = tensors["memory.dgmix.clips"] + 100
    shorter["memory.dgmix.clips  "] = tensors["memory.dgmix.clips"] - 1
    for name, tensor in shorter.items():
        odd = {**tensors, name.strip(): tensor.contiguous()}
        assert_refused(write(tmp_path / "odd.dgmix", odd, description), "a damaged detector")
    for key in ("sections", "domains", "recordings", "conditions"):
        odd_description = {**description, key: description[key][:-1]}
        path = write(tmp_path / "odd.dgmix", tensors, odd_description)
        assert_refused(path, "a damaged detector")


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_damaged_header_is_refused_or_read_never_worse(
    data: st.DataObject, saved: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(saved.read_bytes())
    header = 8 + int.from_bytes(content[:8], "little")
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, header - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "odd.dgmix"
    path.write_bytes(content)
    with suppress(InputError):
        load_detector(path)


class OnGpu(torch.Tensor):
    """A tensor as on another device: numpy cannot have it before it is on the CPU."""

    def cpu(self) -> torch.Tensor:  # type: ignore[override]
        return self.as_subclass(torch.Tensor)

    def numpy(self) -> Any:  # type: ignore[override]
        raise TypeError("can't convert cuda:0 device type tensor to numpy")


def test_a_network_on_a_gpu_is_saved(
    saved: Path, make_fitted: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = make_fitted()
    there = {k: v.as_subclass(OnGpu) for k, v in fitted.network.state_dict().items()}
    monkeypatch.setattr(fitted.network, "state_dict", lambda: there)
    save_detector(fitted, tmp_path / "gpu.dgmix")
    assert (tmp_path / "gpu.dgmix").read_bytes() == saved.read_bytes()


def test_a_single_flipped_bit_is_noticed(saved: Path, tmp_path: Path) -> None:
    whole = saved.read_bytes()
    (header,) = struct.unpack("<Q", whole[:8])
    path = tmp_path / "flipped.dgmix"
    for place in np.linspace(8 + header, len(whole) - 1, 20).astype(int):
        flipped = bytearray(whole)
        flipped[place] ^= 0x40
        path.write_bytes(flipped)
        with pytest.raises(
            InputError, match=r"flipped\.dgmix: a damaged detector \(its checksum\)"
        ):
            load_detector(path)


def test_saving_leaves_the_old_file_when_it_fails(
    saved: Path, make_fitted: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, content: bytes) -> None:
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise KeyboardInterrupt

    path = tmp_path / "pump.dgmix"
    path.write_bytes(saved.read_bytes())
    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(KeyboardInterrupt):
        save_detector(make_fitted(neighbors=2), path)
    assert path.read_bytes() == saved.read_bytes()
    assert [each.name for each in tmp_path.iterdir()] == ["pump.dgmix"]


def test_the_recipe_of_a_file_is_that_of_its_detector(saved: Path, tiny: Recipe) -> None:
    assert load_detector(saved).recipe == tiny
