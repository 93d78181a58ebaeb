"""Clips and manifests."""

from __future__ import annotations

from pathlib import Path

import pytest

from dgmix.data import Clip, Manifest

ROOT = Path("data")
CLIPS = [
    Clip(ROOT / "fan/a.wav", "fan", section="01", repeat=1),
    Clip(ROOT / "fan/b.wav", "fan", section="00", split="test", label="anomaly"),
    Clip(ROOT / "valve/a.wav", "valve", domain="target"),
]


def test_a_manifest_is_a_sequence_of_its_clips() -> None:
    manifest = Manifest(CLIPS, ROOT)
    assert list(manifest) == CLIPS
    assert len(manifest) == 3
    assert manifest[-1] is CLIPS[2]
    assert CLIPS[1] in manifest
    part = manifest[1:]
    assert isinstance(part, Manifest)
    assert (list(part), part.root) == (CLIPS[1:], ROOT)


def test_select_keeps_order_and_root() -> None:
    manifest = Manifest(CLIPS, ROOT)
    assert list(manifest.select(machine="fan")) == CLIPS[:2]
    assert list(manifest.select(machine="fan", repeat=0)) == [CLIPS[1]]
    assert not len(manifest.select(machine="pump"))
    assert manifest.select(label="anomaly").root == ROOT


def test_select_by_a_field_that_does_not_exist_fails() -> None:
    with pytest.raises(AttributeError):
        Manifest(CLIPS, ROOT).select(mashine="fan")


def test_values_are_sorted_and_distinct() -> None:
    manifest = Manifest(CLIPS, ROOT)
    assert manifest.values("machine") == ["fan", "valve"]
    assert manifest.values("section") == ["00", "01"]
    assert manifest.repeats == [0, 1]


def test_paths_are_shown_from_the_data_folder() -> None:
    manifest = Manifest(CLIPS, ROOT)
    assert manifest.shown_path(CLIPS[0]) == "fan/a.wav"
    assert manifest.shown_path(Clip(Path("/other/c.wav"), "fan")) == "/other/c.wav"


def test_a_manifest_is_shown_as_a_table_of_its_groups() -> None:
    manifest = Manifest(CLIPS, ROOT)
    assert repr(manifest) == "Manifest(data: 2 of fan, 1 of valve)"
    html = manifest._repr_html_()
    assert "<td>fan</td><td>00</td><td>source</td><td>test</td><td>anomaly</td><td>1</td>" in html
    assert html.count("<tr>") == 1 + len(CLIPS)
