// Stand-ins for the programs of the homelab, for tests on a real Nomad: one static binary, which behaves after the name
// it is called by. Each refuses what the real program refuses and exits when the real one exits, so that a job that
// works here has earned it; none of them holds a block chain or a coin.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	switch name := filepath.Base(os.Args[0]); name {
	case "bitcoind":
		bitcoind(os.Args[1:])
	case "electrs":
		electrs(os.Args[1:])
	case "main":
		hub()
	case "mount":
		mount(os.Args[1:])
	case "umount":
		umount(os.Args[1:])
	case "pause":
		<-terminated()
	default:
		fail("stand-ins: no program is called %s", name)
	}
}

// say writes one line of log.
func say(format string, values ...any) {
	fmt.Printf(time.Now().UTC().Format("2006-01-02T15:04:05.000Z ")+format+"\n", values...)
}

// fail says why and ends the program as a failed one.
func fail(format string, values ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	os.Exit(1)
}

// terminated yields when the program is asked to stop. As the first process of a container it gets no signal that it did
// not ask for.
func terminated() <-chan os.Signal {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	return signals
}

// lock takes the lock that keeps a second process off a directory, on this machine and on others.
func lock(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return syscall.FcntlFlock(file.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: syscall.F_WRLCK})
}
