package main

import (
	"fmt"
	"net"
	"strings"
)

// electrsConf is the configuration of electrs 0.11: whatever a file does not say, or misspells, is a default.
type electrsConf struct {
	network, auth, db, electrum, rpc, p2p, filters string
}

var electrsNetworks = map[string]string{"bitcoin": "main", "testnet4": "testnet4", "signet": "signet", "regtest": "regtest"}

// parseElectrsConf reads the TOML that jobs render: one `key = value` a line. Unknown keys are ignored, repeated ones
// are fatal, and the password comes from here alone.
func parseElectrsConf(text string) (*electrsConf, error) {
	values := map[string]string{}
	for index, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, found := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !found || key == "" || strings.ContainsAny(key, " \t\"'") {
			return nil, fmt.Errorf("expected an equals, found something else at line %d", index+1)
		}
		if _, twice := values[key]; twice {
			return nil, fmt.Errorf("duplicate key: `%s` at line %d", key, index+1)
		}
		switch quoted := len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"'; {
		case quoted && !strings.ContainsAny(value[1:len(value)-1], "\"\\"):
			values[key] = value[1 : len(value)-1]
		case value == "true" || value == "false" || (value != "" && strings.Trim(value, "0123456789") == ""):
			values[key] = value
		default:
			return nil, fmt.Errorf("invalid TOML value at line %d", index+1)
		}
	}
	or := func(key, usual string) string {
		if value, given := values[key]; given {
			return value
		}
		return usual
	}
	name := or("network", "bitcoin")
	chain, known := electrsNetworks[name]
	if !known {
		return nil, fmt.Errorf("unknown network '%s'", name)
	}
	ports := networks[chain]
	return &electrsConf{
		network:  name,
		auth:     values["auth"],
		db:       or("db_dir", "./db"),
		electrum: or("electrum_rpc_addr", "127.0.0.1:50001"),
		rpc:      or("daemon_rpc_addr", fmt.Sprintf("127.0.0.1:%d", ports.rpc)),
		p2p:      or("daemon_p2p_addr", fmt.Sprintf("127.0.0.1:%d", ports.p2p)),
		filters:  or("log_filters", "ERROR"),
	}, nil
}

func (conf *electrsConf) override(flags map[string]string) {
	if value, given := flags["--daemon-rpc-addr"]; given {
		conf.rpc = value
	}
	if value, given := flags["--daemon-p2p-addr"]; given {
		conf.p2p = value
	}
}

// resolve wants a host and a port, as electrs does at its start.
func (conf *electrsConf) resolve() error {
	for _, place := range []string{conf.electrum, conf.rpc, conf.p2p} {
		if _, err := net.ResolveTCPAddr("tcp", place); err != nil {
			return fmt.Errorf("unable to resolve address '%s': %v", place, err)
		}
	}
	return nil
}
