package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

type account struct{ user, salt, hash string }

// rpcServer checks callers as Core's httprpc.cpp does: address, user, whitelist, then warm-up.
type rpcServer struct {
	chain         string
	accounts      []account
	cookie        string
	allowed       []*net.IPNet
	whitelist     map[string]map[string]bool
	whitelistOnly bool
	warmUp        atomic.Value
	initialSync   func() bool
	calls         atomic.Int64
	denied        atomic.Int64
}

func newRPCServer(file *conf, cookie string) (*rpcServer, error) {
	server := &rpcServer{chain: file.chain, cookie: cookie, whitelist: map[string]map[string]bool{}}
	// Core looks at the first rpcauth only to decide whether there are any.
	if file.first("rpcauth", "") != "" {
		say("Using rpcauth authentication.")
		for _, value := range file.all("rpcauth") {
			user, rest, _ := strings.Cut(value, ":")
			salt, hash, found := strings.Cut(rest, "$")
			if !found || strings.ContainsAny(hash, "$:") || strings.Contains(salt, ":") {
				return nil, fmt.Errorf("Invalid -rpcauth argument.")
			}
			server.accounts = append(server.accounts, account{user, salt, hash})
		}
	}
	lists := file.all("rpcwhitelist")
	server.whitelistOnly = file.flag("rpcwhitelistdefault", len(lists) > 0)
	for _, value := range lists {
		user, methods, found := strings.Cut(value, ":")
		list := map[string]bool{}
		earlier, twice := server.whitelist[user]
		for _, method := range strings.FieldsFunc(methods, func(r rune) bool { return r == ',' || r == ' ' }) {
			if !twice || earlier[method] {
				list[method] = true
			}
		}
		if found || !twice {
			server.whitelist[user] = list
		}
	}
	for _, value := range append([]string{"127.0.0.0/8", "::1/128"}, file.all("rpcallowip")...) {
		if ip := net.ParseIP(value); ip != nil {
			value += map[bool]string{true: "/32", false: "/128"}[ip.To4() != nil]
		}
		_, subnet, err := net.ParseCIDR(value)
		if err != nil {
			return nil, fmt.Errorf("Invalid -rpcallowip subnet specification: %s.", value)
		}
		server.allowed = append(server.allowed, subnet)
	}
	return server, nil
}

func (server *rpcServer) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	host, _, _ := net.SplitHostPort(request.RemoteAddr)
	if !server.allows(net.ParseIP(host)) {
		say("HTTP request from %s rejected: Client network is not allowed RPC access", host)
		answer.WriteHeader(http.StatusForbidden)
		return
	}
	if request.URL.Path != "/" {
		answer.WriteHeader(http.StatusNotFound)
		return
	}
	if request.Method != http.MethodPost {
		http.Error(answer, "JSONRPC server handles only POST requests", http.StatusMethodNotAllowed)
		return
	}
	user, password, given := request.BasicAuth()
	if !given || !server.knows(user, password) {
		if given {
			say("ThreadRPCServer incorrect password attempt from %s", host)
			time.Sleep(250 * time.Millisecond)
		}
		answer.Header().Set("WWW-Authenticate", `Basic realm="jsonrpc"`)
		answer.WriteHeader(http.StatusUnauthorized)
		return
	}
	server.call(answer, request, user)
}

func (server *rpcServer) allows(ip net.IP) bool {
	for _, subnet := range server.allowed {
		if subnet.Contains(ip) {
			return true
		}
	}
	return false
}

func (server *rpcServer) knows(user, password string) bool {
	if user == "__cookie__" {
		return password == server.cookie
	}
	for _, account := range server.accounts {
		code := hmac.New(sha256.New, []byte(account.salt))
		code.Write([]byte(password))
		if account.user == user && hex.EncodeToString(code.Sum(nil)) == account.hash {
			return true
		}
	}
	return false
}

type rpcRequest struct {
	ID     any    `json:"id"`
	Method string `json:"method"`
	Params any    `json:"params"`
}

type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// call answers one request or a batch; one forbidden method makes the whole batch forbidden.
func (server *rpcServer) call(answer http.ResponseWriter, request *http.Request, user string) {
	var body json.RawMessage
	var batch []rpcRequest
	err := json.NewDecoder(request.Body).Decode(&body)
	single := err == nil && json.Unmarshal(body, &batch) != nil
	if single {
		batch = make([]rpcRequest, 1)
		err = json.Unmarshal(body, &batch[0])
	}
	if err != nil {
		answer.WriteHeader(http.StatusInternalServerError)
		json.NewEncoder(answer).Encode(map[string]any{"result": nil, "error": rpcError{-32700, "Parse error"}, "id": nil})
		return
	}
	for _, one := range batch {
		list, listed := server.whitelist[user]
		if (listed && !list[one.Method]) || (!listed && server.whitelistOnly) {
			say("RPC User %s not allowed to call method %s", user, one.Method)
			server.denied.Add(1)
			answer.WriteHeader(http.StatusForbidden)
			return
		}
	}
	answers := make([]any, 0, len(batch))
	status := http.StatusOK
	for _, one := range batch {
		server.calls.Add(1)
		result, failure := server.execute(one.Method)
		if failure != nil && single {
			status = map[int]int{-32601: http.StatusNotFound, -32600: http.StatusBadRequest}[failure.Code]
			if status == 0 {
				status = http.StatusInternalServerError
			}
		}
		answers = append(answers, map[string]any{"result": result, "error": failure, "id": one.ID})
	}
	answer.Header().Set("Content-Type", "application/json")
	answer.WriteHeader(status)
	if single {
		json.NewEncoder(answer).Encode(answers[0])
	} else {
		json.NewEncoder(answer).Encode(answers)
	}
}

const (
	tip     = "00000000000000000000c0ffee00000000000000000000000000000000000000"
	heights = 900000
)

func (server *rpcServer) execute(method string) (any, *rpcError) {
	if text, _ := server.warmUp.Load().(string); text != "" {
		return nil, &rpcError{-28, text}
	}
	switch method {
	case "getblockchaininfo":
		sync := server.initialSync()
		blocks := heights
		if sync {
			blocks = heights / 2
		}
		return map[string]any{
			"chain": server.chain, "blocks": blocks, "headers": heights, "bestblockhash": tip, "verificationprogress": 1,
			"initialblockdownload": sync, "pruned": false, "size_on_disk": 0, "warnings": []string{},
		}, nil
	case "getnetworkinfo":
		return map[string]any{"version": 310100, "subversion": "/Satoshi:31.1.0/", "networkactive": true, "relayfee": 0.000001}, nil
	case "getmempoolinfo":
		return map[string]any{"loaded": true, "size": 0, "bytes": 0, "mempoolminfee": 0.000001}, nil
	case "getrawmempool":
		return []string{}, nil
	case "getblock":
		return map[string]any{"hash": tip, "height": heights, "tx": []string{}}, nil
	case "estimatesmartfee":
		return map[string]any{"errors": []string{"Insufficient data or no feerate found"}, "blocks": 2}, nil
	case "getmempoolentry":
		return nil, &rpcError{-5, "Transaction not in mempool"}
	case "getrawtransaction":
		return nil, &rpcError{-5, "No such mempool or blockchain transaction"}
	case "sendrawtransaction", "submitpackage":
		return nil, &rpcError{-22, "TX decode failed"}
	case "getblockcount":
		return heights, nil
	case "uptime":
		return 1, nil
	}
	return nil, &rpcError{-32601, "Method not found"}
}
