package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// bitcoind stands for Bitcoin Core: its configuration, its RPC users, its order of start and stop.
func bitcoind(arguments []string) {
	stop := terminated()
	options := map[string]string{}
	for _, argument := range arguments {
		name, value, _ := strings.Cut(strings.TrimLeft(argument, "-"), "=")
		if name != "datadir" && name != "conf" {
			fail("Error parsing command line arguments: Invalid parameter %s", argument)
		}
		options[name] = value
	}
	text, err := os.ReadFile(options["conf"])
	if err != nil {
		fail("Error: Error reading configuration file: specified config file \"%s\" could not be opened.", options["conf"])
	}
	file, err := parseConf(string(text))
	if err != nil {
		fail("Error: Error reading configuration file: %v", err)
	}
	if file.flag("txindex", false) && file.number("prune", 0) > 0 {
		fail("Error: Prune mode is incompatible with -txindex.")
	}
	addresses, err := file.listeners()
	if err != nil {
		fail("Error: %v", err)
	}
	if isReal("bitcoind") {
		_, indexer, _ := net.SplitHostPort(addresses[len(addresses)-1])
		it := real{program: "bitcoind", arguments: arguments, data: options["datadir"], event: "loaded"}
		it.ready = func() bool {
			connection, err := net.DialTimeout("tcp", "127.0.0.1:"+indexer, time.Second)
			if err == nil {
				connection.Close()
			}
			return err == nil
		}
		if file.chain == "regtest" {
			it.then = func() error { return mine(it.data, file.number("rpcport", networks[file.chain].rpc)) }
		}
		it.run(stop)
		return
	}
	say("Bitcoin Core version v31.1.0 (stand-in), chain %s", file.chain)
	data := dataDirectory(options["datadir"], file.chain)

	cookie := makeCookie(data)
	server, err := newRPCServer(file, cookie)
	if err != nil {
		say("%v", err)
		fail("Error: Unable to start HTTP server. See debug log for details.")
	}
	writer := openJournal(options["datadir"])
	server.initialSync = func() bool { return seconds(options["datadir"], "initial-sync", 0) > 0 }
	rpc := serveRPC(file, server)
	peers := &peerServer{magic: networks[file.chain].magic, open: map[net.Conn]bool{}}
	select {
	case <-load(server, seconds(options["datadir"], "warm-up-seconds", 3)):
		if server.initialSync() {
			say("Loaded best chain: hashBestChain=%s height=%d date=2018-12-04T00:00:00Z progress=0.312345", tip, heights/2)
		} else {
			say("Loaded best chain: hashBestChain=%s height=%d date=2025-06-06T00:00:00Z progress=1.000000", tip, heights)
		}
		for _, address := range addresses {
			if err := peers.listen(address); err != nil {
				fail("Error: Unable to bind to %s on this computer. Bitcoin Core is probably already running.", address)
			}
		}
		server.warmUp.Store("")
		writer.note("loaded", nil)
		say("init message: Done loading")
		<-stop
	case <-stop:
	}
	say("Shutdown: In progress...")
	for _, listener := range rpc {
		listener.Close()
	}
	peers.close()
	time.Sleep(seconds(options["datadir"], "stop-seconds", 2))
	os.Remove(filepath.Join(data, ".cookie"))
	writer.stop("clean-stop", map[string]any{"calls": server.calls.Load(), "denied": server.denied.Load(), "peers": peers.count})
	say("Shutdown: done")
}

// dataDirectory makes and locks the folder of the chain, or ends the program.
func dataDirectory(root, chain string) string {
	if about, err := os.Stat(root); err != nil || !about.IsDir() {
		fail("Error: Specified data directory \"%s\" does not exist.", root)
	}
	data := root
	if chain != "main" {
		data = filepath.Join(root, chain)
	}
	for _, sub := range []string{"blocks", "chainstate", "indexes"} {
		if err := os.MkdirAll(filepath.Join(data, sub), 0o700); err != nil {
			fail("Error: filesystem error: cannot create directories: Permission denied [%s]", filepath.Join(data, sub))
		}
	}
	if err := lock(filepath.Join(data, ".lock")); err != nil {
		note(root, writerID(), "locked-out", nil)
		fail("Error: Cannot obtain a lock on directory %s. Bitcoin Core is probably already running.", data)
	}
	return data
}

func makeCookie(data string) string {
	random := make([]byte, 32)
	rand.Read(random)
	cookie := hex.EncodeToString(random)
	if err := os.WriteFile(filepath.Join(data, ".cookie"), []byte("__cookie__:"+cookie), 0o600); err != nil {
		fail("Error: Unable to start HTTP server. See debug log for details.")
	}
	return cookie
}

// serveRPC opens RPC at once. rpcbind counts only together with rpcallowip.
func serveRPC(file *conf, server *rpcServer) []net.Listener {
	server.warmUp.Store("Loading block index…")
	port := file.number("rpcport", networks[file.chain].rpc)
	binds := file.all("rpcbind")
	if len(binds) == 0 || len(file.all("rpcallowip")) == 0 {
		if len(binds) > 0 {
			say("WARNING: option -rpcbind was ignored because -rpcallowip was not specified, refusing to allow everyone to connect")
		}
		binds = []string{"127.0.0.1"}
	}
	var listeners []net.Listener
	for _, bind := range binds {
		place, err := address(bind, port)
		if err == nil {
			var listener net.Listener
			if listener, err = net.Listen("tcp", place); err == nil {
				listeners = append(listeners, listener)
				go http.Serve(listener, server)
			}
		}
		if err != nil {
			say("Binding RPC on address %s port %d failed: %v", bind, port, err)
		}
	}
	if len(listeners) == 0 {
		fail("Error: Unable to start HTTP server. See debug log for details.")
	}
	return listeners
}

func load(server *rpcServer, duration time.Duration) <-chan time.Time {
	texts := []string{"Loading block index…", "Verifying blocks…", "Starting network threads…"}
	go func() {
		for _, text := range texts {
			if current, _ := server.warmUp.Load().(string); current != "" {
				server.warmUp.CompareAndSwap(current, text)
				say("init message: %s", text)
			}
			time.Sleep(duration / time.Duration(len(texts)+1))
		}
	}()
	return time.After(duration)
}

// peerServer is as much of the peer-to-peer network as tells apart a node of this chain from anything else: message
// headers with the network's magic, version answered by version and verack, connections that stay.
type peerServer struct {
	mutex     sync.Mutex
	magic     string
	listeners []net.Listener
	open      map[net.Conn]bool
	count     int
}

func (peers *peerServer) listen(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	peers.listeners = append(peers.listeners, listener)
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go peers.serve(connection)
		}
	}()
	return nil
}

func (peers *peerServer) serve(connection net.Conn) {
	defer connection.Close()
	for {
		command, err := readMessage(connection, peers.magic)
		if err != nil {
			return
		}
		if command == "version" {
			peers.mutex.Lock()
			peers.open[connection] = true
			peers.count++
			peers.mutex.Unlock()
			say("New peer connected: %s", connection.RemoteAddr())
			connection.Write([]byte(message(peers.magic, "version") + message(peers.magic, "verack")))
		}
	}
}

func (peers *peerServer) close() {
	for _, listener := range peers.listeners {
		listener.Close()
	}
	peers.mutex.Lock()
	defer peers.mutex.Unlock()
	for connection := range peers.open {
		connection.Close()
	}
}

// message is a header without payload: magic, command, length 0, checksum of nothing.
func message(magic, command string) string {
	return magic + command + strings.Repeat("\x00", 12-len(command)) + "\x00\x00\x00\x00" + "\x5d\xf6\xe0\xe2"
}

func readMessage(connection net.Conn, magic string) (string, error) {
	header := make([]byte, 24)
	if _, err := io.ReadFull(connection, header); err != nil {
		return "", err
	}
	if string(header[:4]) != magic {
		return "", fmt.Errorf("header error: wrong MessageStart")
	}
	return strings.TrimRight(string(header[4:16]), "\x00"), nil
}
