"""Sound cards by name: their numbers change with every restart."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

import numpy as np

from dgmix.errors import InputError
from dgmix.watch.sound import Samples, averaged
from dgmix.watch.sources.base import StreamError
from dgmix.watch.sources.settings import CardSettings

MOST_BLOCKS = 200
BLOCK_SECONDS = 0.1
_open_cards: set[int] = set()
_lock = threading.Lock()


def port_audio() -> Any:
    """Return the module of PortAudio; raises `InputError` where it is not installed."""
    try:
        import sounddevice
    except ImportError as error:
        raise InputError('sound cards need `pip install "dgmix[live]"`') from error
    except OSError as error:
        raise InputError(
            "sound cards need the PortAudio library; on Debian `apt install libportaudio2`"
        ) from error
    return sounddevice


def input_names(audio: Any) -> list[str]:
    """Return the names of the devices that record, afresh while none is open."""
    with _lock:
        if not _open_cards:
            audio._terminate()
            audio._initialize()
        return [each["name"] for each in audio.query_devices() if each["max_input_channels"] > 0]


def card_index(audio: Any, wanted: str) -> int:
    """Return the number that the card with a name has now; raises `StreamError` without one."""
    names = input_names(audio)
    matching = [name for name in names if wanted.lower() in name.lower()]
    exact = [name for name in matching if name.lower() == wanted.lower()]
    matching = exact or matching
    if len(matching) > 1:
        raise StreamError(f"{len(matching)} sound cards match “{wanted}”: {'; '.join(matching)}")
    if not matching:
        present = "; ".join(names) if names else "none at all"
        raise StreamError(f"no sound card matches “{wanted}”; there is {present}")
    devices = audio.query_devices()
    return next(
        number
        for number, each in enumerate(devices)
        if each["name"] == matching[0] and each["max_input_channels"] > 0
    )


class CardStream:
    """An open sound card. Blocks that nobody reads in time are dropped and counted."""

    def __init__(self, settings: CardSettings, audio: Any = None) -> None:
        self._audio = audio or port_audio()
        number = card_index(self._audio, settings.device)
        about = self._audio.query_devices()[number]
        self.sample_rate = settings.sample_rate or round(about["default_samplerate"])
        self.dropped = 0
        self._channel = settings.channel
        self._blocks: deque[Samples] = deque()
        self._arrived = threading.Condition()
        self._finished = False
        channels = int(about["max_input_channels"])
        if settings.channel and settings.channel > channels:
            raise InputError(f"{about['name']}: has {channels} channels, not {settings.channel}")
        try:
            self._stream = self._audio.InputStream(
                device=number,
                channels=min(channels, max(settings.channel or 2, 1)),
                samplerate=self.sample_rate,
                blocksize=round(BLOCK_SECONDS * self.sample_rate),
                dtype="float32",
                callback=self._take,
                finished_callback=self._finish,
            )
            self._stream.start()
        except self._audio.PortAudioError as error:
            raise StreamError(f"{about['name']}: {error}") from error
        with _lock:
            _open_cards.add(id(self))

    def read(self, timeout: float) -> Samples:
        """Return new samples, float32 (sample,), none if there are none within the time (s)."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._blocks or self._finished, timeout)
            blocks = list(self._blocks)
            self._blocks.clear()
            if not blocks and self._finished:
                raise StreamError("the sound card stopped; was it unplugged?")
        return np.concatenate(blocks) if blocks else np.empty(0, np.float32)

    def close(self) -> None:
        """Let go of the card."""
        with _lock:
            _open_cards.discard(id(self))
        self._stream.abort(ignore_errors=True)
        self._stream.close(ignore_errors=True)

    def _take(self, data: Any, _frames: int, _time: Any, _status: Any) -> None:
        block = averaged(np.array(data), self._channel)
        with self._arrived:
            if len(self._blocks) >= MOST_BLOCKS:
                self._blocks.popleft()
                self.dropped += 1
            self._blocks.append(block)
            self._arrived.notify()

    def _finish(self) -> None:
        with self._arrived:
            self._finished = True
            self._arrived.notify()
