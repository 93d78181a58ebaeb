"""Every scorer in a whole detector: verdicts, files, and what cannot be exported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dgmix.audio.bank import MelBank
from dgmix.config import ERROR_SCORERS
from dgmix.detect.bundle import load_detector, save_detector
from dgmix.detect.export import export_onnx
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.scorers import SCORERS
from dgmix.detect.scorers.balance import BALANCES
from dgmix.errors import InputError

Make = Callable[..., FittedDetector]
SECTIONS = ["00", "01", "elsewhere", "00"] * 2
COMPARING = [name for name in SCORERS if name not in ERROR_SCORERS]
CASES: list[dict[str, Any]] = [
    *({"scorer": name} for name in COMPARING),
    *(
        {"scorer": name, "per_domain": True}
        for name in COMPARING
        if name not in ("kriging", "daco")
    ),
    *({"balance": name, "per_section": False} for name in BALANCES),
    {"bands": 2, "metric": "cosine"},
]
EXACT: list[dict[str, Any]] = [
    {"scorer": "knn"},
    {"scorer": "kriging"},
    {"balance": "none", "per_section": False},
    {"bands": 2, "metric": "cosine"},
]


@pytest.fixture(params=CASES, ids=str)
def settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(request.param)


@pytest.mark.parametrize("pool", ["mean-embedding", "max-distance"])
def test_a_file_scores_like_its_detector(
    pool: str, settings: dict[str, Any], make_fitted: Make, healthy: MelBank, tmp_path: Path
) -> None:
    if (settings.get("scorer") == "kriging" or "bands" in settings) and pool == "max-distance":
        pytest.skip("kriging needs one vector of each clip, and bands the mean of its windows")
    fitted = make_fitted(pool=pool, **settings)
    save_detector(fitted, tmp_path / "a.dgmix")
    loaded = load_detector(tmp_path / "a.dgmix")
    names = [""] * 8
    before, after = (each.judge(healthy, names, SECTIONS) for each in (fitted, loaded))
    assert before == after
    assert all(np.isfinite(each.score) and each.learned for each in before)
    assert all(0 < each.p_known <= 1 and 0 < each.p_new <= 1 for each in before)
    for section in fitted.sections:
        scores = fitted.healthy_scores(section)
        assert np.isfinite(scores).sum() == fitted.calibration(section).count()
    assert fitted.comparison().exact == (settings in EXACT)


def test_only_what_estimates_nothing_is_exported(
    settings: dict[str, Any], make_fitted: Make, tmp_path: Path
) -> None:
    if settings in EXACT and "bands" not in settings:
        pytest.skip("tests/detect/test_export.py exports these")
    pytest.importorskip("onnxscript", reason="part of the extra 'onnx', which is not installed")
    pytest.importorskip("onnxruntime", reason="part of the extra 'onnx', which is not installed")
    with pytest.raises(InputError, match="without whiten, per_domain and balance, can be exported"):
        export_onnx(make_fitted(**settings), tmp_path)
    assert not list(tmp_path.iterdir())
