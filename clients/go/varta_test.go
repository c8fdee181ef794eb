package varta

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The golden vectors are those of every client (test/vectors/README.md).
const vectors = "../../test/vectors"

func readVectors(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(vectors, file))
	if os.IsNotExist(err) {
		t.Skip("the vectors are not beside this copy of the client")
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

func number(t *testing.T, text string, bits int) uint64 {
	t.Helper()
	value, err := strconv.ParseUint(text, 10, bits)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestEachFrameOfTheVectorsIsEncoded(t *testing.T) {
	var file struct {
		Frames []struct {
			Kind   string
			Inputs struct {
				Status           string
				Pid, Payload     json.Number
				Timestamp, Nonce json.Number
			}
			Wire string `json:"expected_wire_hex"`
		} `json:"frame_vectors"`
	}
	readVectors(t, "vlp-test-vectors.json", &file)
	statuses := map[string]Status{"ok": OK, "degraded": Degraded, "critical": Critical}
	count := 0
	for _, vector := range file.Frames {
		if vector.Kind != "encode_decode_roundtrip" {
			continue
		}
		count++
		in := vector.Inputs
		var buffer [controlBytes]byte
		got := hex.EncodeToString(putFrame(buffer[:], statuses[in.Status],
			uint32(number(t, in.Pid.String(), 32)), number(t, in.Timestamp.String(), 64),
			number(t, in.Nonce.String(), 64), uint32(number(t, in.Payload.String(), 32))))
		if got != vector.Wire {
			t.Errorf("got %s, want %s", got, vector.Wire)
		}
	}
	if count != 6 {
		t.Errorf("%d frames", count)
	}
}

func TestEachHelloAndByeOfTheVectorsIsEncoded(t *testing.T) {
	var file struct {
		Roundtrips []struct {
			Id, Kind, Nonce, Name string
			Pid                   uint32
			IntervalMs            uint32 `json:"interval_ms"`
			Wire                  string `json:"wire_hex"`
		}
	}
	readVectors(t, "control-datagrams.json", &file)
	kinds := map[string]byte{"hello": kindHello, "bye": kindBye}
	for _, vector := range file.Roundtrips {
		var buffer [controlBytes]byte
		got := hex.EncodeToString(putControl(buffer[:], kinds[vector.Kind], vector.Pid,
			number(t, vector.Nonce, 64), vector.IntervalMs, vector.Name))
		if got != vector.Wire {
			t.Errorf("%s: got %s, want %s", vector.Id, got, vector.Wire)
		}
	}
	if len(file.Roundtrips) == 0 {
		t.Error("no vectors")
	}
}

func TestNamesThatNoObserverTakesAreRefused(t *testing.T) {
	for name, want := range map[string]bool{
		"billing-worker": true, "a@1:b_c.d": true, strings.Repeat("x", 40): true,
		"": false, "12": false, "other": false, "a b": false, "é": false,
		strings.Repeat("x", 41): false,
	} {
		if got := isName(name); got != want {
			t.Errorf("isName(%q) = %v", name, got)
		}
	}
	client := ConnectUnix("/nowhere", Name("a b"), quiet)
	if outcome := client.Beat(OK, 0); outcome.Reason != "bad_name" {
		t.Errorf("%+v", outcome)
	}
}

var quiet = Log(func(string) {})

func TestWhatIsWrongIsFailedAndTheRestIsDropped(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "nobody.sock")
	closed := ConnectUnix(missing, quiet)
	closed.Close()
	for name, test := range map[string]struct {
		client *Client
		status Status
		want   string
	}{
		"status":  {ConnectUnix(missing, quiet), 3, "failed bad_status"},
		"path":    {ConnectStream(strings.Repeat("x", 108), quiet), OK, "failed bad_path"},
		"NUL":     {ConnectUnix("a\x00b", quiet), OK, "failed bad_path"},
		"host":    {ConnectUDP("localhost", 9000, quiet), OK, "failed bad_address"},
		"port":    {ConnectUDP("127.0.0.1", 65536, quiet), OK, "failed bad_address"},
		"missing": {ConnectUnix(missing, quiet), OK, "dropped no_observer"},
		"closed":  {closed, OK, "dropped closed"},
	} {
		outcome := test.client.Beat(test.status, 0)
		if got := string(outcome.Kind) + " " + outcome.Reason; got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestACauseIsToldOnce(t *testing.T) {
	var lines []string
	missing := filepath.Join(t.TempDir(), "nobody.sock")
	client := ConnectUnix(missing, Log(func(line string) { lines = append(lines, line) }))
	client.Beat(OK, 0)
	client.Beat(OK, 0)
	client.Beat(9, 0)
	if len(lines) != 2 || !strings.Contains(lines[0], missing) {
		t.Errorf("%q", lines)
	}
	if counts := client.Counters(); counts.Dropped != 2 || counts.Failed != 1 || counts.Sent != 0 {
		t.Errorf("%+v", counts)
	}
}

// door is a datagram socket of a test.
func door(t *testing.T) (string, *net.UnixConn) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "door.sock")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return path, conn
}

func read(t *testing.T, conn *net.UnixConn) []byte {
	t.Helper()
	buffer := make([]byte, 128)
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	count, err := conn.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	return buffer[:count]
}

func TestANamedClientSaysHelloFirstAndGoodbyeOnlyWhenTold(t *testing.T) {
	path, conn := door(t)
	client := ConnectUnix(path, Name("worker"), Interval(time.Second), quiet)
	client.Beat(OK, 7)
	client.Goodbye()
	hello, beat, bye := read(t, conn), read(t, conn), read(t, conn)
	if len(hello) != controlBytes || hello[3] != kindHello || string(hello[20:26]) != "worker" {
		t.Errorf("hello: %x", hello)
	}
	if len(beat) != frameBytes || beat[16] != 2 {
		t.Errorf("the beat is number 2, after the hello: %x", beat)
	}
	if len(bye) != controlBytes || bye[3] != kindBye || bye[8] != 3 {
		t.Errorf("bye: %x", bye)
	}
	if outcome := client.Beat(OK, 0); outcome.Reason != "closed" {
		t.Errorf("%+v", outcome)
	}
}

func TestAPanicIsACrashBeatAndCloseSaysNothing(t *testing.T) {
	path, conn := door(t)
	client := ConnectUnix(path, quiet)
	func() {
		defer func() {
			if cause := recover(); cause != "broken" {
				t.Errorf("the panic went on as %v", cause)
			}
		}()
		defer client.Close()
		defer client.CrashOnPanic()
		panic("broken")
	}()
	crash := read(t, conn)
	if crash[3] != byte(Critical) || hex.EncodeToString(crash[16:24]) != "ffffffffffffffff" {
		t.Errorf("%x", crash)
	}
	conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if count, err := conn.Read(make([]byte, 128)); err == nil {
		t.Errorf("%d bytes after the crash beat", count)
	}
}

func TestAFullQueueIsDroppedAndItsNonceIsUsedLater(t *testing.T) {
	path, conn := door(t)
	client := ConnectUnix(path, quiet)
	sent := uint64(0)
	for client.Beat(OK, 0).Kind == Sent {
		sent++
	}
	if outcome := client.Beat(OK, 0); outcome.Reason != "queue_full" {
		t.Fatalf("%+v", outcome)
	}
	for n := uint64(0); n < sent; n++ {
		read(t, conn)
	}
	client.Beat(OK, 0)
	if beat := read(t, conn); uint64(beat[16])|uint64(beat[17])<<8 != sent+1 {
		t.Errorf("after %d: %x", sent, beat)
	}
}

func TestABeatAllocatesNothing(t *testing.T) {
	path, conn := door(t)
	client := ConnectUnix(path, quiet)
	client.Beat(OK, 0)
	read(t, conn)
	buffer := make([]byte, 128)
	allocations := testing.AllocsPerRun(100, func() {
		client.Beat(OK, 0)
		conn.Read(buffer)
	})
	if allocations > 0 {
		t.Errorf("%v allocations", allocations)
	}
}

func TestEveryBeatsWhileItLivesAndEndsWithItsContext(t *testing.T) {
	var fake Fake
	var mutex sync.Mutex
	asked := 0
	alive := func() bool {
		mutex.Lock()
		defer mutex.Unlock()
		asked++
		return asked != 2
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		fake.Every(ctx, time.Millisecond, alive)
		close(ended)
	}()
	for len(fake.Beats()) < 3 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	<-ended
	mutex.Lock()
	defer mutex.Unlock()
	if beats := len(fake.Beats()); beats != asked-1 {
		t.Errorf("%d beats of %d questions, one of them answered no", beats, asked)
	}
}
