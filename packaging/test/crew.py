"""A service of the kind that is watched: a parent and its workers, each of which beats for itself.

usage: crew.py SOCKET COUNT. A worker ends by an exception on SIGUSR1 (status 1), and in peace on
SIGUSR2 (status 0). The parent waits for each and starts nobody anew.
"""

import os
import signal
import socket
import sys
import time

from frames import frame

BEAT_EVERY_S = 0.2


def crash(_signal, _frame):
    raise RuntimeError("a bug")


def leave(_signal, _frame):
    sys.exit(0)


def work(path):
    signal.signal(signal.SIGUSR1, crash)
    signal.signal(signal.SIGUSR2, leave)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    door.connect(path)
    nonce = 1
    while True:
        door.send(frame(nonce))
        nonce += 1
        time.sleep(BEAT_EVERY_S)


def main():
    path, count = sys.argv[1], int(sys.argv[2])
    for _ in range(count):
        if os.fork() == 0:
            work(path)
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


main()
