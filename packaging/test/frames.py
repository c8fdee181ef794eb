"""The 32 bytes of a beat (docs/spec/01-wire.md), for agents in tests."""

import os
import struct
import time


def _crc32c_table():
    table = []
    for byte in range(256):
        state = byte
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
        table.append(state)
    return table


_TABLE = _crc32c_table()


def crc32c(data):
    state = 0xFFFFFFFF
    for byte in data:
        state = state >> 8 ^ _TABLE[(state ^ byte) & 0xFF]
    return state ^ 0xFFFFFFFF


def frame(nonce):
    head = struct.pack("<2sBBIQQI", b"VA", 2, 0, os.getpid(), time.monotonic_ns(), nonce, 0)
    return head + struct.pack("<I", crc32c(head))
