package varta

import (
	"encoding/binary"
	"hash/crc32"
	"math"
)

// Status is what a program says of itself in a beat.
type Status uint8

const (
	// OK: work gets done.
	OK Status = 0
	// Degraded: making progress, but in trouble.
	Degraded Status = 1
	// Critical: an alarm.
	Critical Status = 2
)

const (
	frameBytes    = 32
	controlBytes  = 64
	nameBytes     = 40
	kindHello     = 1
	kindBye       = 2
	nonceTerminal = math.MaxUint64
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// putFrame writes the 32 bytes of a beat (docs/spec/01-wire.md section 1).
func putFrame(
	to []byte, status Status, pid uint32, timestamp, nonce uint64, payload uint32,
) []byte {
	frame := to[:frameBytes]
	frame[0], frame[1], frame[2], frame[3] = 'V', 'A', 2, byte(status)
	binary.LittleEndian.PutUint32(frame[4:], pid)
	binary.LittleEndian.PutUint64(frame[8:], timestamp)
	binary.LittleEndian.PutUint64(frame[16:], nonce)
	binary.LittleEndian.PutUint32(frame[24:], payload)
	binary.LittleEndian.PutUint32(frame[28:], crc32.Checksum(frame[:28], castagnoli))
	return frame
}

// putControl writes the 64 bytes of a hello or a bye (docs/spec/01-wire.md section 9).
func putControl(
	to []byte, kind byte, pid uint32, nonce uint64, intervalMs uint32, name string,
) []byte {
	frame := to[:controlBytes]
	frame[0], frame[1], frame[2], frame[3] = 'V', 'C', 1, kind
	binary.LittleEndian.PutUint32(frame[4:], pid)
	binary.LittleEndian.PutUint64(frame[8:], nonce)
	binary.LittleEndian.PutUint32(frame[16:], intervalMs)
	padding := frame[20+copy(frame[20:20+nameBytes], name) : 20+nameBytes]
	for at := range padding {
		padding[at] = 0
	}
	binary.LittleEndian.PutUint32(frame[60:], crc32.Checksum(frame[:60], castagnoli))
	return frame
}

// isName tells whether an observer accepts this name in a hello.
func isName(name string) bool {
	if len(name) == 0 || len(name) > nameBytes || name == "other" {
		return false
	}
	onlyDigits := true
	for _, c := range []byte(name) {
		switch {
		case c >= '0' && c <= '9':
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z',
			c == '_', c == '.', c == '@', c == ':', c == '-':
			onlyDigits = false
		default:
			return false
		}
	}
	return !onlyDigits
}
