package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Where an image holds the real program beside its stand-in, which then only keeps the journal for it.
const reals = "/real"

// real is a program that runs in the place of its stand-in.
type real struct {
	program   string
	arguments []string
	// data is the volume whose journal is kept.
	data string
	// event is noted when ready is true for the first time; then follows.
	event string
	ready func() bool
	then  func() error
}

func isReal(program string) bool {
	_, err := os.Stat(filepath.Join(reals, program))
	return err == nil
}

// run hands on signals, output and exit code.
func (it real) run(stop <-chan os.Signal) {
	child := exec.Command(filepath.Join(reals, it.program), it.arguments...)
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	writer := openJournal(it.data)
	if err := child.Start(); err != nil {
		writer.stop("gave-up", nil)
		fail("%v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	go func() {
		for !it.ready() {
			time.Sleep(beat)
		}
		writer.note(it.event, nil)
		if it.then != nil {
			if err := it.then(); err != nil {
				say("stand-in: %v", err)
			}
		}
	}()
	for {
		select {
		case signal := <-stop:
			child.Process.Signal(signal)
		case err := <-ended:
			if err == nil {
				writer.stop("clean-stop", nil)
				return
			}
			writer.stop("gave-up", nil)
			os.Exit(max(child.ProcessState.ExitCode(), 1))
		}
	}
}

// mine makes a block on regtest, without which the chain is for ever in its initial download.
func mine(data string, port int) error {
	cookie, err := os.ReadFile(filepath.Join(data, "regtest", ".cookie"))
	if err != nil {
		return err
	}
	body := `{"method":"generatetoaddress","params":[1,"bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"]}`
	request, err := http.NewRequest(http.MethodPost, fmt.Sprintf("http://127.0.0.1:%d", port), strings.NewReader(body))
	if err != nil {
		return err
	}
	user, password, _ := strings.Cut(string(cookie), ":")
	request.SetBasicAuth(user, password)
	// The port for peers opens a moment before RPC is of use.
	for turn := 0; ; turn++ {
		copied := request.Clone(request.Context())
		copied.Body, _ = request.GetBody()
		if err = askOnce(copied); err == nil || turn == 20 {
			return err
		}
		time.Sleep(beat)
	}
}

func askOnce(request *http.Request) error {
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var answer struct{ Error *rpcError }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s: %w", response.Status, err)
	}
	if answer.Error != nil {
		return errors.New(answer.Error.Message)
	}
	return nil
}
