"""An RTSP server of one test tone, by GStreamer; Debian's Python runs it: `python3 FILE PORT`."""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer

TONE = (
    "( audiotestsrc is-live=true wave=pink-noise volume=0.3 ! audio/x-raw,rate=16000,channels=1"
    " ! audioconvert ! rtpL16pay name=pay0 pt=96 )"
)

Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_service(sys.argv[1])
server.set_address("127.0.0.1")
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(TONE)
factory.set_shared(True)
server.get_mount_points().add_factory("/tone", factory)
server.attach(None)
print("ready", flush=True)
GLib.MainLoop().run()
