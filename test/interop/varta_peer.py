"""An agent and a decoder written from the protocol pages alone (spec 01 and 02), in another language than the program.

It reads one JSON command per line and answers each with one JSON line, until stdin ends. The cipher is RFC 8439 word for
word; where the `cryptography` package can be imported, every vector is checked against it, too.
"""

import hashlib
import hmac
import json
import os
import socket
import struct
import sys
import time

U32 = 0xFFFFFFFF
TERMINAL = 2**64 - 1
STATUSES = ["ok", "degraded", "critical", "stall"]


# --- the base frame (spec 01) ---------------------------------------------------------------------
def crc32c(data):
    state = U32
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
    return state ^ U32


def encode(status, pid, timestamp, nonce, payload):
    head = struct.pack("<2sBBIQQI", b"VA", 2, STATUSES.index(status), pid, timestamp, nonce, payload)
    return head + struct.pack("<I", crc32c(head))


def decode(frame):
    """The fields, or {"error": NAME}; the first rule that is broken wins."""
    if len(frame) != 32:
        return {"error": "WrongSize"}
    magic, version, status, pid, timestamp, nonce, payload, crc = struct.unpack("<2sBBIQQII", frame)
    if magic != b"VA":
        return {"error": "BadMagic"}
    if version != 2:
        return {"error": "BadVersion"}
    if crc != crc32c(frame[:28]):
        return {"error": "BadCrc"}
    if status > 3:
        return {"error": "BadStatus"}
    if status == 3:
        return {"error": "StallOnWire"}
    if pid in (0, 1):
        return {"error": "BadPid"}
    if timestamp == TERMINAL:
        return {"error": "BadTimestamp"}
    if nonce == TERMINAL and status != 2:
        return {"error": "BadNonce"}
    return {"status": STATUSES[status], "pid": pid, "timestamp": str(timestamp), "nonce": str(nonce), "payload": payload}


# --- ChaCha20-Poly1305 (RFC 8439) -----------------------------------------------------------------
def chacha_block(key, counter, nonce):
    start = list(struct.unpack("<16I", b"expand 32-byte k" + key + struct.pack("<I", counter) + nonce))
    x = list(start)

    def quarter(a, b, c, d):
        for p, q, r, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[p] = x[p] + x[q] & U32
            mixed = x[r] ^ x[p]
            x[r] = (mixed << bits | mixed >> 32 - bits) & U32

    for _ in range(10):
        for column in range(4):
            quarter(column, 4 + column, 8 + column, 12 + column)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<16I", *(a + b & U32 for a, b in zip(x, start)))


def poly1305(one_time_key, message):
    r = int.from_bytes(one_time_key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    s = int.from_bytes(one_time_key[16:], "little")
    total = 0
    for at in range(0, len(message), 16):
        total = (total + int.from_bytes(message[at : at + 16] + b"\x01", "little")) * r % (2**130 - 5)
    return (total + s & 2**128 - 1).to_bytes(16, "little")


def xor_stream(key, nonce, data):
    blocks = b"".join(chacha_block(key, 1 + i, nonce) for i in range((len(data) + 63) // 64))
    return bytes(a ^ b for a, b in zip(data, blocks))


def tag_of(key, nonce, aad, ciphertext):
    def pad(data):
        return data + bytes(-len(data) % 16)

    lengths = struct.pack("<QQ", len(aad), len(ciphertext))
    return poly1305(chacha_block(key, 0, nonce)[:32], pad(aad) + pad(ciphertext) + lengths)


def seal(key, nonce, aad, plaintext):
    ciphertext = xor_stream(key, nonce, plaintext)
    return ciphertext + tag_of(key, nonce, aad, ciphertext)


def unseal(key, nonce, aad, sealed):
    """The plaintext, or None if the tag is wrong."""
    ciphertext, tag = sealed[:-16], sealed[-16:]
    if not hmac.compare_digest(tag, tag_of(key, nonce, aad, ciphertext)):
        return None
    return xor_stream(key, nonce, ciphertext)


# --- keys and sealed frames (spec 02) -------------------------------------------------------------
def hkdf(material, info, length):
    extracted = hmac.new(bytes(32), material, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()[:length]


def agent_key(master, pid):
    return hkdf(master, b"varta-agent-v1\0" + struct.pack("<I", pid), 32)


def iv_prefix(salt, index):
    return hkdf(salt, b"varta-iv-prefix-v1\0" + struct.pack("<I", index), 8)


def panic_prefix(salt, pid, timestamp, counter):
    return hkdf(salt, b"varta-panic-iv-v1\0" + struct.pack("<IQI", pid, timestamp, counter), 8)


def epoch_key(key, epoch):
    return hkdf(key, b"varta-epoch-v1\0" + struct.pack("<Q", epoch), 32)


def seal_shared(key, prefix, counter, frame):
    nonce = prefix + struct.pack("<I", counter)
    return nonce + seal(key, nonce, b"", frame)


def seal_master(key_of_agent, pid, prefix, counter, frame):
    nonce = prefix + struct.pack("<I", counter)
    aad = struct.pack("<I", pid)
    return aad + nonce + seal(key_of_agent, nonce, aad, frame)


def open_datagram(datagram, key, master):
    """The frame inside, by what the length says; None if no key opens it."""
    if len(datagram) == 32:
        return datagram
    if len(datagram) == 60 and key is not None:
        return unseal(key, datagram[:12], b"", datagram[12:])
    if len(datagram) == 64 and master is not None:
        aad = datagram[:4]
        pid = struct.unpack("<I", aad)[0]
        frame = unseal(agent_key(master, pid), datagram[4:16], aad, datagram[16:])
        return frame if frame is not None and frame[4:8] == aad else None
    return None


# --- vectors --------------------------------------------------------------------------------------
def same(what, found, expected):
    found = found.hex() if isinstance(found, bytes) else found
    if found != expected:
        raise AssertionError(f"{what}: found {found}; want {expected}")


def check_rfc():
    key = bytes(range(32))
    block = "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4ed2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e"
    same("block 2.3.2", chacha_block(key, 1, bytes.fromhex("000000090000004a00000000")), block)
    mac_key = bytes.fromhex("85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b")
    same("tag 2.5.2", poly1305(mac_key, b"Cryptographic Forum Research Group"), "a8061dc1305136c6c22b8baf0c0127a9")
    # The whole message of section 2.8.2, with its additional data.
    key, nonce = bytes(range(0x80, 0xA0)), bytes.fromhex("070000004041424344454647")
    text = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."
    sealed = seal(key, nonce, bytes.fromhex("50515253c0c1c2c3c4c5c6c7"), text)
    same("seal 2.8.2", sealed[:16], "d31a8d34648e60db7b86afbc53ef7ec2")
    same("tag 2.8.2", sealed[-16:], "1ae10b594f09e26a7e902ecbd0600691")
    short = seal(key, nonce, b"", text[:32])
    same("short text", short[:32], "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6")
    same("short tag", short[32:], "e28a1be5817779a8a5aeee8c1ecfef33")
    return 6


def check_one_time_keys(vectors):
    master = bytes.fromhex(vectors[0]["key_hex"])
    nonce = bytes.fromhex("112233445566778800000000")
    same("one-time key, shared", chacha_block(master, 0, nonce)[:32], "5eba3ff8b174f013a8cf7ad4dd07e53e2eb9f34eec9f48d421abfd119e49bd7a")
    key = agent_key(master, 2)
    same("one-time key, master", chacha_block(key, 0, nonce)[:32], "e5abdcfbb83f657daba56f5669527e28295f37d8a0dd290983bf41e2cfef9da0")
    same("panic prefix", panic_prefix(bytes([0xA5] * 16), 42, 1000, 7), "e2615ed3e4f44375")
    return 3


def check_frame(vector):
    if vector["kind"] == "decode_error":
        same(vector["id"], decode(bytes.fromhex(vector["wire_hex"])).get("error"), vector["expected_decode_error"])
        return
    fields = vector["inputs"]
    wire = encode(fields["status"], fields["pid"], fields["timestamp"], fields["nonce"], fields["payload"])
    same(vector["id"], wire, vector["expected_wire_hex"])
    same(vector["id"], decode(wire).get("nonce"), str(fields["nonce"]))


def check_secure(vector):
    v = {name[:-4]: bytes.fromhex(text) for name, text in vector.items() if name.endswith("_hex")}
    what = vector["id"]
    if vector["kind"] == "shared_key_seal":
        same(what, seal_shared(v["key"], v["iv_random"], vector["iv_counter"], v["plaintext"]), vector["expected_wire_hex"])
        same(what, open_datagram(v["expected_wire"], v["key"], None), vector["plaintext_hex"])
        check_library(v["key"], v["expected_wire"], b"", v["plaintext"])
    elif vector["kind"] == "master_key_seal":
        pid = vector["agent_pid"]
        key = agent_key(v["master_key"], pid)
        same(what, key, vector["derived_agent_key_hex"])
        same(what, seal_master(key, pid, v["iv_random"], vector["iv_counter"], v["plaintext"]), vector["expected_wire_hex"])
        same(what, open_datagram(v["expected_wire"], None, v["master_key"]), vector["plaintext_hex"])
        check_library(key, v["expected_wire"][4:], v["expected_wire"][:4], v["plaintext"])
    elif vector["kind"] == "kdf_agent_key":
        same(what, agent_key(v["master_key"], vector["agent_id"]), vector["expected_okm_hex"])
    elif vector["kind"] == "kdf_iv_prefix":
        same(what, iv_prefix(v["session_salt"], vector["prefix_index"]), vector["expected_iv_prefix_hex"])
    elif vector["kind"] == "kdf_epoch_key":
        same(what, epoch_key(v["agent_key"], vector["epoch"]), vector["expected_okm_hex"])
    else:
        raise AssertionError(f"{what}: unknown kind {vector['kind']}")


def check_library(key, datagram, aad, plaintext):
    try:
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
    except ImportError:
        return
    same("library", ChaCha20Poly1305(key).decrypt(datagram[:12], datagram[12:], aad), plaintext.hex())


def check_vectors(path):
    with open(path) as file:
        vectors = json.load(file)
    for vector in vectors["crc32c_vectors"]:
        same(vector["id"], f"{crc32c(bytes.fromhex(vector['input_hex'])):08x}", vector["expected_crc_hex"])
    for vector in vectors["frame_vectors"]:
        check_frame(vector)
    for vector in vectors["secure_frame_vectors"]:
        check_secure(vector)
    return {
        "crc": len(vectors["crc32c_vectors"]),
        "frames": len(vectors["frame_vectors"]),
        "secure": len(vectors["secure_frame_vectors"]),
        "rfc": check_rfc(),
        "derived": check_one_time_keys(vectors["secure_frame_vectors"]),
    }


# --- the agent ------------------------------------------------------------------------------------
class Agent:
    """One process towards one observer: a nonce stream, and a session where frames are sealed."""

    def __init__(self, wish):
        self.key = bytes.fromhex(wish["key"]) if "key" in wish else None
        self.master = bytes.fromhex(wish["master"]) if "master" in wish else None
        if "path" in wish:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.socket.connect(wish["path"])
        else:
            family = socket.AF_INET6 if ":" in wish["host"] else socket.AF_INET
            self.socket = socket.socket(family, socket.SOCK_DGRAM)
            self.socket.connect((wish["host"], wish["port"]))
        self.nonce = 1
        self.salt = os.urandom(16)
        self.prefix_index = 0
        self.counter = 0

    def beat(self, status, payload):
        self.socket.send(self.datagram(encode(status, os.getpid(), time.monotonic_ns(), self.nonce, payload)))
        self.nonce += 1

    def crash(self, payload):
        now = time.monotonic_ns()
        frame = encode("critical", os.getpid(), now, TERMINAL, payload)
        self.socket.send(self.datagram(frame, panic_prefix(self.salt, os.getpid(), now, self.counter)))

    def rotate(self):
        self.prefix_index += 1
        self.counter = 0

    def datagram(self, frame, own_prefix=None):
        if self.key is None and self.master is None:
            return frame
        prefix, counter = own_prefix, 0
        if own_prefix is None:
            prefix, counter = iv_prefix(self.salt, self.prefix_index), self.counter
            self.counter += 1
        if self.key is not None:
            return seal_shared(self.key, prefix, counter, frame)
        return seal_master(agent_key(self.master, os.getpid()), os.getpid(), prefix, counter, frame)


def beat(wish):
    agent = Agent(wish)
    for sent in range(wish["count"]):
        if sent == wish.get("rotateAfter"):
            agent.rotate()
        agent.beat(wish.get("status", "ok"), sent)
    if wish.get("crash"):
        agent.crash(wish["count"])
    return {"pid": os.getpid()}


def explain(wish):
    key = bytes.fromhex(wish["key"]) if "key" in wish else None
    master = bytes.fromhex(wish["master"]) if "master" in wish else None
    frame = open_datagram(bytes.fromhex(wish["datagram"]), key, master)
    return {"error": "NotOpened"} if frame is None else decode(frame)


COMMANDS = {"vectors": lambda wish: check_vectors(wish["file"]), "beat": beat, "explain": explain}

for line in sys.stdin:
    command = json.loads(line)
    print(json.dumps(COMMANDS[command["do"]](command)), flush=True)
