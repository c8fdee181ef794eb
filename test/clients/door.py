"""A door of either kind that shows what comes in (docs/spec/21-clients.md section 1): each frame with
the process that the kernel names as its sender, and each end of a connection."""

import select
import socket
import struct
import sys

SO_PASSCRED = 16
kind, path = sys.argv[1:3]
is_stream = kind == "unix-stream"
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM if is_stream else socket.SOCK_DGRAM)
listener.setsockopt(socket.SOL_SOCKET, SO_PASSCRED, 1)
listener.bind(path)
if is_stream:
    listener.listen(128)
print("ready", flush=True)
begun = {}


def read(source):
    """Bytes and their sender. A read never merges two senders."""
    try:
        data, control, _, _ = source.recvmsg(32 * 64, socket.CMSG_SPACE(12))
    except ConnectionError:
        return b"", 0
    return data, struct.unpack("3i", control[0][2])[0] if control else 0


while True:
    ready, _, _ = select.select([listener, *begun], [], [])
    for each in ready:
        if each is listener and is_stream:
            begun[listener.accept()[0]] = (0, b"")
            continue
        data, sender = read(each)
        if each is listener:
            print(f"frame {sender} {data.hex()}", flush=True)
            continue
        before, rest = begun[each]
        if not data:
            print(f"end {len(rest)}", flush=True)
            del begun[each]
            each.close()
            continue
        if rest and before != sender:
            print(f"mixed {before} {sender}", flush=True)
        rest += data
        while len(rest) >= 32:
            print(f"frame {sender} {rest[:32].hex()}", flush=True)
            rest = rest[32:]
        begun[each] = (sender, rest)
