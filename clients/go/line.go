package varta

import (
	"net"
	"syscall"
)

// line is a connected socket that never waits.
type line struct {
	conn     net.Conn
	raw      syscall.RawConn
	isStream bool
	// rest is what a stream did not take of a frame: it goes ahead of the next one, since frames
	// are never cut.
	rest    []byte
	restOf  [controlBytes]byte
	pending []byte
	taken   int
	err     error
	attempt func(fd uintptr) bool
}

func dial(to endpoint) (*line, error) {
	conn, err := connTo(to)
	if err != nil {
		return nil, err
	}
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		conn.Close()
		return nil, err
	}
	l := &line{conn: conn, raw: raw, isStream: to.kind == "unix-stream"}
	// Made once: a closure for each beat would be an allocation. It returns true always, so that
	// the runtime does not wait for a full socket.
	l.attempt = func(fd uintptr) bool {
		l.taken, l.err = syscall.Write(int(fd), l.pending)
		return true
	}
	return l, nil
}

func connTo(to endpoint) (net.Conn, error) {
	switch to.kind {
	case "unix":
		return net.DialUnix("unixgram", nil, &net.UnixAddr{Name: to.name, Net: "unixgram"})
	case "unix-stream":
		return net.DialUnix("unix", nil, &net.UnixAddr{Name: to.name, Net: "unix"})
	}
	return net.DialUDP("udp", nil, to.ip)
}

func (l *line) write(frame []byte) error {
	if len(l.rest) > 0 {
		taken, err := l.try(l.rest)
		if err != nil {
			return err
		}
		l.rest = l.rest[taken:]
		if len(l.rest) > 0 {
			return syscall.EAGAIN
		}
	}
	taken, err := l.try(frame)
	if err != nil {
		return err
	}
	if l.isStream && taken < len(frame) {
		l.rest = l.restOf[:copy(l.restOf[:], frame[taken:])]
	}
	return nil
}

func (l *line) try(data []byte) (int, error) {
	l.pending = data
	if err := l.raw.Write(l.attempt); err != nil {
		return 0, err
	}
	return l.taken, l.err
}

func (l *line) close() { l.conn.Close() }
