// The Go client behind the lines of test/clients/driver.ts: a command in, an answer out.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"vartawatch"
)

const slow = 5 * time.Millisecond

var client *varta.Client

// options is what the client to be opened says of itself.
var options = []varta.Option{varta.Log(func(string) {})}

func told(outcome varta.Outcome) string {
	return strings.TrimSpace(string(outcome.Kind) + " " + outcome.Reason)
}

func statusOf(word string) varta.Status {
	for status, name := range []string{"ok", "degraded", "critical"} {
		if name == word {
			return varta.Status(status)
		}
	}
	return 3
}

// fill beats until one is dropped and more times more: the last outcome, how many were sent, and
// how many of those to the full queue took long.
func fill(more int) string {
	sent, slowOnes, left := 0, 0, -1
	var last varta.Outcome
	for left != 0 {
		before := time.Now()
		last = client.Beat(varta.OK, 0)
		took := time.Since(before)
		if last.Kind == varta.Sent {
			sent++
		}
		if left > 0 {
			left--
			if took > slow {
				slowOnes++
			}
		} else if last.Kind != varta.Sent {
			left = more
		}
	}
	return fmt.Sprintf("%s %d %d", told(last), sent, slowOnes)
}

func threads(count, beats int) string {
	var running sync.WaitGroup
	var sent int64
	for n := 0; n < count; n++ {
		running.Add(1)
		go func() {
			defer running.Done()
			for beat := 0; beat < beats; beat++ {
				if client.Beat(varta.OK, 0).Kind == varta.Sent {
					atomic.AddInt64(&sent, 1)
				}
			}
		}()
	}
	running.Wait()
	return strconv.FormatInt(sent, 10)
}

func failInBlock() {
	defer func() { _ = recover() }()
	defer client.Close()
	panic("as the test asked for")
}

func do(words []string) string {
	number := func(at int) int {
		value, _ := strconv.ParseUint(words[at], 10, 32)
		return int(value)
	}
	switch words[0] {
	case "unix":
		client = varta.ConnectUnix(words[1], options...)
	case "unix-stream":
		client = varta.ConnectStream(words[1], options...)
	case "udp":
		client = varta.ConnectUDP(words[1], number(2), options...)
	case "default":
		client = varta.Connect(options...)
	case "beat":
		return told(client.Beat(statusOf(words[1]), uint32(number(2))))
	case "crash":
		return told(client.CrashBeat(uint32(number(1))))
	case "fill":
		return fill(number(1))
	case "threads":
		return threads(number(1), number(2))
	case "die":
		defer client.CrashOnPanic()
		panic("as the test asked for")
	case "called":
		interval := time.Duration(number(2)) * time.Millisecond
		options = append(options, varta.Name(words[1]), varta.Interval(interval))
	case "exit":
		os.Exit(number(1))
	case "close":
		client.Close()
	case "goodbye":
		client.Goodbye()
	case "fail-in-block":
		failInBlock()
	default:
		return "unknown " + words[0]
	}
	return "done"
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		fmt.Println(do(strings.Fields(lines.Text())))
	}
}
