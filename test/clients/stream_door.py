"""A listener of the stream door's protocol (docs/spec/20-clients.md section 1), for clients: it
prints each frame, with the process that the kernel names as its sender, and each end of a
connection."""

import select
import socket
import struct
import sys

SO_PASSCRED = 16
path = sys.argv[1]
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.setsockopt(socket.SOL_SOCKET, SO_PASSCRED, 1)
listener.bind(path)
listener.listen(128)
print("ready", flush=True)
begun = {}
while True:
    ready, _, _ = select.select([listener, *begun], [], [])
    for each in ready:
        if each is listener:
            connection = listener.accept()[0]
            connection.setsockopt(socket.SOL_SOCKET, SO_PASSCRED, 1)
            begun[connection] = (0, b"")
            continue
        try:
            # A read never merges two senders; the credentials are those of its bytes.
            data, control, _, _ = each.recvmsg(32 * 64, socket.CMSG_SPACE(12))
        except ConnectionError:
            data, control = b"", []
        if not data:
            print(f"end {len(begun.pop(each)[1])}", flush=True)
            each.close()
            continue
        sender = struct.unpack("3i", control[0][2])[0]
        before, rest = begun[each]
        if rest and before != sender:
            print(f"mixed {before} {sender}", flush=True)
        rest += data
        while len(rest) >= 32:
            print(f"frame {sender} {rest[:32].hex()}", flush=True)
            rest = rest[32:]
        begun[each] = (sender, rest)
