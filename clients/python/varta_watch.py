"""Tells varta-watch that this process lives: one 32-byte beat at a time, one file, no dependency.

It lives in other people's programs, so beat() never blocks, never raises, starts nothing and
queues nothing. A beat that was not sent is lost, and the next one carries its nonce. Any thread
may beat; a forked child has a socket, a lock and nonces of its own. The protocol is
docs/spec/01-wire.md and docs/spec/02-secure.md, the promises are docs/spec/21-clients.md.

    import varta_watch

    with varta_watch.connect() as client:
        for job in jobs:
            job.run()
            client.beat()
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import hmac
import ipaddress
import logging
import math
import os
import random
import re
import socket
import struct
import sys
import threading
import time
from types import TracebackType
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple, Type, Union

__all__ = [
    "Client",
    "FakeClient",
    "Outcome",
    "Repeat",
    "connect",
    "connect_secure_udp",
    "connect_udp",
    "every_async",
]
__version__ = "0.1.0"

STATUSES: Dict[str, int] = {"ok": 0, "degraded": 1, "critical": 2}
_CRITICAL = 2
_NONCE_TERMINAL = 0xFFFFFFFFFFFFFFFF
_U32_MAX = 0xFFFFFFFF
# sun_path of Linux has 108 bytes, one of them the NUL.
_PATH_BYTES_MAX = 107
# A hello or a bye, beside the beats (docs/spec/01-wire.md section 9).
_HELLO = 1
_BYE = 2
_NAME = re.compile(r"(?!(?:[0-9]+|other)\Z)[A-Za-z0-9_.@:-]{1,40}\Z")
# By UDP nothing says that the observer was restarted and has forgotten the name.
_HELLO_AGAIN_S = 60.0
# Least time between two attempts to connect; up to half as much again is added at random, so that
# a thousand clients do not come back in the same millisecond.
_RECONNECT_S = 0.1
# A cause is told when it begins, and once a minute at most.
_LOG_AGAIN_S = 60.0
_NOSIGNAL: int = getattr(socket, "MSG_NOSIGNAL", 0)

_log = logging.getLogger("varta_watch")

# What every() asks before each beat: whether to send it, or with which status.
IsAlive = Callable[[], Union[bool, str]]


class Outcome(NamedTuple):
    """What became of a beat. It is true if the beat was sent."""

    kind: str
    """"sent": the kernel took it. "dropped": it passes by itself. "failed": change something."""
    reason: str
    """Why it was not: "queue_full", "no_observer", "closed", "busy", or of a failed one the name
    of the system error or "bad_status", "bad_payload", "bad_path", "bad_address", "bad_key",
    "no_cipher", "reserved_pid"."""
    text: str
    """One sentence for a log, without a full stop."""

    def __bool__(self) -> bool:
        return self.kind == "sent"


def _failed(reason: str, text: str) -> Outcome:
    return Outcome("failed", reason, f"cannot send beat: {text}")


_SENT = Outcome("sent", "", "Beat sent")
_QUEUE_FULL = Outcome(
    "dropped", "queue_full", "Beat dropped: the queue to the observer is full"
)
_NO_OBSERVER = Outcome("dropped", "no_observer", "Beat dropped: no observer listens there")
_CLOSED = Outcome("dropped", "closed", "Beat dropped: the client was closed")
_BUSY = Outcome(
    "dropped", "busy", "Beat dropped: this thread is inside another beat (a signal handler?)"
)
_BAD_STATUS = _failed("bad_status", 'status must be "ok", "degraded" or "critical"')
_BAD_PAYLOAD = _failed("bad_payload", "payload must be an integer in 0..4294967295")
_BAD_PATH = _failed(
    "bad_path", f"the socket path must have 1..{_PATH_BYTES_MAX} bytes and no NUL"
)
_BAD_ADDRESS = _failed(
    "bad_address",
    'host must be an IP address such as "192.0.2.10", not a name, and port an integer in 1..65535',
)
_BAD_KEY = _failed("bad_key", "a key must be 32 bytes or 64 hex digits")
_NO_CIPHER = _failed(
    "no_cipher", 'secure UDP needs the package "cryptography": pip install cryptography'
)
_RESERVED_PID = _failed(
    "reserved_pid",
    "pid 1 is reserved over a network: start the program under an init (docker run --init)",
)

_BAD_GREETING = (
    'Cannot say hello: name must have 1..40 letters, digits, "_", ".", "@", ":" or "-", and be '
    'neither digits alone nor "other"'
)

_QUEUE_ERRORS = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS})
_GONE_ERRORS = frozenset(
    {errno.ECONNREFUSED, errno.ENOENT, errno.ENOTCONN, errno.ECONNRESET, errno.EPIPE}
)


def _outcome_of(error: OSError) -> Outcome:
    number = error.errno or 0
    if number in _QUEUE_ERRORS:
        return _QUEUE_FULL
    if number in _GONE_ERRORS:
        return _NO_OBSERVER
    name = errno.errorcode.get(number, str(number))
    hint = ""
    if number in (errno.EACCES, errno.EPERM):
        hint = " (mode and group of the listener in varta.toml say who may beat)"
    return _failed(name, f"{os.strerror(number)}{hint}")


def _crc_table() -> Tuple[int, ...]:
    table: List[int] = []
    for crc in range(256):
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


_CRC_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli), which is not the CRC-32 of zlib."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def encode_frame(status: int, pid: int, timestamp: int, nonce: int, payload: int) -> bytes:
    """The 32 bytes of a beat (docs/spec/01-wire.md section 1)."""
    head = struct.pack("<2sBBIQQI", b"VA", 2, status, pid, timestamp, nonce, payload)
    return head + struct.pack("<I", crc32c(head))


def encode_control(kind: int, pid: int, nonce: int, interval_ms: int = 0, name: str = "") -> bytes:
    """The 64 bytes of a hello (1) or a bye (2)."""
    head = struct.pack("<2sBBIQI40s", b"VC", 1, kind, pid, nonce, interval_ms, name.encode())
    return head + struct.pack("<I", crc32c(head))


# --- The state of the process: one lock, and one stream of nonces for each endpoint -------------


class _Stream:
    """The next nonce and the last timestamp of one process towards one endpoint."""

    __slots__ = ("pid", "nonce", "timestamp")

    def __init__(self) -> None:
        self.pid = 0
        self.nonce = 1
        self.timestamp = 0

    def enter(self, pid: int) -> None:
        """Begins again at nonce 1 in a forked child."""
        if self.pid != pid:
            self.pid = pid
            self.nonce = 1

    def stamp(self, terminal: bool) -> int:
        """Never decreases; that of a crash beat is greater than all before."""
        now = max(time.monotonic_ns(), self.timestamp + (1 if terminal else 0))
        self.timestamp = min(now, _NONCE_TERMINAL - 1)
        return self.timestamp

    def advance(self) -> None:
        # 2^64-1 marks a crash beat: after 2^64-2 comes 0.
        self.nonce = 0 if self.nonce >= _NONCE_TERMINAL - 1 else self.nonce + 1


_streams: Dict[str, _Stream] = {}
# By pid: a child that was forked by C code, where no hook runs, finds no lock of its own pid and
# makes one, while that of its parent may be held for ever by a thread that does not exist here.
_locks: Dict[int, threading.RLock] = {}


def _lock_of(pid: int) -> Any:
    lock = _locks.get(pid)
    # setdefault() is atomic: two threads get the same lock.
    return lock if lock is not None else _locks.setdefault(pid, threading.RLock())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_locks.clear)


# --- Where the beats go -------------------------------------------------------------------------


class _Greeting(NamedTuple):
    name: str
    interval_ms: int


def _greeting(name: Optional[str], interval_s: Optional[float]) -> Optional[_Greeting]:
    """None if there is nothing to say, or what was given cannot be said: beats go on without."""
    if name is None and interval_s is None:
        return None
    try:
        interval_ms = round((interval_s or 0) * 1000)
        if (name is None or _NAME.match(name)) and 0 <= interval_ms <= _U32_MAX:
            return _Greeting(name or "", interval_ms)
    except (TypeError, ValueError, OverflowError):
        pass
    _log.warning("%s: name %r, interval_s %r", _BAD_GREETING, name, interval_s)
    return None


class _Endpoint(NamedTuple):
    kind: str
    """"unix", "unix-stream" or "udp"."""
    name: str
    family: int
    address: Any
    fault: Optional[Outcome]


def _unix_endpoint(kind: str, path: Any) -> _Endpoint:
    try:
        raw = os.fsencode(path)
    except TypeError:
        raw = b""
    good = 0 < len(raw) <= _PATH_BYTES_MAX and b"\0" not in raw
    name = os.fsdecode(raw)
    return _Endpoint(kind, name, socket.AF_UNIX, raw, None if good else _BAD_PATH)


def _udp_endpoint(host: Any, port: Any) -> _Endpoint:
    name = f"{host}:{port}"
    try:
        # A name is never looked up: that would block.
        ip = ipaddress.ip_address(str(host).split("%")[0])
        if isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= 65535:
            raise ValueError("port")
        family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
        info = socket.getaddrinfo(
            str(host), port, family, socket.SOCK_DGRAM, 0, socket.AI_NUMERICHOST
        )
        return _Endpoint("udp", name, family, info[0][4], None)
    except (ValueError, OSError):
        return _Endpoint("udp", name, socket.AF_INET, None, _BAD_ADDRESS)


def default_endpoint() -> Tuple[str, str]:
    """Kind and path where nothing is said: VARTA_STREAM, VARTA_SOCKET, then where a varta-watch of
    the same user listens."""
    for variable, kind in (("VARTA_STREAM", "unix-stream"), ("VARTA_SOCKET", "unix")):
        path = os.environ.get(variable, "")
        if path:
            return kind, path
    if os.geteuid() == 0:
        directory = "/var/run/varta" if sys.platform == "darwin" else "/run/varta"
    else:
        runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        temporary = os.environ.get("TMPDIR", "")
        if runtime.startswith("/"):
            directory = f"{runtime.rstrip('/')}/varta"
        else:
            base = temporary.rstrip("/") if temporary.startswith("/") else "/tmp"
            directory = f"{base}/varta-{os.geteuid()}"
    return "unix", f"{directory}/varta.sock"


# --- Sealing (docs/spec/02-secure.md) -----------------------------------------------------------


def hkdf(key_material: bytes, info: bytes, size: int) -> bytes:
    """HKDF-SHA256 with an empty salt, for at most 32 bytes."""
    pseudo_random = hmac.new(bytes(32), key_material, hashlib.sha256).digest()
    return hmac.new(pseudo_random, info + b"\x01", hashlib.sha256).digest()[:size]


class _Session:
    """Seals the frames of one client. No prefix and counter are ever used twice: the counter moves
    with every seal, whatever becomes of the datagram."""

    def __init__(self, key: bytes, is_master: bool, cipher: Any) -> None:
        self._key = key
        self._is_master = is_master
        self._cipher = cipher
        self._pid = 0
        self._salt = b""
        self._prefix_index = 0
        self._prefix = b""
        self._counter = 0

    def seal(self, pid: int, frame: bytes, crash_timestamp: Optional[int]) -> bytes:
        if self._pid != pid:
            self._begin(pid)
        if self._counter > _U32_MAX:
            self._rotate()
        counter = self._counter
        self._counter += 1
        if crash_timestamp is None:
            return self._seal_with(pid, self._prefix, counter, frame)
        # A crash beat is the first frame under a prefix of its own.
        info = struct.pack("<IQI", pid, crash_timestamp, counter)
        prefix = hkdf(self._salt, b"varta-panic-iv-v1\0" + info, 8)
        return self._seal_with(pid, prefix, 0, frame)

    def wipe(self) -> None:
        """Forgets the keys; Python cannot overwrite bytes."""
        self._key = self._salt = b""
        self._pid = 0

    def _begin(self, pid: int) -> None:
        self._pid = pid
        self._salt = os.urandom(16)
        self._use_prefix(0)

    def _rotate(self) -> None:
        if self._prefix_index >= _U32_MAX:
            self._begin(self._pid)
        else:
            self._use_prefix(self._prefix_index + 1)

    def _use_prefix(self, index: int) -> None:
        self._prefix_index = index
        self._prefix = hkdf(self._salt, b"varta-iv-prefix-v1\0" + struct.pack("<I", index), 8)
        self._counter = 0

    def _seal_with(self, pid: int, prefix: bytes, counter: int, frame: bytes) -> bytes:
        nonce = prefix + struct.pack("<I", counter)
        if not self._is_master:
            return nonce + bytes(self._cipher(self._key).encrypt(nonce, frame, b""))
        agent = struct.pack("<I", pid)
        key = hkdf(self._key, b"varta-agent-v1\0" + agent, 32)
        return agent + nonce + bytes(self._cipher(key).encrypt(nonce, frame, agent))


def _key_bytes(key: Union[str, bytes]) -> Optional[bytes]:
    if isinstance(key, (bytes, bytearray)) and len(key) == 32:
        return bytes(key)
    try:
        text = key.decode("ascii") if isinstance(key, (bytes, bytearray)) else key
        digits = text.strip()
        return bytes.fromhex(digits) if len(digits) == 64 and " " not in digits else None
    except (ValueError, AttributeError):
        return None


# --- The client ---------------------------------------------------------------------------------


class Client:
    """Made by connect(), connect_udp() and connect_secure_udp()."""

    def __init__(
        self,
        endpoint: _Endpoint,
        session: Optional[_Session] = None,
        fault: Optional[Outcome] = None,
        greeting: Optional[_Greeting] = None,
    ) -> None:
        self.endpoint: str = endpoint.name
        self.kind: str = endpoint.kind
        self.counters: Dict[str, int] = {"sent": 0, "dropped": 0, "failed": 0, "connects": 0}
        self._to = endpoint
        # Two clients of one door share its numbering: two would be refused as out of order.
        self._stream_name = f"{endpoint.kind} {endpoint.address}"
        # An outcome that is none of sent is false.
        self._fault = fault if fault is not None else endpoint.fault
        self._session = session
        self._socket: Optional[socket.socket] = None
        self._greeting = greeting
        self._hello_at = 0.0
        # This process has sent a beat.
        self._has_begun = False
        # The process that made this client: it alone says bye.
        self._maker = os.getpid()
        self._pid = 0
        # The rest of a frame that a stream took only in part; at most one.
        self._rest = b""
        self._retry_at = 0.0
        self._unconnected = _NO_OBSERVER
        self._closed = False
        self._inside = False
        self._told: Dict[str, float] = {}

    def beat(self, status: str = "ok", payload: int = 0) -> Outcome:
        """Sends one beat and returns at once with what became of it. `status` is "ok", "degraded"
        (making progress, but in trouble) or "critical" (an alarm); `payload` is an integer in
        0..4294967295 that is passed on."""
        code = STATUSES.get(status) if isinstance(status, str) else None
        if code is None:
            return self._count(_BAD_STATUS)
        if not _is_u32(payload):
            return self._count(_BAD_PAYLOAD)
        return self._count(self._locked(code, payload, False))

    def crash_beat(self, payload: int = 0) -> Outcome:
        """Says that this process is about to die: status critical, the terminal nonce."""
        if not _is_u32(payload):
            return self._count(_BAD_PAYLOAD)
        return self._count(self._locked(_CRITICAL, payload, True))

    def every(self, interval_s: float, is_alive: Optional[IsAlive] = None) -> Repeat:
        """Beats each `interval_s` seconds from a daemon thread while `is_alive()` is true; it may
        also return a status. Without `is_alive` this shows only that threads run: give it
        something that stops when your work stops. A forked child does not inherit the thread."""
        return Repeat(self, interval_s, is_alive)

    def install_crash_beat(self) -> None:
        """From now on an uncaught exception sends a crash beat, and ends the process as before."""
        before = sys.excepthook

        def hook(
            kind: Type[BaseException], error: BaseException, trace: Optional[TracebackType]
        ) -> None:
            # Ctrl-C is a signal, not a crash.
            if not issubclass(kind, KeyboardInterrupt):
                self.crash_beat()
            before(kind, error, trace)

        sys.excepthook = hook

    def close(self) -> None:
        """Says bye and closes the socket. Later beats are dropped with reason "closed". After a
        bye this process owes no beats, and its end is a clean one: call it where the work is done,
        and not where it failed. A forked child says none for its parent."""
        self._end(is_done=True)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], *_: object) -> None:
        self._end(is_done=kind is None)

    def _end(self, is_done: bool) -> None:
        with _lock_of(os.getpid()):
            if is_done and not self._closed and not self._inside:
                self._say_bye()
            self._closed = True
            self._disconnect()
            if self._session is not None:
                self._session.wipe()

    def _say_bye(self) -> None:
        pid = os.getpid()
        if self.counters["sent"] == 0 or self._socket is None or pid != self._maker:
            return
        try:
            nonce = _streams[self._stream_name].nonce
            self._write(self._sealed(pid, encode_control(_BYE, pid, nonce)))
        except Exception:  # Whoever closes has no use for it.
            pass

    def _locked(self, status: int, payload: int, terminal: bool) -> Outcome:
        pid = os.getpid()
        with _lock_of(pid):
            # The lock is the thread's own: a signal handler that came in the middle of a beat would
            # otherwise wait for itself. A child forked there starts outside.
            if self._inside and self._pid == pid:
                return _BUSY
            self._inside = True
            try:
                return self._emit(pid, status, payload, terminal)
            except OSError as error:
                return _outcome_of(error)
            except Exception as error:  # A fault of ours must not be one of our host.
                return _failed(type(error).__name__, str(error))
            finally:
                self._inside = False

    def _emit(self, pid: int, status: int, payload: int, terminal: bool) -> Outcome:
        if self._closed:
            return _CLOSED
        if self._fault is not None:
            return self._fault
        if pid == 1 and self._to.kind == "udp":
            return _RESERVED_PID
        stream = self._enter(pid)
        if self._socket is None and not self._connect(terminal):
            return self._unconnected
        self._greet(pid, stream)
        timestamp = stream.stamp(terminal)
        nonce = _NONCE_TERMINAL if terminal else stream.nonce
        data = encode_frame(status, pid, timestamp, nonce, payload)
        if self._session is not None:
            data = self._session.seal(pid, data, timestamp if terminal else None)
        outcome = self._send(data, terminal)
        if outcome is _SENT and not terminal:
            stream.advance()
            self._has_begun = True
            self._greet(pid, stream)
        return outcome

    def _greet(self, pid: int, stream: _Stream) -> None:
        """Says hello if it is time to. A sealed one of a pid that the observer knows begins no
        session: a beat goes first."""
        greeting = self._greeting
        if greeting is None or time.monotonic() < self._hello_at:
            return
        if self._session is not None and not self._has_begun:
            return
        data = encode_control(_HELLO, pid, stream.nonce, greeting.interval_ms, greeting.name)
        try:
            outcome = self._write(self._sealed(pid, data))
        except OSError:
            return  # A beat that follows finds out why, and says hello again.
        if outcome is _SENT:
            stream.advance()
            again = _HELLO_AGAIN_S if self._to.kind == "udp" else math.inf
            self._hello_at = time.monotonic() + again

    def _sealed(self, pid: int, data: bytes) -> bytes:
        return data if self._session is None else self._session.seal(pid, data, None)

    def _enter(self, pid: int) -> _Stream:
        """A forked child has a socket of its own: what it wrote into that of its parent would be
        refused, since the kernel names the sender."""
        if self._pid != pid:
            self._disconnect()
            self._pid = pid
            self._has_begun = False
            self._retry_at = 0.0
        stream = _streams.setdefault(self._stream_name, _Stream())
        stream.enter(pid)
        return stream

    def _send(self, data: bytes, terminal: bool) -> Outcome:
        try:
            return self._write(data)
        except OSError as error:
            outcome = _outcome_of(error)
            if outcome is _QUEUE_FULL:
                return outcome
            if self._to.kind == "udp" and error.errno == errno.ECONNREFUSED:
                # What was refused is an earlier beat, and the socket is good. A crash beat has no
                # later one that could arrive in its place.
                self._hello_at = 0.0
                return self._write(data) if terminal else outcome
            # The observer is gone, perhaps because it was restarted: one new socket, one attempt.
            self._disconnect()
            self._unconnected = outcome
            return self._write(data) if self._connect(terminal) else self._unconnected

    def _write(self, data: bytes) -> Outcome:
        assert self._socket is not None
        if self._to.kind != "unix-stream":
            self._socket.send(data, _NOSIGNAL)
            return _SENT
        if self._rest:
            self._rest = self._rest[self._socket.send(self._rest, _NOSIGNAL) :]
            if self._rest:
                return _QUEUE_FULL
        # What the kernel did not take goes ahead of the next beat: frames are never cut.
        self._rest = data[self._socket.send(data, _NOSIGNAL) :]
        return _SENT

    def _connect(self, at_once: bool) -> bool:
        now = time.monotonic()
        if now < self._retry_at and not at_once:
            return False
        self._retry_at = now + _RECONNECT_S * (1 + random.random() / 2)
        kind = socket.SOCK_STREAM if self._to.kind == "unix-stream" else socket.SOCK_DGRAM
        made: Optional[socket.socket] = None
        try:
            made = socket.socket(self._to.family, kind)
            made.setblocking(False)
            made.connect(self._to.address)
        except OSError as error:
            if made is not None:
                made.close()
            self._unconnected = _outcome_of(error)
            return False
        self._socket = made
        self._hello_at = 0.0
        self.counters["connects"] += 1
        return True

    def _disconnect(self) -> None:
        held, self._socket, self._rest = self._socket, None, b""
        if held is not None:
            try:
                held.close()
            except OSError:
                pass  # The host closed the descriptor.

    def _count(self, outcome: Outcome) -> Outcome:
        with _lock_of(os.getpid()):
            self.counters[outcome.kind] += 1
        if outcome.kind != "sent" and outcome.reason != "busy":
            self._tell(outcome)
        return outcome

    def _tell(self, outcome: Outcome) -> None:
        now = time.monotonic()
        if now - self._told.get(outcome.reason, -_LOG_AGAIN_S) < _LOG_AGAIN_S:
            return
        self._told[outcome.reason] = now
        _log.warning("%s [%s]", outcome.text, self.endpoint)


def _is_u32(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _U32_MAX


class Repeat:
    """Beats that a thread sends; stop() ends them."""

    def __init__(self, client: Any, interval_s: float, is_alive: Optional[IsAlive]) -> None:
        if not interval_s > 0:
            raise ValueError(f"interval_s must be greater than 0: current value is {interval_s}")
        self._client = client
        self._interval_s = interval_s
        self._is_alive = is_alive
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="varta-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the beats. It does not wait for a call of is_alive() that hangs."""
        self._ended.set()

    def __enter__(self) -> Repeat:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        while True:
            _beat_if_alive(self._client, self._is_alive)
            if self._ended.wait(self._interval_s):
                return


def _beat_if_alive(client: Any, is_alive: Optional[IsAlive]) -> None:
    try:
        alive = True if is_alive is None else is_alive()
    except Exception:  # Not known to be alive is not alive; the beats go on when it answers again.
        _log.warning("is_alive() raised, so no beat was sent", exc_info=True)
        return
    if alive:
        client.beat(alive if isinstance(alive, str) else "ok")


async def every_async(
    client: Any, interval_s: float, is_alive: Optional[IsAlive] = None
) -> None:
    """Beats from the event loop until it is cancelled: `asyncio.create_task(every_async(...))`.
    It shows that the loop turns, and with `is_alive` what that says."""
    while True:
        _beat_if_alive(client, is_alive)
        await asyncio.sleep(interval_s)


class FakeClient:
    """For unit tests: takes the calls of a client, and keeps the beats in `beats`."""

    def __init__(self, outcome: Outcome = _SENT) -> None:
        self.outcome = outcome
        self.beats: List[Tuple[str, int]] = []
        self.crashes: List[int] = []
        self.is_closed = False

    def beat(self, status: str = "ok", payload: int = 0) -> Outcome:
        self.beats.append((status, payload))
        return self.outcome

    def crash_beat(self, payload: int = 0) -> Outcome:
        self.crashes.append(payload)
        return self.outcome

    def every(self, interval_s: float, is_alive: Optional[IsAlive] = None) -> Repeat:
        return Repeat(self, interval_s, is_alive)

    def install_crash_beat(self) -> None:
        """Nothing: the hooks of a test are its own."""

    def close(self) -> None:
        self.is_closed = True

    def __enter__(self) -> FakeClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def connect(
    path: Optional[str] = None,
    *,
    stream: Optional[str] = None,
    name: Optional[str] = None,
    interval_s: Optional[float] = None,
) -> Client:
    """A client of a Unix socket: `path` is that of a datagram listener, `stream` that of a
    unix-stream listener; without either VARTA_STREAM, VARTA_SOCKET and the default path are tried.
    It is returned whether or not an observer is there. `name` is what this process wants to be
    called, which is honoured where its rule says `announce`; three times `interval_s` is the
    threshold it asks for."""
    greeting = _greeting(name, interval_s)
    if stream is not None:
        return Client(_unix_endpoint("unix-stream", stream), greeting=greeting)
    if path is not None:
        return Client(_unix_endpoint("unix", path), greeting=greeting)
    kind, found = default_endpoint()
    return Client(_unix_endpoint(kind, found), greeting=greeting)


def connect_udp(
    host: str, port: int, *, name: Optional[str] = None, interval_s: Optional[float] = None
) -> Client:
    """A client of a plain `udp` listener. Whoever reaches it can forge such beats."""
    return Client(_udp_endpoint(host, port), greeting=_greeting(name, interval_s))


def connect_secure_udp(
    host: str,
    port: int,
    *,
    key: Union[str, bytes, None] = None,
    master_key: Union[str, bytes, None] = None,
    name: Optional[str] = None,
    interval_s: Optional[float] = None,
) -> Client:
    """A client of a `secure-udp` listener: `key` is the shared key, or `master_key` the one that
    the key of this process is derived from; 32 bytes or 64 hex digits."""
    endpoint = _udp_endpoint(host, port)
    given = key if key is not None else master_key
    raw = None if given is None else _key_bytes(given)
    if raw is None or (key is not None and master_key is not None):
        return Client(endpoint, fault=_BAD_KEY)
    try:
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
    except ImportError:
        return Client(endpoint, fault=_NO_CIPHER)
    session = _Session(raw, key is None, ChaCha20Poly1305)
    return Client(endpoint, session, greeting=_greeting(name, interval_s))
