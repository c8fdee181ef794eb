"""Agents that count what becomes of each of their beats, and the proof that the daemon got them all.

fleet.py run SOCKET COUNT RATE TALLY   COUNT processes beat RATE times a second until SIGTERM. Half
    of them are connected to the socket, half name its path at every beat. Nobody waits: a send that
    fails is counted, and its nonce is that of the next one. Each adds a line to TALLY on SIGUSR1 ("killed":
    the daemon is dead now) and at its end ("end").
fleet.py failed TALLY          prints how many sends failed, by errno.
fleet.py missed TALLY EXPORT   prints how many beats were sent, and which the daemon did not write to
    its event export. What a killed daemon had received and not written yet is no beat that was lost:
    of those that were sent before its death, the last ones may be missing.
"""

import errno
import os
import signal
import socket
import sys
import time

from frames import frame

ERRORS = [errno.ECONNREFUSED, errno.ENOENT, errno.EAGAIN]
# Beats of one agent that may wait in a daemon for being written to its export.
UNWRITTEN_MAX = 20


def beat(path, rate, slot, phase, tally):
    sent, ending, failures = 0, [], [0] * (len(ERRORS) + 1)

    def write(kind):
        os.write(tally, " ".join(map(str, [kind, os.getpid(), sent, *failures, "\n"])).encode())

    signal.signal(signal.SIGUSR1, lambda *_: write("killed"))
    signal.signal(signal.SIGTERM, lambda *_: ending.append(True))
    door = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    door.setblocking(False)
    if slot % 2 == 0:
        door.connect(path)
    next_at = time.monotonic() + phase
    while not ending:
        time.sleep(max(0, next_at - time.monotonic()))
        next_at = max(next_at + 1 / rate, time.monotonic())
        # Counted before it is sent: a line never knows less than the daemon.
        sent += 1
        try:
            if slot % 2 == 0:
                door.send(frame(sent))
            else:
                door.sendto(frame(sent), path)
        except OSError as error:
            sent -= 1
            failures[ERRORS.index(error.errno) if error.errno in ERRORS else len(ERRORS)] += 1
    write("end")


def run(path, count, rate, tally_path):
    tally = os.open(tally_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for slot in range(count):
        if os.fork() == 0:
            beat(path, rate, slot, slot / count / rate, tally)
            os._exit(0)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for _ in range(count):
        os.wait()


def lines(tally_path):
    with open(tally_path, encoding="utf8") as tally:
        for line in tally:
            kind, *numbers = line.split()
            yield kind, *map(int, numbers)


def failed(tally_path):
    ends = [failures for kind, _, _, *failures in lines(tally_path) if kind == "end"]
    totals = [sum(column) for column in zip(*ends)]
    names = [errno.errorcode[code] for code in ERRORS] + ["other"]
    print(*(f"{name} {total}" for name, total in zip(names, totals)), sep=", ")
    return sum(totals)


def missed(tally_path, export_path):
    # By pid: what it had sent at each death of the daemon, and at its own end.
    deaths, sent_by = {}, {}
    for kind, pid, sent, *_ in lines(tally_path):
        if kind == "killed":
            deaths.setdefault(pid, []).append(sent)
        else:
            sent_by[pid] = sent
    seen = {pid: [] for pid in sent_by}
    with open(export_path, encoding="utf8") as export:
        for line in export:
            _, kind, pid, nonce = line.split("\t")[:4]
            if kind == "beat" and int(pid) in seen:
                seen[int(pid)].append(int(nonce))
    holes, unwritten = [], 0
    for pid, sent in sent_by.items():
        before = 0
        for nonce in [*seen[pid], sent + 1]:
            lost = nonce - before - 1
            if any(nonce - 1 <= death <= before + UNWRITTEN_MAX for death in deaths.get(pid, [])):
                unwritten += lost
            elif lost != 0:
                holes.append(f"pid {pid}: {before} and then {nonce}")
            before = nonce
    print(f"{sum(sent_by.values())} sent, {len(holes)} holes, {unwritten} died with a daemon")
    print(*holes[:10], sep="\n")
    return len(holes)


def main():
    command, *args = sys.argv[1:]
    if command == "run":
        run(args[0], int(args[1]), float(args[2]), args[3])
    else:
        sys.exit(min(1, {"failed": failed, "missed": missed}[command](*args)))


main()
