package varta

import (
	"context"
	"sync"
	"time"
)

// Beater is what a program needs of a client: Client and Fake are one.
type Beater interface {
	Beat(status Status, payload uint32) Outcome
	CrashBeat(payload uint32) Outcome
	Every(ctx context.Context, interval time.Duration, isAlive func() bool)
	Goodbye()
	Close() error
}

var (
	_ Beater = (*Client)(nil)
	_ Beater = (*Fake)(nil)
)

// FakeBeat is a beat that a Fake was asked for.
type FakeBeat struct {
	Status  Status
	Payload uint32
}

// Fake takes the calls of a client in unit tests, and keeps the beats.
type Fake struct {
	// Answer is what beats are told; the zero value says sent.
	Answer Outcome

	mutex   sync.Mutex
	beats   []FakeBeat
	crashes int
	byes    int
	closed  bool
}

// Beat keeps the beat.
func (f *Fake) Beat(status Status, payload uint32) Outcome {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.beats = append(f.beats, FakeBeat{status, payload})
	return f.answer()
}

// CrashBeat counts it.
func (f *Fake) CrashBeat(uint32) Outcome {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.crashes++
	return f.answer()
}

// Every beats as a client does.
func (f *Fake) Every(ctx context.Context, interval time.Duration, isAlive func() bool) {
	every(ctx, interval, isAlive, func() { f.Beat(OK, 0) })
}

// Goodbye counts it, and closes.
func (f *Fake) Goodbye() {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.byes++
	f.closed = true
}

// Close closes.
func (f *Fake) Close() error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.closed = true
	return nil
}

// Beats are those so far, in order.
func (f *Fake) Beats() []FakeBeat {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return append([]FakeBeat(nil), f.beats...)
}

// Ended tells how it ended: crash beats, goodbyes, and whether it was closed.
func (f *Fake) Ended() (crashes, byes int, closed bool) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.crashes, f.byes, f.closed
}

func (f *Fake) answer() Outcome {
	if f.Answer == (Outcome{}) {
		return outcomeSent
	}
	return f.Answer
}
