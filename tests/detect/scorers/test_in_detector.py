"""Every scorer in a whole detector: verdicts, files, and what cannot be exported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dgmix.audio.bank import MelBank
from dgmix.detect.bundle import load_detector, save_detector
from dgmix.detect.detector import Detector
from dgmix.detect.export import export_onnx
from dgmix.detect.scorers import SCORERS
from dgmix.detect.scorers.balance import BALANCES
from dgmix.errors import InputError

Make = Callable[..., Detector]
SECTIONS = ["00", "01", "elsewhere", "00"] * 2
CASES: list[dict[str, Any]] = [
    *({"scorer": name} for name in SCORERS),
    *({"scorer": name, "per_domain": True} for name in SCORERS),
    *({"balance": name, "per_section": False} for name in BALANCES),
]


@pytest.fixture(params=CASES, ids=str)
def settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(request.param)


@pytest.mark.parametrize("pool", ["mean-embedding", "max-distance"])
def test_a_file_scores_like_its_detector(
    pool: str, settings: dict[str, Any], make_detector: Make, healthy: MelBank, tmp_path: Path
) -> None:
    detector = make_detector(pool=pool, **settings)
    save_detector(detector, tmp_path / "a.dgmix")
    loaded = load_detector(tmp_path / "a.dgmix")
    before, after = (each.score_bank(healthy, SECTIONS) for each in (detector, loaded))
    assert np.isfinite(before).all()
    assert np.array_equal(before, after)
    assert np.isfinite(detector.decision_scores_).all()
    p_values = loaded.judge(before[None], SECTIONS)
    assert ((p_values > 0) & (p_values <= 1)).all()


def test_only_the_plain_distance_is_exported(
    settings: dict[str, Any], make_detector: Make, tmp_path: Path
) -> None:
    if settings in ({"scorer": "knn"}, {"balance": "none", "per_section": False}):
        pytest.skip("this is the plain distance, which tests/detect/test_export.py exports")
    pytest.importorskip("onnxscript", reason="part of the extra 'onnx', which is not installed")
    pytest.importorskip("onnxruntime", reason="part of the extra 'onnx', which is not installed")
    name = settings.get("scorer", "knn")
    sentence = "cannot be exported to ONNX" if name == "knn" else f"scorer {name}: only knn can be"
    with pytest.raises(InputError, match=sentence):
        export_onnx(make_detector(**settings), tmp_path)
    assert not list(tmp_path.iterdir())
