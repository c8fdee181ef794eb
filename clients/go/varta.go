// Package varta tells varta-watch that this process lives: one 32-byte beat at a time, standard
// library only.
//
// It lives in other people's programs, so Beat never blocks, never panics and queues nothing. A
// beat that was not sent is lost, and the next one carries its nonce. Any goroutine may beat. The
// protocol is docs/spec/01-wire.md, the promises are docs/spec/21-clients.md.
package varta

import (
	"context"
	"errors"
	"log"
	"math"
	"math/rand"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	// Least time between two attempts to connect; up to half as much again is added at random, so
	// that a thousand clients do not come back in the same millisecond.
	reconnectAfter = 100 * time.Millisecond
	// A cause is told when it begins, and once a minute at most.
	tellAgainAfter = time.Minute
	// By UDP nothing says that the observer was restarted and has forgotten the name.
	helloAgainAfter = time.Minute
)

// Client sends the beats of this process to one observer.
type Client struct {
	to         endpoint
	log        func(string)
	name       string
	intervalMs uint32
	pid        int

	// The mutex guards what follows.
	mutex   sync.Mutex
	stream  *stream
	line    *line
	retryAt time.Time
	// unconnected is why the last attempt failed.
	unconnected Outcome
	closed      bool
	helloAt     time.Time
	told        map[string]time.Time
	counts      Counters
	buffer      [controlBytes]byte
}

// Counters of what became of the beats of a client.
type Counters struct {
	Sent, Dropped, Failed, Connects uint64
}

// stream is the numbering of this process towards one endpoint: two clients of one door share it,
// since two numberings of one pid would be refused as out of order.
type stream struct {
	mutex     sync.Mutex
	nonce     uint64
	timestamp uint64
}

var (
	streamsMutex sync.Mutex
	streams      = map[string]*stream{}
)

// Option changes what Connect makes.
type Option func(*Client)

// Name announces a name with a hello when the observer is reached; the observer takes it where a
// rule has announce.
func Name(name string) Option { return func(c *Client) { c.name = name } }

// Interval tells the observer in the hello how often this program means to beat.
func Interval(interval time.Duration) Option {
	return func(c *Client) {
		c.intervalMs = uint32(max(0, min(interval.Milliseconds(), math.MaxUint32)))
	}
}

// Log gets one line for each cause, once a minute at most; without it the standard logger does.
func Log(log func(line string)) Option { return func(c *Client) { c.log = log } }

// Connect makes a client of VARTA_STREAM, else VARTA_SOCKET, else the default path of this user. It
// returns one whether or not an observer is there.
func Connect(options ...Option) *Client { return newClient(defaultEndpoint(), options) }

// ConnectUnix makes a client of a Unix datagram listener.
func ConnectUnix(path string, options ...Option) *Client {
	return newClient(unixEndpoint("unix", path), options)
}

// ConnectStream makes a client of a unix-stream listener.
func ConnectStream(path string, options ...Option) *Client {
	return newClient(unixEndpoint("unix-stream", path), options)
}

// ConnectUDP makes a client of a plain udp listener. Whoever reaches it can forge such beats.
func ConnectUDP(host string, port int, options ...Option) *Client {
	return newClient(udpEndpoint(host, port), options)
}

func newClient(to endpoint, options []Option) *Client {
	c := &Client{
		to:          to,
		log:         func(text string) { log.Print(text) },
		pid:         os.Getpid(),
		stream:      streamOf(to.kind + " " + to.name),
		unconnected: outcomeNoObserver,
		told:        map[string]time.Time{},
	}
	for _, option := range options {
		option(c)
	}
	if c.name != "" && !isName(c.name) && c.to.fault == nil {
		c.to.fault = &outcomeBadName
	}
	return c
}

func streamOf(name string) *stream {
	streamsMutex.Lock()
	defer streamsMutex.Unlock()
	if streams[name] == nil {
		streams[name] = &stream{nonce: 1}
	}
	return streams[name]
}

// Beat sends one beat and returns at once with what became of it; the payload is passed on.
func (c *Client) Beat(status Status, payload uint32) Outcome {
	if status > Critical {
		return c.count(outcomeBadStatus)
	}
	return c.count(c.emit(status, payload, false))
}

// CrashBeat says that this process is about to die.
func (c *Client) CrashBeat(payload uint32) Outcome {
	return c.count(c.emit(Critical, payload, true))
}

// CrashOnPanic belongs behind defer: a panic sends a crash beat and goes on.
func (c *Client) CrashOnPanic() {
	if cause := recover(); cause != nil {
		c.CrashBeat(0)
		panic(cause)
	}
}

// Every beats at each interval until the context is done, as often as isAlive answers true; it may
// be nil, and then shows only that goroutines run. Call it with go.
func (c *Client) Every(ctx context.Context, interval time.Duration, isAlive func() bool) {
	every(ctx, interval, isAlive, func() { c.Beat(OK, 0) })
}

func every(ctx context.Context, interval time.Duration, isAlive func() bool, beat func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		if isAlive == nil || isAlive() {
			beat()
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Counters tells what became of the beats so far.
func (c *Client) Counters() Counters {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.counts
}

// Goodbye says that this program ends on purpose, and closes. The end that follows is told as a
// clean one, so it is never behind defer, which runs in a panic too.
func (c *Client) Goodbye() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if !c.closed && c.line != nil {
		c.sendControl(kindBye)
	}
	c.shut()
}

// Close closes the socket without a word: an end that follows is judged by how it is. Later beats
// are dropped with reason closed. It never fails.
func (c *Client) Close() error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.shut()
	return nil
}

func (c *Client) shut() {
	c.closed = true
	c.disconnect()
}

func (c *Client) emit(status Status, payload uint32, terminal bool) Outcome {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	switch {
	case c.closed:
		return outcomeClosed
	case c.to.fault != nil:
		return *c.to.fault
	case c.pid == 1 && c.to.kind == "udp":
		return outcomeReservedPid
	}
	if c.line == nil && !c.connect(terminal) {
		return c.unconnected
	}
	c.greet()
	if c.line == nil {
		return c.unconnected
	}
	c.stream.mutex.Lock()
	defer c.stream.mutex.Unlock()
	nonce := c.stream.nonce
	if terminal {
		nonce = nonceTerminal
	}
	frame := putFrame(c.buffer[:], status, uint32(c.pid), c.stream.stamp(terminal), nonce, payload)
	outcome := c.send(frame, terminal)
	if outcome.Kind == Sent && !terminal {
		c.stream.advance()
	}
	return outcome
}

// greet sends the hello of a named client once for each connection, and by UDP once a minute.
func (c *Client) greet() {
	if c.name == "" && c.intervalMs == 0 {
		return
	}
	if now := time.Now(); !now.Before(c.helloAt) && c.sendControl(kindHello) {
		c.helloAt = now.Add(math.MaxInt64)
		if c.to.kind == "udp" {
			c.helloAt = now.Add(helloAgainAfter)
		}
	}
}

func (c *Client) sendControl(kind byte) bool {
	c.stream.mutex.Lock()
	defer c.stream.mutex.Unlock()
	name, intervalMs := c.name, c.intervalMs
	if kind == kindBye {
		name, intervalMs = "", 0
	}
	datagram := putControl(c.buffer[:], kind, uint32(c.pid), c.stream.nonce, intervalMs, name)
	if err := c.line.write(datagram); err != nil {
		// A queue that is full takes the hello with a later beat.
		if outcome := outcomeOf(err); outcome != outcomeQueueFull && c.to.kind != "udp" {
			c.disconnect()
			c.unconnected = outcome
		}
		return false
	}
	c.stream.advance()
	return true
}

func (c *Client) send(frame []byte, terminal bool) Outcome {
	err := c.line.write(frame)
	if err == nil {
		return outcomeSent
	}
	outcome := outcomeOf(err)
	if outcome == outcomeQueueFull {
		return outcome
	}
	if c.to.kind == "udp" && errors.Is(err, syscall.ECONNREFUSED) {
		// What was refused is an earlier beat, and the socket is good. A crash beat has no later
		// one that could arrive in its place.
		c.helloAt = time.Time{}
		if terminal && c.line.write(frame) == nil {
			return outcomeSent
		}
		return outcome
	}
	// The observer is gone, perhaps because it was restarted: one new socket, one attempt.
	c.disconnect()
	c.unconnected = outcome
	if !c.connect(terminal) {
		return c.unconnected
	}
	if err := c.line.write(frame); err != nil {
		return outcomeOf(err)
	}
	return outcomeSent
}

func (c *Client) connect(atOnce bool) bool {
	now := time.Now()
	if now.Before(c.retryAt) && !atOnce {
		return false
	}
	c.retryAt = now.Add(reconnectAfter + time.Duration(rand.Int63n(int64(reconnectAfter/2))))
	made, err := dial(c.to)
	if err != nil {
		c.unconnected = outcomeOf(err)
		return false
	}
	c.line, c.helloAt = made, time.Time{}
	c.counts.Connects++
	return true
}

func (c *Client) disconnect() {
	if c.line != nil {
		c.line.close()
		c.line = nil
	}
}

func (c *Client) count(outcome Outcome) Outcome {
	c.mutex.Lock()
	tell := false
	switch outcome.Kind {
	case Sent:
		c.counts.Sent++
	case Dropped:
		c.counts.Dropped++
		tell = c.tells(outcome.Reason)
	case Failed:
		c.counts.Failed++
		tell = c.tells(outcome.Reason)
	}
	c.mutex.Unlock()
	if tell {
		c.log("varta: " + outcome.Text + " [" + c.to.name + "]")
	}
	return outcome
}

func (c *Client) tells(reason string) bool {
	now := time.Now()
	if last, isTold := c.told[reason]; isTold && now.Sub(last) < tellAgainAfter {
		return false
	}
	c.told[reason] = now
	return true
}

// stamp never decreases; that of a crash beat is greater than all before.
func (s *stream) stamp(terminal bool) uint64 {
	now := monotonicNanoseconds()
	least := s.timestamp
	if terminal {
		least++
	}
	if now < least {
		now = least
	}
	s.timestamp = now
	return now
}

// advance: 2^64-1 marks a crash beat, so after 2^64-2 comes 0.
func (s *stream) advance() {
	s.nonce++
	if s.nonce == nonceTerminal {
		s.nonce = 0
	}
}

func min(a, b int64) int64 {
	if a < b {
		return a
	}
	return b
}

func max(a, b int64) int64 {
	if a > b {
		return a
	}
	return b
}
