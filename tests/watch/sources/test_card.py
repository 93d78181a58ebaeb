from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from watch_parts import TurnedClock

from dgmix.errors import InputError
from dgmix.watch.sources import card
from dgmix.watch.sources.base import State, StreamError, StreamSource
from dgmix.watch.sources.card import CardStream, card_index
from dgmix.watch.sources.settings import CardSettings


class FakeAudio:
    """PortAudio with devices that come and go."""

    class PortAudioError(Exception):
        pass

    def __init__(self, *names: str, broken: bool = False) -> None:
        self.names, self.broken = list(names), broken
        self.stream: Any = None

    def _terminate(self) -> None: ...

    def _initialize(self) -> None: ...

    def query_devices(self) -> list[dict[str, Any]]:
        speaker = {"name": "HDMI", "max_input_channels": 0, "default_samplerate": 48000.0}
        inputs = [
            {"name": name, "max_input_channels": 2, "default_samplerate": 48000.0}
            for name in self.names
        ]
        return [speaker, *inputs]

    def InputStream(self, **options: Any) -> FakeAudio:  # noqa: N802
        if self.broken:
            raise self.PortAudioError("Device unavailable")
        self.options = options
        return self

    def start(self) -> None: ...

    def abort(self, ignore_errors: bool) -> None: ...

    def close(self, ignore_errors: bool) -> None: ...


def settings(device: str = "usb audio", **more: Any) -> CardSettings:
    return CardSettings(type="card", device=device, **more)


def test_a_card_is_found_by_its_name_wherever_it_is() -> None:
    audio = FakeAudio("Built-in", "USB Audio: - (hw:1,0)")
    assert card_index(audio, "usb audio") == 2
    audio.names.reverse()
    assert card_index(audio, "usb audio") == 1


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "no sound card matches “usb audio”; there is none at all"),
        (("Built-in",), "no sound card matches “usb audio”; there is Built-in"),
        (
            ("USB Audio 1", "USB Audio 2"),
            "2 sound cards match “usb audio”: USB Audio 1; USB Audio 2",
        ),
    ],
)
def test_a_card_that_is_not_there_or_not_alone_is_explained(
    names: tuple[str, ...], message: str
) -> None:
    with pytest.raises(StreamError, match=message):
        card_index(FakeAudio(*names), "usb audio")


def test_sound_comes_averaged_and_an_unplugged_card_is_lost() -> None:
    audio = FakeAudio("USB Audio")
    stream = CardStream(settings(), audio)
    data = np.array([[0.0, 1.0], [0.5, 0.5]], np.float32)
    audio.options["callback"](data, 2, None, None)
    assert stream.read(0).tolist() == [0.5, 0.5]
    assert stream.sample_rate == 48_000
    audio.options["finished_callback"]()
    with pytest.raises(StreamError, match="unplugged"):
        stream.read(0)
    stream.close()


def test_sound_that_nobody_reads_is_dropped_and_counted() -> None:
    audio = FakeAudio("USB Audio")
    stream = CardStream(settings(), audio)
    for _ in range(card.MOST_BLOCKS + 7):
        audio.options["callback"](np.zeros((10, 2), np.float32), 10, None, None)
    assert stream.dropped == 7
    assert len(stream.read(0)) == 10 * card.MOST_BLOCKS
    stream.close()


def test_a_card_that_is_busy_or_has_too_few_channels() -> None:
    with pytest.raises(StreamError, match="USB Audio: Device unavailable"):
        CardStream(settings(), FakeAudio("USB Audio", broken=True))
    with pytest.raises(InputError, match="has 2 channels, not 3"):
        CardStream(settings(channel=3), FakeAudio("USB Audio"))


def test_a_card_that_comes_later_is_listened_to(clock: TurnedClock) -> None:
    audio = FakeAudio()
    source = StreamSource(lambda: CardStream(settings(), audio), clock, timeout=5.0, silence=30.0)
    source.step()
    assert source.status.state == State.LOST
    assert "none at all" in source.status.detail
    audio.names.append("USB Audio")
    clock.turn(10)
    source.step()
    audio.options["callback"](np.full((10, 2), 0.1, np.float32), 10, None, None)
    source.step()
    assert source.status.state == State.LISTENING
    source.close()


def test_without_port_audio_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    real = builtins.__import__

    def missing(name: str, *rest: Any, **options: Any) -> Any:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(InputError, match="apt install libportaudio2"):
        card.port_audio()
