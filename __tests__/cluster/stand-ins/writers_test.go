package main

import (
	"bufio"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func events(t *testing.T, data string) string {
	text, err := os.ReadFile(filepath.Join(data, folder, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		_, rest, _ := strings.Cut(line, `"event":"`)
		event, _, _ := strings.Cut(rest, `"`)
		found = append(found, event)
	}
	return strings.Join(found, " ")
}

func TestJournalTellsTwoWritersAndAnUncleanStop(t *testing.T) {
	data := t.TempDir()
	first := openJournal(data)
	first.stop("clean-stop", nil)
	openJournal(data)
	openJournal(data)
	if got := events(t, data); !strings.HasPrefix(got, "start clean-stop start start second-writer") {
		t.Error(got)
	}

	data = t.TempDir()
	killed := openJournal(data)
	killed.mutex.Lock()
	old := time.Now().Add(-time.Hour)
	os.Chtimes(killed.sign(killed.id), old, old)
	openJournal(data)
	if got := events(t, data); got != "start start unclean-stop" {
		t.Error(got)
	}
}

func TestElectrumAnswersOnlyWithAWholeIndex(t *testing.T) {
	server := &electrumServer{started: make(chan struct{}), indexed: make(chan struct{})}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	if err := server.listen(address); err != nil {
		t.Fatal(err)
	}
	close(server.started)
	if err := pingElectrum(address); err == nil || !strings.Contains(err.Error(), "unavailable index") {
		t.Error(err)
	}
	close(server.indexed)
	if err := pingElectrum(address); err != nil {
		t.Error(err)
	}

	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	connection.Write([]byte("GET / HTTP/1.1\n{\"id\":1,\"method\":\"server.ping\"}\n"))
	connection.(*net.TCPConn).CloseWrite()
	lines := bufio.NewScanner(connection)
	var got []string
	for lines.Scan() {
		got = append(got, lines.Text())
	}
	if len(got) != 2 || !strings.Contains(got[0], "-32700") || got[1] != `{"id":1,"jsonrpc":"2.0","result":null}` {
		t.Error(got)
	}
}
