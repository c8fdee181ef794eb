"""The Python client behind the lines of test/clients/driver.ts: a command in, an answer out."""

import logging
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../../clients/python"))
import varta_watch  # noqa: E402

logging.disable(logging.CRITICAL)
client = None
# What the client to be opened says of itself.
called = {}


def told(outcome):
    return f"{outcome.kind} {outcome.reason}".strip()


SLOW_S = 0.005


def fill(count):
    """Beats until one is dropped and `count` times more: the last outcome, how many were sent, and
    how many of those to the full queue took long."""
    left, sent, slow, last = None, 0, 0, None
    while left is None or left > 0:
        before = time.monotonic()
        last = client.beat()
        took = time.monotonic() - before
        sent += last.kind == "sent"
        if left is not None:
            left -= 1
            slow += took > SLOW_S
        elif last.kind != "sent":
            left = count
    return f"{told(last)} {sent} {slow}"


def forked(count, use_client):
    """`count` beats of a forked child, and its pid."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        answers = [told(use_client()) for _ in range(count)]
        os.write(writer, f"{os.getpid()} {','.join(answers)}".encode())
        os._exit(0)
    os.close(writer)
    answer = os.read(reader, 4096).decode()
    os.close(reader)
    os.waitpid(child, 0)
    return answer


def beat_and_close():
    outcome = client.beat()
    client.close()
    return outcome


def fail_in_block():
    try:
        with client:
            raise RuntimeError("as the test asked for")
    except RuntimeError:
        return "done"


def threads(thread_count, count):
    sent = []

    def run():
        sent.append(sum(client.beat().kind == "sent" for _ in range(count)))

    running = [threading.Thread(target=run) for _ in range(thread_count)]
    for each in running:
        each.start()
    for each in running:
        each.join()
    return str(sum(sent))


def fork_while_beating(count):
    """`count` children, each forked while another thread is inside beat()."""
    ended = threading.Event()

    def run():
        while not ended.is_set():
            client.beat("bad")
            client.beat("bad", -1)
            with varta_watch._lock_of(os.getpid()):
                time.sleep(0.0005)

    beating = threading.Thread(target=run)
    beating.start()
    answers = [forked(1, client.beat) for _ in range(count)]
    ended.set()
    beating.join()
    return " ".join(sorted({answer.split()[-1] for answer in answers}))


def cipher():
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    return ChaCha20Poly1305


def do(words):
    global client, called
    verb, rest = words[0], words[1:]
    if verb == "unix":
        client = varta_watch.connect(rest[0], **called)
    elif verb == "unix-stream":
        client = varta_watch.connect(stream=rest[0], **called)
    elif verb == "default":
        client = varta_watch.connect()
    elif verb == "udp":
        client = varta_watch.connect_udp(rest[0], int(rest[1]), **called)
    elif verb in ("key", "master"):
        name = {"key": "key", "master": "master_key"}[verb]
        client = varta_watch.connect_secure_udp(rest[0], int(rest[1]), **{name: rest[2]}, **called)
    elif verb == "beat":
        return told(client.beat(rest[0], int(rest[1])))
    elif verb == "crash":
        return told(client.crash_beat(int(rest[0])))
    elif verb == "fill":
        return fill(int(rest[0]))
    elif verb == "fork":
        return forked(int(rest[0]), client.beat)
    elif verb == "threads":
        return threads(int(rest[0]), int(rest[1]))
    elif verb == "fork-while-beating":
        return fork_while_beating(int(rest[0]))
    elif verb == "encode":
        return varta_watch.encode_frame(*map(int, rest)).hex()
    elif verb == "crc":
        return f"{varta_watch.crc32c(bytes.fromhex(''.join(rest))):08x}"
    elif verb == "hkdf":
        return varta_watch.hkdf(bytes.fromhex(rest[0]), bytes.fromhex(rest[1]), int(rest[2])).hex()
    elif verb == "seal":
        session = varta_watch._Session(bytes.fromhex(rest[1]), rest[0] == "master", cipher())
        prefix, frame = bytes.fromhex(rest[3]), bytes.fromhex(rest[5])
        return session._seal_with(int(rest[2]), prefix, int(rest[4]), frame).hex()
    elif verb == "die":
        client.install_crash_beat()
        raise RuntimeError("as the test asked for")
    elif verb == "called":
        called = {"name": rest[0], "interval_s": int(rest[1]) / 1000}
    elif verb == "hello":
        return varta_watch.encode_control(1, *map(int, rest[:3]), "".join(rest[3:])).hex()
    elif verb == "bye":
        return varta_watch.encode_control(2, *map(int, rest[:2])).hex()
    elif verb == "exit":
        sys.exit(int(rest[0]))
    elif verb == "fork-close":
        return forked(1, beat_and_close)
    elif verb == "fail-in-block":
        return fail_in_block()
    elif verb in ("close", "goodbye"):
        client.close()
    else:
        return f"unknown {verb}"
    return "done"


for line in sys.stdin:
    print(do(line.split()), flush=True)
