package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http/httptest"
	"strings"
	"testing"
)

// rpcauth is a line for a user whose password is its name.
func rpcauth(user string) string {
	code := hmac.New(sha256.New, []byte("salt"))
	code.Write([]byte(user))
	return "rpcauth=" + user + ":salt$" + hex.EncodeToString(code.Sum(nil)) + "\n"
}

func start(t *testing.T, text string) (*rpcServer, error) {
	file, err := parseConf(text)
	if err != nil {
		t.Fatal(err)
	}
	server, err := newRPCServer(file, "cookie")
	if err == nil {
		server.initialSync = func() bool { return false }
		server.warmUp.Store("")
	}
	return server, err
}

// status calls as a user from an address.
func status(server *rpcServer, address, user, password, body string) (int, string) {
	request := httptest.NewRequest("POST", "/", strings.NewReader(body))
	request.RemoteAddr = address + ":1"
	request.SetBasicAuth(user, password)
	answer := httptest.NewRecorder()
	server.ServeHTTP(answer, request)
	return answer.Code, answer.Body.String()
}

const (
	info  = `{"id":1,"method":"getblockchaininfo"}`
	count = `{"id":2,"method":"getblockcount"}`
)

func TestWhoMayCallWhat(t *testing.T) {
	lists := "rpcwhitelist=electrs:getblockchaininfo,getnetworkinfo\n"
	for _, test := range []struct {
		name, conf, address, user, password, body string
		status                                    int
	}{
		{"a listed method", lists, "127.0.0.1", "electrs", "electrs", info, 200},
		{"a wrong password", lists, "127.0.0.1", "electrs", "else", info, 401},
		{"an unknown user", lists, "127.0.0.1", "else", "else", info, 401},
		{"a method that is not listed", lists, "127.0.0.1", "electrs", "electrs", count, 403},
		{"a batch with one of those", lists, "127.0.0.1", "electrs", "electrs", "[" + info + "," + count + "]", 403},
		{"two lists, which are intersected", lists + "rpcwhitelist=electrs:getblockcount\n", "127.0.0.1", "electrs", "electrs", count, 403},
		{"the cookie beside a list", lists, "127.0.0.1", "__cookie__", "cookie", info, 403},
		{"the cookie with rpcwhitelistdefault=0", lists + "rpcwhitelistdefault=0\n", "127.0.0.1", "__cookie__", "cookie", info, 200},
		{"a network that is not allowed", lists + "rpcallowip=10.0.0.0/8\n", "192.168.0.1", "electrs", "electrs", info, 403},
		{"a network that is", lists + "rpcallowip=10.0.0.0/8\n", "10.1.1.1", "electrs", "electrs", info, 200},
		{"a method that does not exist", "", "127.0.0.1", "electrs", "electrs", `{"method":"getblok"}`, 404},
	} {
		server, err := start(t, rpcauth("electrs")+test.conf)
		if err != nil {
			t.Fatal(err)
		}
		if got, body := status(server, test.address, test.user, test.password, test.body); got != test.status {
			t.Errorf("%s: %d %s", test.name, got, body)
		}
	}
}

func TestEmptyAndMalformedUsers(t *testing.T) {
	server, err := start(t, "rpcauth=\n"+rpcauth("electrs"))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := status(server, "127.0.0.1", "electrs", "electrs", info); got != 401 {
		t.Errorf("an empty first rpcauth must lose all users: %d", got)
	}
	for _, text := range []string{rpcauth("a") + "rpcauth=\n", "rpcauth=a:salt\n", "rpcauth=a:b:c$d\n", "rpcallowip=10.0.0.0/33\n"} {
		if _, err := start(t, text); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

func TestWarmUpAnswersAfterTheChecks(t *testing.T) {
	server, err := start(t, rpcauth("electrs"))
	if err != nil {
		t.Fatal(err)
	}
	server.warmUp.Store("Loading block index…")
	if got, body := status(server, "127.0.0.1", "electrs", "electrs", info); got != 500 || !strings.Contains(body, "-28") {
		t.Errorf("%d %s", got, body)
	}
	if got, _ := status(server, "127.0.0.1", "electrs", "wrong", info); got != 401 {
		t.Errorf("%d", got)
	}
}
