"""How hard is a simulated set for raw statistics? The table that calibrates `dgmix simulate`.

    python benchmarks/simulated_set.py [--clips 200] [--sections 6] [--seed 0] [--machine fan …]

For each machine: official AUC of either domain, pAUC and Ω of the distance to the nearest training
clip of the section, for the mean and for the maximum over frames of the log-mel spectrogram, and
how many times faster than real time the clips were made, on all `--jobs` together. The
features are written anew here, in NumPy alone.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from dgmix.audio.io import read_audio
from dgmix.data import load_manifest
from dgmix.data.clip import Clip
from dgmix.data.simulate import MACHINES, simulate

N_FFT, HOP, BANDS, RATE = 1024, 512, 128, 16_000
STATISTICS = {"mean": np.mean, "max": np.max}


def mel_filters() -> NDArray[np.float32]:
    """Return HTK mel triangles of height 1 from 0 to 8 kHz, (bin, band)."""
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, BANDS + 2) / 2595) - 1)
    hertz = np.linspace(0, RATE / 2, N_FFT // 2 + 1)[:, None]
    rise = (hertz - edges[:-2]) / np.diff(edges)[:-1]
    fall = (edges[2:] - hertz) / np.diff(edges)[1:]
    return np.maximum(0, np.minimum(rise, fall)).astype(np.float32)


def log_mel(samples: NDArray[np.float32], filters: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the log-mel spectrogram in dB, (frame, band)."""
    window = np.hanning(N_FFT + 1)[:-1].astype(np.float32)
    padded = np.pad(samples - samples.mean(), N_FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]
    spectrum = np.abs(np.fft.rfft(frames * (window / np.linalg.norm(window)), axis=1))
    return 20 * np.log10(np.maximum(spectrum.astype(np.float32) @ filters, 1e-5))


def statistics(clips: list[Clip]) -> dict[str, NDArray[np.float64]]:
    """Return each statistic of all clips, (clip, band)."""
    filters = mel_filters()
    rows: dict[str, list[NDArray[np.float32]]] = {name: [] for name in STATISTICS}
    for clip in clips:
        spectrogram = log_mel(read_audio(clip.path).samples, filters)
        for name, statistic in STATISTICS.items():
            rows[name].append(statistic(spectrogram, axis=0))
    return {name: np.array(values, np.float64) for name, values in rows.items()}


def nearest(known: NDArray[np.float64], queries: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Euclidean distance of every row of `asked` to its nearest row of `known`."""
    return np.array([np.linalg.norm(known - row, axis=1).min() for row in queries])


def judged(clips: list[Clip], features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (AUC source, AUC target, pAUC) of every section, official convention, (section, 3)."""
    rows = []
    for section in sorted({clip.section for clip in clips}):
        train = np.array([c.section == section and c.split == "train" for c in clips])
        test = np.array([c.section == section and c.split == "test" for c in clips])
        tested = [clip for clip, chosen in zip(clips, test, strict=True) if chosen]
        scores = nearest(features[train], features[test])
        anomalous = np.array([clip.label == "anomaly" for clip in tested])
        target = np.array([clip.domain == "target" for clip in tested])
        source_rows, target_rows = anomalous | ~target, anomalous | target
        rows.append(
            (
                roc_auc_score(anomalous[source_rows], scores[source_rows]),
                roc_auc_score(anomalous[target_rows], scores[target_rows]),
                roc_auc_score(anomalous, scores, max_fpr=0.1),
            )
        )
    return 100 * np.array(rows)


def harmonic_mean(values: NDArray[np.float64]) -> float:
    """Return the harmonic mean over all entries."""
    return float(values.size / np.sum(1 / values))


def measure(
    folder: Path, machine: str, options: argparse.Namespace
) -> dict[str, NDArray[np.float64]]:
    """Simulate a machine, print its rows, return its metrics by statistic, (section, 3)."""
    began = time.perf_counter()
    simulate(
        folder / machine,
        machines=[machine],
        sections=options.sections,
        clips=options.clips,
        seed=options.seed,
        jobs=options.jobs,
    )
    taken = time.perf_counter() - began
    clips = list(load_manifest(folder / machine))
    speed = 10.0 * len(clips) / taken
    metrics = {name: judged(clips, rows) for name, rows in statistics(clips).items()}
    for name, table in metrics.items():
        source, target, partial = (harmonic_mean(column) for column in table.T)
        print(
            f"| {machine:8} | log-mel {name:4} | {source:5.1f} | {target:5.1f} | {partial:5.1f} "
            f"| {harmonic_mean(table):5.1f} | {speed:6.0f} |",
            flush=True,
        )
    return metrics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=200, help="training clips per section")
    parser.add_argument("--sections", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--machine", nargs="+", choices=MACHINES, default=MACHINES)
    parser.add_argument("--folder", type=Path, help="keep the set here instead of removing it")
    options = parser.parse_args()
    print("| machine  | system       | AUC s | AUC t | pAUC  | Ω     | × real time |")
    print("|----------|--------------|-------|-------|-------|-------|-------------|")
    rows = []
    for machine in options.machine:
        with tempfile.TemporaryDirectory() as temporary:
            rows.append(measure(options.folder or Path(temporary), machine, options))
    for name in STATISTICS:
        omegas = [harmonic_mean(machine[name]) for machine in rows]
        print(
            f"log-mel {name}: mean Ω over machines {np.mean(omegas):.1f}, "
            f"harmonic mean of all {harmonic_mean(np.array([m[name] for m in rows])):.1f}, "
            f"from {min(omegas):.1f} to {max(omegas):.1f}"
        )


if __name__ == "__main__":
    main()
