"""The part of a service manager that keeps descriptors, for tests.

keep NOTIFY HANDOVER: receives at the socket NOTIFY as systemd does (FDSTORE, FDSTOREREMOVE), prints
every message as a line of JSON, and hands all that it keeps to who connects to HANDOVER.
launch HANDOVER EXTRAS PROGRAM...: becomes the program, with the kept descriptors from 3 on, and then
those of EXTRAS, a list of {"name", "kind", "path", "mode"}: "dgram", "stream", "udp" or "file".
"""
import array, json, os, select, socket, stat, sys


def receive(sock):
    size = array.array("i").itemsize
    text, control, _flags, _from = sock.recvmsg(8192, socket.CMSG_SPACE(253 * size))
    fds = array.array("i")
    for level, kind, data in control:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % size])
    return text.decode(), list(fds)


def keep(notify_path, handover_path):
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(notify_path)
    handover = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    handover.bind(handover_path)
    handover.listen(4)
    kept = []
    print(json.dumps({"text": "keeping", "kept": []}), flush=True)
    while True:
        readable, _, _ = select.select([notify, handover], [], [])
        # What was said before somebody asks counts before that.
        if notify in readable:
            text, fds = receive(notify)
            fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
            name = fields.get("FDNAME", "stored")
            if fields.get("FDSTORE") == "1":
                for fd in fds:
                    # systemd ignores a descriptor that it has, whatever its name is.
                    if any(os.path.sameopenfile(fd, other) for _, other in kept):
                        os.close(fd)
                    else:
                        kept.append((name, fd))
            if fields.get("FDSTOREREMOVE") == "1":
                for other, fd in kept:
                    if other == name:
                        os.close(fd)
                kept = [one for one in kept if one[0] != name]
            print(json.dumps({"text": text, "kept": [one for one, _ in kept]}), flush=True)
        elif handover in readable:
            peer, _ = handover.accept()
            names = json.dumps([name for name, _ in kept]).encode()
            fds = array.array("i", [fd for _, fd in kept])
            peer.sendmsg([names], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if kept else [])
            peer.close()


def make(extra):
    kind, path = extra["kind"], extra.get("path")
    if kind == "file":
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if kind == "udp":
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind(("127.0.0.1", 0))
    else:
        made = socket.socket(
            socket.AF_UNIX, socket.SOCK_DGRAM if kind == "dgram" else socket.SOCK_STREAM
        )
        # As PassCredentials=yes.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        if os.path.exists(path) and stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)
        made.bind(path)
        os.chmod(path, extra.get("mode", 0o600))
        if kind == "stream":
            made.listen(4)
    return made.detach()


def launch(handover_path, extras, argv):
    keeper = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    keeper.connect(handover_path)
    text, fds = receive(keeper)
    keeper.close()
    names = json.loads(text)
    for extra in json.loads(extras):
        fds.append(make(extra))
        names.append(extra["name"])
    high = [os.dup2(fd, 100 + i) for i, fd in enumerate(fds)]
    os.closerange(3, 100)
    for i, fd in enumerate(high):
        os.dup2(fd, 3 + i, inheritable=True)
        os.close(fd)
    os.environ["LISTEN_PID"] = str(os.getpid())
    os.environ["LISTEN_FDS"] = str(len(fds))
    os.environ["LISTEN_FDNAMES"] = ":".join(names)
    os.execv(argv[0], argv)


if sys.argv[1] == "keep":
    keep(sys.argv[2], sys.argv[3])
else:
    launch(sys.argv[2], sys.argv[3], sys.argv[4:])
