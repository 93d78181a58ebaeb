"""Make the recordings of the examples: `python docs/recordings.py NAME …`.

Each NAME is a folder of a simulated pump, written into the current one; `flights` are real.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import butter, resample_poly, sosfilt  # type: ignore[import-untyped]

from dgmix.audio.io import write_wav

Floats = NDArray[np.float64]
SECONDS, RATE, WIDE = 4.0, 16_000, 48_000


def pump(seed: int, seconds: float = SECONDS, rate: int = RATE) -> Floats:
    """Return a healthy pump (sample,): a hum with overtones that wavers, and its flow."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    speed = rng.normal(49, 0.3)
    tones = sum(np.sin(2 * np.pi * k * speed * time + rng.uniform(0, 6)) / k for k in range(1, 12))
    flow = rng.standard_normal(len(time)) * (1 + 0.3 * np.sin(2 * np.pi * 3 * time))
    return np.asarray(0.02 * tones + 0.01 * flow) * rng.uniform(0.9, 1.1)


def hiss(seed: int, low: float, high: float, rate: int) -> Floats:
    """Return noise (sample,) between two frequencies in Hz, as loud as the pump."""
    noise = np.random.default_rng(seed).standard_normal(round(SECONDS * rate))
    return np.asarray(0.03 * sosfilt(butter(8, [low, high], "band", fs=rate, output="sos"), noise))


def knocks(seed: int) -> Floats:
    """Return a pump (sample,) that knocks four times a second."""
    sound = pump(seed)
    for start in range(1000, len(sound) - 400, RATE // 4):
        sound[start : start + 400] += 0.3 * np.exp(-np.arange(400) / 60) * (-1) ** np.arange(400)
    return sound


def write(folder: Path, sounds: dict[str, Floats], rate: int = RATE) -> None:
    """Write recordings by their names."""
    for name, sound in sounds.items():
        path = folder / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_wav(path, np.clip(sound, -1, 1).astype(np.float32), rate)


def healthy(folder: Path) -> None:
    """Twenty healthy recordings."""
    write(folder, {f"h{number:02}": pump(number) for number in range(20)})


def odd(folder: Path) -> None:
    """Twenty recordings, of which the first three knock."""
    healthy(folder)
    write(folder, {f"h{number:02}": knocks(number) for number in range(3)})


def damaged(folder: Path) -> None:
    """Healthy recordings, some of them damaged files, one of a fault, and a text."""
    write(folder / "good", {f"h{number:02}": pump(number) for number in range(13)})
    write(folder / "NG", {"knock0": knocks(90)})
    (folder / "notes.txt").write_text("The pump of hall 2.\n")
    cut, text, header = (folder / "good" / f"h{number}.wav" for number in (10, 11, 12))
    content = cut.read_bytes()
    cut.write_bytes(content[: len(content) // 2])
    text.write_bytes(b"no sound")
    content = header.read_bytes()
    at = content.index(b"data") + 4
    header.write_bytes(content[:at] + (1000).to_bytes(4, "little") + content[at + 4 :])


def wide(folder: Path) -> None:
    """Twenty healthy recordings at 48 kHz."""
    sounds = {f"h{number:02}": pump(number, rate=WIDE) for number in range(20)}
    write(folder, sounds, WIDE)


def monday(folder: Path) -> None:
    """A leak at high frequencies, a healthy recording, and two that lost their upper part."""
    leak = pump(30, rate=WIDE) + hiss(30, 12_000, 18_000, WIDE)
    narrow = resample_poly(pump(32), 3, 1)
    write(folder, {"leak": leak, "ok0": pump(31, rate=WIDE), "resampled": narrow}, WIDE)
    middle = resample_poly(resample_poly(pump(33, rate=WIDE), 7, 12), 12, 7)
    soundfile.write(folder / "telephone.mp3", middle, WIDE)


def today(folder: Path) -> None:
    """A day of recordings, most with a defect of their own."""
    sounds = {f"{8 + number:02}h": pump(40 + number) for number in range(8)}
    sounds["09h"] *= 0
    sounds["10h"] *= 0.012
    sounds["11h"][-24_000:] = 0
    sounds["12h"][20_000:20_160] = 0
    sounds["13h"] = pump(45, seconds=1)
    sounds["14h"][36_800:36_816] += 0.6
    sounds["15h"] = np.clip(6 * sounds["15h"], -0.55, 0.55)
    write(folder, sounds)


def eight(hum: bool, silent: bool, seed: int) -> Floats:
    """Return a pump by eight microphones (sample, channel), the fourth with hum or silent."""
    rng = np.random.default_rng(seed)
    sound = pump(seed)
    channels = [
        0.7**number * np.roll(sound, 9 * number) + 0.001 * rng.standard_normal(len(sound))
        for number in range(8)
    ]
    if hum:
        time = np.arange(len(sound)) / RATE
        channels[3] = 0.03 * np.sum([np.sin(2 * np.pi * 50 * k * time) / k for k in (1, 3, 5)], 0)
    if silent:
        channels[3] = 0 * sound
    return np.stack(channels, 1)


def array_of_eight(folder: Path) -> None:
    """Twenty recordings by eight microphones, the fourth with mains hum."""
    write(folder, {f"h{number:02}": eight(True, False, number) for number in range(20)})


def dead_channel(folder: Path) -> None:
    """A healthy recording by eight microphones, the fourth silent."""
    write(folder, {"ok0": eight(False, True, 50)})


def flights(folder: Path) -> None:
    """Nineteen healthy flights of the real recordings in `healthy`, two others in `monday`."""
    normal, broken = (folder.parent / "uav_propeller" / name for name in ("normal", "broken"))
    known = [each for name in ("c*w_square", "cw_f8") for each in sorted(normal.glob(f"{name}/*"))]
    monday = [min(broken.glob("cw_square/*")), known.pop()]
    for place, paths in (("healthy", known), ("monday", monday)):
        (folder.parent / place).mkdir()
        for number, path in enumerate(paths):
            name = f"{number + 8:02}h" if paths is monday else f"flight{number:02}"
            shutil.copy(path, folder.parent / place / f"{name}.flac")


FOLDERS: dict[str, Callable[[Path], None]] = {
    "flights": flights,
    "pump": damaged,
    "pump48": wide,
    "monday": monday,
    "learned": healthy,
    "today": today,
    "healthy": odd,
    "healthy8_hum": array_of_eight,
    "test8_dead": dead_channel,
}

if __name__ == "__main__":
    for name in sys.argv[1:]:
        FOLDERS[name](Path(name))
