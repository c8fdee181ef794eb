package varta

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// What sun_path takes, less its NUL.
const pathBytesMax = 107

type endpoint struct {
	// kind is unix, unix-stream or udp.
	kind string
	name string
	ip   *net.UDPAddr
	// fault is what a beat is told, where the caller gave something wrong.
	fault *Outcome
}

func unixEndpoint(kind, path string) endpoint {
	at := endpoint{kind: kind, name: path}
	if len(path) == 0 || len(path) > pathBytesMax || strings.ContainsRune(path, 0) {
		at.fault = &outcomeBadPath
	}
	return at
}

// udpEndpoint never looks a name up, which would block.
func udpEndpoint(host string, port int) endpoint {
	at := endpoint{kind: "udp", name: net.JoinHostPort(host, strconv.Itoa(port))}
	address, zone, _ := strings.Cut(host, "%")
	ip := net.ParseIP(address)
	if ip == nil || port < 1 || port > 65535 {
		at.fault = &outcomeBadAddress
		return at
	}
	at.ip = &net.UDPAddr{IP: ip, Port: port, Zone: zone}
	return at
}

// defaultEndpoint is VARTA_STREAM, else VARTA_SOCKET, else where a varta-watch of the same user
// listens.
func defaultEndpoint() endpoint {
	if path := os.Getenv("VARTA_STREAM"); path != "" {
		return unixEndpoint("unix-stream", path)
	}
	if path := os.Getenv("VARTA_SOCKET"); path != "" {
		return unixEndpoint("unix", path)
	}
	return unixEndpoint("unix", filepath.Join(defaultDirectory(), "varta.sock"))
}

func defaultDirectory() string {
	user := os.Geteuid()
	if user == 0 && runtime.GOOS == "darwin" {
		return "/var/run/varta"
	}
	if user == 0 {
		return "/run/varta"
	}
	if own := os.Getenv("XDG_RUNTIME_DIR"); strings.HasPrefix(own, "/") {
		return filepath.Join(own, "varta")
	}
	base := "/tmp"
	if temporary := os.Getenv("TMPDIR"); strings.HasPrefix(temporary, "/") {
		base = temporary
	}
	return filepath.Join(base, "varta-"+strconv.Itoa(user))
}
