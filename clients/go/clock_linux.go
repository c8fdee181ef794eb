package varta

import (
	"syscall"
	"unsafe"
)

const clockMonotonic = 1

// monotonicNanoseconds is CLOCK_MONOTONIC, which goes on when a program replaces itself by exec;
// the clock of the time package begins anew.
func monotonicNanoseconds() uint64 {
	var now syscall.Timespec
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic,
		uintptr(unsafe.Pointer(&now)), 0); errno != 0 {
		return 0
	}
	return uint64(now.Nano())
}
