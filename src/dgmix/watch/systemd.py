"""systemd: what a service tells it, and the unit that `dgmix watch install` writes.

https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

from __future__ import annotations

import os
import shlex
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from dgmix.files import write_text

WATCHDOG_SECONDS = 180
UNIT = """\
[Unit]
Description=dgmix watch: listens to machines
After=network-online.target sound.target
Wants=network-online.target

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=5
WatchdogSec={watchdog}
TimeoutStopSec=15
{identity}StateDirectory=dgmix
UMask=0077
NoNewPrivileges=true
PrivateTmp=true
ProtectSystem=strict
{home}
[Install]
WantedBy={target}
"""


def notify(text: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Tell systemd something, as READY=1; False where no systemd listens."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.connect("\0" + address[1:] if address.startswith("@") else address)
        to.sendall(text.encode())
        return True
    return False


def unit_text(settings: Path, user: bool) -> str:
    """Return the unit of a settings file, for the system or for one user's services."""
    words = [sys.executable, "-m", "dgmix", "watch", str(settings.absolute())]
    return UNIT.format(
        command=shlex.join(words),
        watchdog=WATCHDOG_SECONDS,
        identity="" if user else "DynamicUser=true\nSupplementaryGroups=audio\n",
        home="" if user else "ProtectHome=read-only\n",
        target="default.target" if user else "multi-user.target",
    )


def unit_path(user: bool) -> Path:
    """Return where such a unit belongs."""
    if user:
        folder = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        return Path(folder) / "systemd" / "user" / "dgmix-watch.service"
    return Path("/etc/systemd/system/dgmix-watch.service")


def install(settings: Path, user: bool, output: Path | None = None) -> str:
    """Write the unit, and return what to do next; raises `InputError` where that is not allowed."""
    path = output or unit_path(user)
    write_text(path, unit_text(settings, user))
    control = "systemctl --user" if user else "systemctl"
    return (
        f"{path} written. Next:\n"
        f"  {control} daemon-reload\n"
        f"  {control} enable --now dgmix-watch\n"
        f"  {control} status dgmix-watch"
    )
