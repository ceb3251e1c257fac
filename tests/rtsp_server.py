"""A network camera on loopback, for the system's Python: prints its port, then sends MJPEG until it is killed.

The upper half is grey, by one level brighter with each frame up to SIGUSR1, and the lower half is black. Its user is
owner, the password an argument.
"""

import signal
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

WIDTH, HEIGHT, FRAMES_PER_SECOND, LEVELS = 320, 240, 25, 200
LAUNCH = (
    f"( appsrc name=scene is-live=true do-timestamp=true format=time caps=video/x-raw,format=GRAY8,width={WIDTH},"
    f"height={HEIGHT},framerate={FRAMES_PER_SECOND}/1 ! videoconvert ! video/x-raw,format=I420 ! jpegenc quality=90 ! "
    "rtpjpegpay name=pay0 pt=26 )"
)


def main() -> None:
    """Serve /door."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer(address="127.0.0.1", service="0")
    auth, token = GstRtspServer.RTSPAuth(), GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "owner")
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    auth.add_digest("owner", sys.argv[1], token)
    server.set_auth(auth)
    factory = GstRtspServer.RTSPMediaFactory(launch=LAUNCH, shared=True)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("owner", "media.factory.access", True)
    permissions.add_permission_for_role("owner", "media.factory.construct", True)
    factory.set_permissions(permissions)
    factory.connect("media-configure", feed)
    server.get_mount_points().add_factory("/door", factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


def feed(_factory: object, media: "GstRtspServer.RTSPMedia") -> None:
    """Push frames into one client's stream, as long as it takes them."""
    source = media.get_element().get_by_name("scene")
    count, step = 0, 1

    def freeze() -> bool:
        nonlocal step
        step = 0
        return True

    def push() -> bool:
        nonlocal count
        grey = 28 + count % LEVELS
        count += step
        rows = bytes([grey]) * (WIDTH * HEIGHT // 2) + bytes([0]) * (WIDTH * HEIGHT // 2)
        return bool(source.emit("push-buffer", Gst.Buffer.new_wrapped(rows)) == Gst.FlowReturn.OK)

    GLib.unix_signal_add(GLib.PRIORITY_HIGH, signal.SIGUSR1, freeze)
    GLib.timeout_add(1000 // FRAMES_PER_SECOND, push)


if __name__ == "__main__":
    main()
