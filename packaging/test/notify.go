// A service that knows sd_notify(3) alone, by the library that Go services use.
package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/daemon"
)

func main() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGUSR1)
	daemon.SdNotify(false, daemon.SdNotifyReady)
	for {
		daemon.SdNotify(false, daemon.SdNotifyWatchdog+"\nSTATUS=ready to serve")
		select {
		case got := <-signals:
			if got == syscall.SIGUSR1 {
				daemon.SdNotify(false, "WATCHDOG=trigger")
				time.Sleep(500 * time.Millisecond)
				continue
			}
			daemon.SdNotify(false, daemon.SdNotifyStopping)
			os.Exit(3)
		case <-time.After(500 * time.Millisecond):
		}
	}
}
