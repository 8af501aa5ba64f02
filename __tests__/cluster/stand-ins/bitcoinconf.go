package main

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// What Bitcoin Core binds to a network by default.
type network struct {
	rpc, p2p int
	magic    string
}

var networks = map[string]network{
	"main":     {8332, 8333, "\xf9\xbe\xb4\xd9"},
	"testnet4": {48332, 48333, "\x1c\x16\x3f\x28"},
	"signet":   {38332, 38333, "\x0a\x03\xcf\x40"},
	"regtest":  {18443, 18444, "\xfa\xbf\xb5\xda"},
}

// Options that on a test network count only inside of its section.
var networkOnly = []string{"addnode", "bind", "connect", "port", "rpcbind", "rpcport", "wallet"}

// conf is bitcoin.conf as Core reads it: the section of the chain before what stands outside of sections, and within
// each the first value wins.
type conf struct {
	chain    string
	sections map[string]map[string][]string
}

// parseConf follows GetConfigOptions of Core's common/config.cpp.
func parseConf(text string) (*conf, error) {
	file := &conf{sections: map[string]map[string][]string{}}
	section := ""
	for index, line := range strings.Split(text, "\n") {
		content, _, comment := strings.Cut(line, "#")
		content = strings.Trim(content, " \t\r\n")
		if content == "" {
			continue
		}
		if strings.HasPrefix(content, "[") && strings.HasSuffix(content, "]") {
			section = content[1 : len(content)-1]
			continue
		}
		if strings.HasPrefix(content, "-") {
			return nil, fmt.Errorf("parse error on line %d: %s, options in configuration file must be specified without leading -", index+1, content)
		}
		name, value, found := strings.Cut(content, "=")
		if !found {
			return nil, fmt.Errorf("parse error on line %d: %s", index+1, content)
		}
		name, value = strings.Trim(name, " \t"), strings.Trim(value, " \t")
		if comment && strings.Contains(name, "rpcpassword") {
			return nil, fmt.Errorf("parse error on line %d, using # in rpcpassword can be ambiguous and should be avoided", index+1)
		}
		if strings.HasPrefix(name, "no") {
			name, value = name[2:], map[bool]string{true: "1", false: "0"}[value == "0"]
		}
		if file.sections[section] == nil {
			file.sections[section] = map[string][]string{}
		}
		file.sections[section][name] = append(file.sections[section][name], value)
	}
	return file, file.choose()
}

func (file *conf) choose() error {
	file.chain = "main"
	top := file.sections[""]
	if given := top["chain"]; len(given) > 0 {
		file.chain = given[0]
	}
	for name := range networks {
		if given := top[name]; name != "main" && len(given) > 0 && given[0] != "0" {
			file.chain = name
		}
	}
	if _, known := networks[file.chain]; !known {
		return fmt.Errorf("unknown chain %s", file.chain)
	}
	if file.chain == "main" {
		return nil
	}
	for _, name := range networkOnly {
		if len(top[name]) > 0 && len(file.sections[file.chain][name]) == 0 {
			return fmt.Errorf("config setting for -%s only applied on %s network when in [%s] section", name, file.chain, file.chain)
		}
	}
	return nil
}

func (file *conf) all(name string) []string {
	values := append([]string{}, file.sections[file.chain][name]...)
	if file.chain != "main" && slices.Contains(networkOnly, name) {
		return values
	}
	return append(values, file.sections[""][name]...)
}

func (file *conf) first(name, usual string) string {
	if values := file.all(name); len(values) > 0 {
		return values[0]
	}
	return usual
}

func (file *conf) number(name string, usual int) int {
	value, err := strconv.Atoi(file.first(name, strconv.Itoa(usual)))
	if err != nil {
		return 0
	}
	return value
}

func (file *conf) flag(name string, usual bool) bool {
	values := file.all(name)
	return (len(values) == 0 && usual) || (len(values) > 0 && values[0] != "0")
}

var permissions = map[string]bool{
	"addr": true, "all": true, "bloomfilter": true, "download": true, "forcerelay": true, "implicit": true,
	"mempool": true, "noban": true, "relay": true,
}

// listeners are the addresses of the peer-to-peer network: exactly those given, or Core's own choice.
func (file *conf) listeners() ([]string, error) {
	port := file.number("port", networks[file.chain].p2p)
	onion := fmt.Sprintf("127.0.0.1:%d", port+1)
	var addresses []string
	for _, value := range file.all("bind") {
		address, err := address(value, port)
		if err != nil {
			return nil, fmt.Errorf("Cannot resolve -bind address: '%s'", value)
		}
		addresses = append(addresses, address)
	}
	usual := len(addresses) == 0
	for _, value := range file.all("whitebind") {
		allowed, place, found := strings.Cut(value, "@")
		if !found {
			allowed, place = "", value
		}
		for _, permission := range strings.FieldsFunc(allowed, func(r rune) bool { return r == ',' }) {
			if !permissions[permission] {
				return nil, fmt.Errorf("Invalid P2P permission: '%s'", permission)
			}
		}
		if _, _, err := net.SplitHostPort(place); err != nil {
			return nil, fmt.Errorf("Need to specify a port with -whitebind: '%s'", place)
		}
		address, err := address(place, 0)
		if err != nil {
			return nil, fmt.Errorf("Cannot resolve -whitebind address: '%s'", place)
		}
		addresses = append(addresses, address)
	}
	if usual && len(addresses) == 0 {
		return []string{fmt.Sprintf("0.0.0.0:%d", port), onion}, nil
	}
	if usual {
		addresses = append(addresses, onion)
	}
	return addresses, nil
}

// address reads an address with an optional port.
func address(value string, port int) (string, error) {
	host, given, err := net.SplitHostPort(value)
	if err != nil {
		host, given = value, strconv.Itoa(port)
	}
	if net.ParseIP(host) == nil {
		return "", fmt.Errorf("%s is no address", host)
	}
	return net.JoinHostPort(host, given), nil
}
