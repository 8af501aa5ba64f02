package main

import (
	"reflect"
	"strings"
	"testing"
)

func TestBitcoinConfIsReadAsCoreReadsIt(t *testing.T) {
	file, err := parseConf("dbcache=64\ndbcache=128 # ignored\r\nnodebuglogfile=1\nnonsense=1\n[regtest]\nrpcport=1\n")
	if err != nil {
		t.Fatal(err)
	}
	if file.chain != "main" || file.number("dbcache", 0) != 64 || file.flag("debuglogfile", true) {
		t.Errorf("%+v", file)
	}
	if file.number("rpcport", 8332) != 8332 {
		t.Error("took a value from the section of another chain")
	}
	for text, complaint := range map[string]string{
		"server=1\nthe Nomad variable x has no value": "parse error on line 2",
		"-server=1":                    "without leading -",
		"rpcpassword=a#b":              "using # in rpcpassword",
		"chain=mainnet":                "unknown chain",
		"chain=regtest\nrpcport=1":     "only applied on regtest network when in [regtest] section",
		"regtest=1\nbind=127.0.0.1:10": "-bind only applied on regtest",
	} {
		if _, err := parseConf(text); err == nil || !strings.Contains(err.Error(), complaint) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestPeerAddresses(t *testing.T) {
	for text, want := range map[string][]string{
		"":                               {"0.0.0.0:8333", "127.0.0.1:8334"},
		"whitebind=noban@0.0.0.0:8335":   {"0.0.0.0:8335", "127.0.0.1:8334"},
		"bind=0.0.0.0\nwhitebind=[::]:1": {"0.0.0.0:8333", "[::]:1"},
		`bind="0.0.0.0:8333"`:            nil,
		"whitebind=nobann@0.0.0.0:8335":  nil,
		"whitebind=noban@0.0.0.0":        nil,
	} {
		file, err := parseConf(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := file.listeners(); !reflect.DeepEqual(got, want) || (want == nil) != (err != nil) {
			t.Errorf("%q: %v %v", text, got, err)
		}
	}
}

func TestElectrsConfTakesDefaultsForWhatItDoesNotKnow(t *testing.T) {
	conf, err := parseElectrsConf("daemon_rpc_adr = \"10.0.0.1:1\"\nauth = \"a:b\"\n")
	if err != nil || conf.rpc != "127.0.0.1:8332" || conf.p2p != "127.0.0.1:8333" || conf.auth != "a:b" || conf.filters != "ERROR" {
		t.Errorf("%+v %v", conf, err)
	}
	for _, text := range []string{
		"network = \"main\"",
		"auth = \"a:b\"\nauth = \"c:d\"",
		"auth = a:b",
		"the Nomad variable x has no value under the key y",
	} {
		if _, err := parseElectrsConf(text); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}
