package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What a test reads and sets on a volume lives in this folder of it.
const folder = ".stand-in"

const (
	beat  = 200 * time.Millisecond
	stale = 2 * time.Second
)

// journal tells afterwards who wrote to a volume, and how each writer ended. One JSON object a line: start, what the
// program says of itself, clean-stop, gave-up (a failure of its own that left the data intact), unclean-stop (found by the
// next one that starts), second-writer, locked-out.
type journal struct {
	mutex sync.Mutex
	dir   string
	id    string
	seen  map[string]bool
}

// note appends an event to the journal of a volume, for programs that never came to be its writer too.
func note(data, id, event string, more map[string]any) {
	entry := map[string]any{"at": time.Now().UnixMilli(), "id": id, "event": event}
	for key, value := range more {
		entry[key] = value
	}
	line, _ := json.Marshal(entry)
	file, err := os.OpenFile(filepath.Join(data, folder, "journal"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		say("no journal: %v", err)
		return
	}
	defer file.Close()
	file.Write(append(line, '\n'))
}

// writerID is the allocation, with a part that tells apart the starts of its task.
func writerID() string {
	allocation := os.Getenv("NOMAD_ALLOC_ID")
	if allocation == "" {
		allocation = "none"
	}
	return fmt.Sprintf("%s.%d", allocation, time.Now().UnixNano())
}

// openJournal makes the program a writer of the volume, which shows it is alive until it stops.
func openJournal(data string) *journal {
	writer := &journal{dir: data, id: writerID(), seen: map[string]bool{}}
	if err := os.MkdirAll(filepath.Join(data, folder), 0o755); err != nil {
		fail("cannot write to %s: %v", data, err)
	}
	note(data, writer.id, "start", nil)
	writer.look(true)
	go func() {
		for range time.Tick(beat) {
			writer.look(false)
		}
	}()
	return writer
}

// look shows that this writer is alive and looks for others: a fresh sign is a second writer, an old one that is found
// at the start belongs to a writer that did not stop cleanly.
func (writer *journal) look(starting bool) {
	writer.mutex.Lock()
	defer writer.mutex.Unlock()
	os.WriteFile(writer.sign(writer.id), nil, 0o644)
	signs, _ := filepath.Glob(writer.sign("*"))
	for _, sign := range signs {
		other := strings.TrimPrefix(sign, writer.sign(""))
		about, err := os.Stat(sign)
		if err != nil || other == writer.id || writer.seen[other] {
			continue
		}
		if time.Since(about.ModTime()) < stale {
			writer.seen[other] = true
			note(writer.dir, writer.id, "second-writer", map[string]any{"other": other})
		} else if starting {
			note(writer.dir, other, "unclean-stop", nil)
			os.Remove(sign)
		}
	}
}

func (writer *journal) sign(id string) string {
	return filepath.Join(writer.dir, folder, "alive-"+id)
}

func (writer *journal) note(event string, more map[string]any) {
	note(writer.dir, writer.id, event, more)
}

// stop writes down how the program ends. The mutex is never given back, so that no sign of life follows.
func (writer *journal) stop(event string, more map[string]any) {
	writer.mutex.Lock()
	os.Remove(writer.sign(writer.id))
	writer.note(event, more)
}

// seconds reads a length of time that a test may have set in a file of the volume's folder.
func seconds(data, name string, usual float64) time.Duration {
	if text, err := os.ReadFile(filepath.Join(data, folder, name)); err == nil {
		if value, err := strconv.ParseFloat(strings.TrimSpace(string(text)), 64); err == nil {
			usual = value
		}
	}
	return time.Duration(usual * float64(time.Second))
}
