package varta

import (
	"errors"
	"os"
	"strconv"
	"syscall"
)

// Kind says what became of a beat in one word.
type Kind string

const (
	// Sent: the kernel took it.
	Sent Kind = "sent"
	// Dropped: it passes by itself.
	Dropped Kind = "dropped"
	// Failed: the program or the machine has to be changed.
	Failed Kind = "failed"
)

// Outcome is what became of a beat (docs/spec/21-clients.md section 2).
type Outcome struct {
	Kind Kind
	// Reason is empty of a sent one. Of a dropped one it is queue_full, no_observer or closed; of a
	// failed one bad_status, bad_path, bad_address, bad_name, reserved_pid, or the system's error,
	// such as EACCES.
	Reason string
	// Text is one sentence for a log, without a full stop.
	Text string
}

var (
	outcomeSent       = Outcome{Sent, "", "Beat sent"}
	outcomeQueueFull  = dropped("queue_full", "the queue to the observer is full")
	outcomeNoObserver = dropped("no_observer", "no observer listens there")
	outcomeClosed     = dropped("closed", "the client was closed")
	outcomeBadStatus  = failed("bad_status", "status must be OK, Degraded or Critical")
	outcomeBadPath    = failed("bad_path", "the socket path must have 1..107 bytes and no NUL")
	outcomeBadAddress = failed("bad_address",
		`host must be an IP address such as "192.0.2.10", not a name, and port in 1..65535`)
	outcomeBadName = failed("bad_name",
		"a name has letters, digits, _ . @ : and -, at most 40, is not digits alone and not other")
	outcomeReservedPid = failed("reserved_pid",
		"pid 1 is reserved over a network: start the program under an init (docker run --init)")
)

func dropped(reason, text string) Outcome {
	return Outcome{Dropped, reason, "Beat dropped: " + text}
}

func failed(reason, text string) Outcome {
	return Outcome{Failed, reason, "cannot send beat: " + text}
}

// outcomeOf tells what an error of the system means for a beat.
func outcomeOf(err error) Outcome {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		if errors.Is(err, os.ErrClosed) {
			return outcomeNoObserver
		}
		return failed("error", err.Error())
	}
	switch errno {
	case syscall.EAGAIN, syscall.ENOBUFS:
		return outcomeQueueFull
	case syscall.ECONNREFUSED, syscall.ENOENT, syscall.ENOTCONN, syscall.ECONNRESET, syscall.EPIPE:
		return outcomeNoObserver
	case syscall.EACCES, syscall.EPERM:
		return failed(errnoName(errno),
			errno.Error()+" (mode and group of the listener in varta.toml say who may beat)")
	}
	return failed(errnoName(errno), errno.Error())
}

func errnoName(errno syscall.Errno) string {
	switch errno {
	case syscall.EACCES:
		return "EACCES"
	case syscall.EPERM:
		return "EPERM"
	case syscall.EMFILE:
		return "EMFILE"
	case syscall.ENFILE:
		return "ENFILE"
	case syscall.ENETUNREACH:
		return "ENETUNREACH"
	case syscall.EHOSTUNREACH:
		return "EHOSTUNREACH"
	case syscall.EPROTOTYPE:
		return "EPROTOTYPE"
	}
	return "errno " + strconv.Itoa(int(errno))
}
