package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// electrs stands for electrs 0.11: one start, one bitcoind, no second try.
func electrs(arguments []string) {
	stop := terminated()
	path := ""
	// A flag goes before the file.
	flags := map[string]string{}
	for index := 0; index < len(arguments); index++ {
		switch argument := arguments[index]; {
		case argument == "--skip-default-conf-files":
		case argument == "--conf" && index+1 < len(arguments):
			index++
			path = arguments[index]
		case (argument == "--daemon-rpc-addr" || argument == "--daemon-p2p-addr") && index+1 < len(arguments):
			index++
			flags[argument] = arguments[index]
		default:
			fail("Error: unknown argument '%s'", argument)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		fail("Error: failed to read configuration file %s: %v", path, err)
	}
	conf, err := parseElectrsConf(string(text))
	if err == nil {
		conf.override(flags)
		err = conf.resolve()
	}
	if err != nil {
		fail("Error: failed to parse configuration file %s: %v", path, err)
	}
	if isReal("electrs") {
		_, port, _ := net.SplitHostPort(conf.electrum)
		ready := func() bool { return pingElectrum("127.0.0.1:"+port) == nil }
		real{program: "electrs", arguments: arguments, data: conf.db, event: "indexed", ready: ready}.run(stop)
		return
	}
	if conf.auth == "" {
		fail("Error: failed to read cookie from ~/.bitcoin/.cookie: No such file or directory")
	}
	if conf.filters == "INFO" {
		say("Starting electrs 0.11.1 (stand-in) on %s", conf.network)
	}
	server := &electrumServer{data: conf.db, started: make(chan struct{}), indexed: make(chan struct{})}
	if err := server.listen(conf.electrum); err != nil {
		fail("Error: failed to listen on %s: %v", conf.electrum, err)
	}
	writer := openIndex(conf)
	session := &follower{conf, server, writer}
	go session.follow()
	<-stop
	time.Sleep(seconds(conf.db, "stop-seconds", 0.1))
	writer.stop("clean-stop", nil)
}

func openIndex(conf *electrsConf) *journal {
	folder := filepath.Join(conf.db, conf.network)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		fail("Error: failed to open DB: IO error: while mkdir %s: Permission denied", folder)
	}
	if err := lock(filepath.Join(folder, "LOCK")); err != nil {
		note(conf.db, writerID(), "locked-out", nil)
		fail("Error: failed to open DB: IO error: While lock file: %s/LOCK: Resource temporarily unavailable", folder)
	}
	return openJournal(conf.db)
}

// Every method that electrs calls sooner or later. The real one finds a forbidden one out when it needs it, and may then
// look healthy with an empty mempool; this one asks for all ten at once.
var electrsMethods = []string{
	"getnetworkinfo", "getmempoolinfo", "getrawmempool", "getmempoolentry", "getrawtransaction", "getblock",
	"estimatesmartfee", "sendrawtransaction", "submitpackage",
}

// follower is the one session with bitcoind that a process has.
type follower struct {
	conf   *electrsConf
	server *electrumServer
	writer *journal
}

// follow waits until bitcoind is in sync, connects, indexes, and ends the program when the connection ends.
func (session *follower) follow() {
	for !session.inSync() {
		time.Sleep(time.Second)
	}
	for _, method := range electrsMethods {
		session.call(method)
	}
	magic := networks[electrsNetworks[session.conf.network]].magic
	connection, err := net.DialTimeout("tcp", session.conf.p2p, 5*time.Second)
	if err != nil {
		session.giveUp("p2p failed to connect: %s: %v", session.conf.p2p, err)
	}
	fmt.Fprint(connection, message(magic, "version"))
	for {
		command, err := readMessage(connection, magic)
		if err != nil {
			session.giveUp("receiving on an empty and disconnected channel")
		}
		if command == "verack" {
			close(session.server.started)
			go session.index()
		}
	}
}

func (session *follower) index() {
	say("indexing")
	time.Sleep(seconds(session.conf.db, "index-seconds", 2))
	session.writer.note("indexed", nil)
	close(session.server.indexed)
}

// giveUp ends the program with its index intact.
func (session *follower) giveUp(format string, values ...any) {
	session.writer.stop("gave-up", nil)
	fail("Error: electrs failed: "+format, values...)
}

func (session *follower) inSync() bool {
	result := session.call("getblockchaininfo")
	if result == nil {
		return false
	}
	var info struct {
		Blocks, Headers      int
		InitialBlockDownload bool
	}
	if err := json.Unmarshal(result, &info); err != nil {
		session.giveUp("invalid getblockchaininfo: %v", err)
	}
	if info.InitialBlockDownload || info.Blocks < info.Headers {
		say("waiting for %d blocks to download (IBD)", info.Headers-info.Blocks)
		return false
	}
	return true
}

// call answers nothing while bitcoind warms up, and ends the program when bitcoind is away or refuses the user.
func (session *follower) call(method string) json.RawMessage {
	body, _ := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": []any{}})
	request, err := http.NewRequest(http.MethodPost, "http://"+session.conf.rpc, bytes.NewReader(body))
	if err != nil {
		session.giveUp("%v", err)
	}
	user, password, _ := strings.Cut(session.conf.auth, ":")
	request.SetBasicAuth(user, password)
	client := http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{}}
	response, err := client.Do(request)
	if err != nil {
		session.giveUp("daemon not available: %v", err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusForbidden {
		session.giveUp("daemon not available: %s: unexpected HTTP code: %d", method, response.StatusCode)
	}
	var answer struct {
		Result json.RawMessage
		Error  *rpcError
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		session.giveUp("daemon answered no JSON: %v", err)
	}
	if answer.Error != nil && answer.Error.Code == -28 {
		say("waiting for RPC warmup: %s", answer.Error.Message)
		return nil
	}
	return answer.Result
}
