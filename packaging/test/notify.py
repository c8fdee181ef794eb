# A service that knows sd_notify(3) alone: the protocol is a datagram of lines.
import os, signal, socket, sys, time

def notify(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.sendto(text.encode(), os.environ["NOTIFY_SOCKET"])

def stop(*_):
    notify("STOPPING=1")
    sys.exit(3)

signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGUSR1, lambda *_: notify("WATCHDOG=trigger"))
notify("READY=1\nSTATUS=ignored: no member yet")
while True:
    notify("WATCHDOG=1\nSTATUS=ready to serve")
    time.sleep(0.5)
