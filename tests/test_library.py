"""dgmix in a program: functions write nothing on the screen, and log under `dgmix`."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

import dgmix
from dgmix.progress import LOGGED, speaking

HERE = {"device": "cpu", "jobs": 1}
CHANGES = ["evaluate.baselines=[logmel-max]", "evaluate.bootstrap=5"]


@pytest.mark.usefixtures("in_process")
def test_functions_write_nothing_on_the_screen_and_log_under_dgmix(
    tmp_path: Path,
    own_cache: None,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    data, cut = tmp_path / "data", tmp_path / "cut.wav"
    with speaking(LOGGED):
        dgmix.simulate(data, machines=["fan"], sections=1, clips=8, test_clips=2, seconds=1.0)
        healthy = data / "fan" / "train"
        tested = sorted((data / "fan" / "test").glob("*normal*"))
        cut.write_bytes(tested[0].read_bytes()[:-2000])
        dgmix.inspect(data)
        detector = dgmix.Detector().fit(healthy)
        dgmix.write_fit_report(detector, healthy, tmp_path / "fit.html")
        results = detector.judge([cut, *tested])
        detector.update(tested[:1], accept=True).save(tmp_path / "fan.dgmix")
        dgmix.Detector.load(tmp_path / "fan.dgmix").localize([cut])
        dgmix.write_listening_report(detector, [cut], tmp_path / "listen.html")
        recipe = dgmix.load_recipe("default", CHANGES)
        dgmix.run(recipe, data, tmp_path / "run", **HERE)  # type: ignore[arg-type]
        dgmix.write_report(tmp_path / "run")
        dgmix.evaluate_scores(tmp_path / "run", bootstrap=5)
        dgmix.compare_scores([tmp_path / "run"], bootstrap=5)
    assert len(results) == 1 + len(tested)
    assert capfd.readouterr() == ("", "")
    ours = [each for each in caplog.records if each.name.startswith("dgmix")]
    assert {each.name for each in ours} == {"dgmix"}
    messages = [each.message for each in ours]
    for step in ("decoding: 8/8 in", "looking: 16/16 in", "listening: "):
        assert any(each.startswith(step) for each in messages), step
    (warning, *_) = [each for each in ours if each.levelno == logging.WARNING]
    assert warning.message.startswith(f"{cut}: incomplete")
