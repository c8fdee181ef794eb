"""What the Python client promises beside the contract: repeated beats, contexts, one line a cause,
and a fake for the tests of others."""

import asyncio
import os
import signal
import socket
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../clients/python"))
import varta_watch  # noqa: E402


class Door:
    """A bound datagram socket."""

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.directory.name, "door.sock")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(10)
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.directory.cleanup()


class Every(unittest.TestCase):
    def test_beats_with_the_status_that_is_alive_says_and_stops(self):
        with Door() as door, varta_watch.connect(door.path) as client:
            with client.every(0.01, lambda: "degraded") as repeat:
                self.assertEqual(door.socket.recv(64)[3], 1)
                self.assertEqual(door.socket.recv(64)[3], 1)
            repeat._thread.join(10)
            self.assertFalse(repeat._thread.is_alive())

    def test_sends_nothing_while_is_alive_is_false_or_raises(self):
        fake = varta_watch.FakeClient()
        asked = threading.Event()
        answers = iter([False, ZeroDivisionError(), True])

        def is_alive():
            answer = next(answers, None)
            if isinstance(answer, Exception):
                raise answer
            if answer is None:
                asked.set()
            return answer

        with self.assertLogs("varta_watch") as logs, fake.every(0.001, is_alive):
            self.assertTrue(asked.wait(10))
        self.assertEqual(fake.beats, [("ok", 0)])
        self.assertEqual(len(logs.records), 1)

    def test_refuses_an_interval_that_is_none(self):
        with self.assertRaises(ValueError):
            varta_watch.FakeClient().every(0)

    def test_has_a_coroutine_for_asyncio(self):
        async def main():
            fake = varta_watch.FakeClient()
            task = asyncio.create_task(varta_watch.every_async(fake, 0.001))
            while len(fake.beats) < 2:
                await asyncio.sleep(0)
            task.cancel()

        asyncio.run(main())


class Speech(unittest.TestCase):
    def test_a_cause_is_one_line(self):
        client = varta_watch.connect("/nowhere/varta.sock")
        with self.assertLogs("varta_watch") as logs:
            for _ in range(5):
                self.assertFalse(client.beat())
            client.beat("bad")
        self.assertEqual(len(logs.records), 2)
        self.assertEqual(client.counters["dropped"], 5)

    def test_wrong_arguments_are_failed_and_never_raise(self):
        client = varta_watch.connect("/nowhere/varta.sock")
        with self.assertLogs("varta_watch"):
            for payload in (-1, 2**32, 1.5, "1", None, True):
                self.assertEqual(client.beat("ok", payload).reason, "bad_payload")
            for path in ("", "x" * 108, "a\0b", 7):
                self.assertEqual(varta_watch.connect(path).beat().reason, "bad_path")
            self.assertEqual(varta_watch.connect_udp("localhost", 1).beat().reason, "bad_address")
            self.assertEqual(
                varta_watch.connect_secure_udp("127.0.0.1", 1, key="ab").beat().reason, "bad_key"
            )


class Signals(unittest.TestCase):
    def test_a_beat_inside_a_beat_is_dropped_instead_of_waiting_for_itself(self):
        with Door() as door, varta_watch.connect(door.path) as client:
            inner = []
            write = client._write

            def interrupted(data):
                signal.raise_signal(signal.SIGUSR1)
                return write(data)

            before = signal.signal(signal.SIGUSR1, lambda *_: inner.append(client.beat().reason))
            client._write = interrupted
            self.assertTrue(client.beat())
            signal.signal(signal.SIGUSR1, before)
            del client._write
            self.assertEqual(inner, ["busy"])


class Greetings(unittest.TestCase):
    def heard(self, door):
        """What has come to a door, as "beat NONCE", "hello NONCE" and "bye NONCE"."""
        door.socket.setblocking(False)
        said = []
        while True:
            try:
                data = door.socket.recv(128)
            except BlockingIOError:
                return said
            is_beat = data[:2] == b"VA"
            kind = "beat" if is_beat else {1: "hello", 2: "bye"}[data[3]]
            said.append((kind, int.from_bytes(data[16:24] if is_beat else data[8:16], "little")))

    def test_a_name_is_said_ahead_of_the_first_beat_and_a_block_that_ended_well_says_bye(self):
        with Door() as door:
            with varta_watch.connect(door.path, name="web-7", interval_s=0.5) as client:
                client.beat()
                client.beat()
            self.assertEqual(
                self.heard(door), [("hello", 1), ("beat", 2), ("beat", 3), ("bye", 4)]
            )

    def test_a_block_that_ended_by_an_exception_says_no_bye_and_neither_does_who_never_beat(self):
        with Door() as door:
            with self.assertRaises(ZeroDivisionError):
                with varta_watch.connect(door.path) as client:
                    client.beat()
                    raise ZeroDivisionError
            with varta_watch.connect(door.path):
                pass
            self.assertEqual(self.heard(door), [("beat", 1)])

    def test_a_name_that_cannot_be_said_is_one_line_and_beats_go_on(self):
        with Door() as door:
            for name in ("", "two words", "77", "other", "x" * 41, 7):
                with self.assertLogs("varta_watch") as logs:
                    client = varta_watch.connect(door.path, name=name)
                self.assertEqual(len(logs.records), 1)
                self.assertTrue(client.beat())
            self.assertEqual([kind for kind, _ in self.heard(door)], ["beat"] * 6)


if __name__ == "__main__":
    unittest.main()
