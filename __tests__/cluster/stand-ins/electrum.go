package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// electrumServer takes connections at once, answers from the moment bitcoind is followed, and is of use when the index
// is complete.
type electrumServer struct {
	data             string
	started, indexed chan struct{}
}

// silent is set when the server takes connections and never answers, as electrs 0.11.1 may come to do around a new block,
// for good: only a restart helps.
//
// See https://github.com/romanz/electrs/issues/1327
func (server *electrumServer) silent() bool {
	file, err := os.Stat(filepath.Join(server.data, folder, "silent"))
	return err == nil && file.ModTime().After(begun)
}

// begun is when this process was started.
var begun = time.Now()

func (server *electrumServer) listen(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go server.serve(connection)
		}
	}()
	return nil
}

// serve answers line by line. A client that closes its side gets its answers and then the end of the connection.
func (server *electrumServer) serve(connection net.Conn) {
	defer connection.Close()
	lines := bufio.NewScanner(connection)
	for lines.Scan() {
		<-server.started
		if server.silent() {
			select {}
		}
		answer, _ := json.Marshal(server.answer(lines.Bytes()))
		if _, err := connection.Write(append(answer, '\n')); err != nil {
			return
		}
	}
}

func (server *electrumServer) answer(line []byte) map[string]any {
	var request struct {
		ID     any    `json:"id"`
		Method string `json:"method"`
	}
	answer := map[string]any{"jsonrpc": "2.0"}
	if err := json.Unmarshal(line, &request); err != nil {
		answer["id"], answer["error"] = nil, rpcError{-32700, "parse error"}
		return answer
	}
	answer["id"] = request.ID
	unavailable := rpcError{-32603, "internal error: unavailable index"}
	ready := false
	select {
	case <-server.indexed:
		ready = true
	default:
	}
	switch request.Method {
	case "server.version":
		answer["result"] = []string{"electrs/0.11.1", "1.4"}
	case "blockchain.headers.subscribe":
		answer["result"] = map[string]any{"height": heights, "hex": tip}
	case "server.ping":
		if answer["result"] = nil; !ready {
			delete(answer, "result")
			answer["error"] = unavailable
		}
	case "server.features":
		if answer["result"] = map[string]any{"genesis_hash": tip}; !ready {
			delete(answer, "result")
			answer["error"] = unavailable
		}
	default:
		answer["error"] = rpcError{-32601, "unknown method"}
	}
	return answer
}

// pingElectrum is the client's side: whether an Electrum server answers and its index is complete.
func pingElectrum(address string) error {
	connection, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return err
	}
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintln(connection, `{"id":1,"method":"server.ping","params":[]}`)
	var answer struct {
		Result json.RawMessage `json:"result"`
		Error  *rpcError       `json:"error"`
	}
	if err := json.NewDecoder(connection).Decode(&answer); err != nil {
		return err
	}
	if answer.Error != nil {
		return errors.New(answer.Error.Message)
	}
	return nil
}
