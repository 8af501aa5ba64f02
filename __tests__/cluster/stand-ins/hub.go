package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// alby is the state of a hub. Stored is what the real one keeps in its database.
type alby struct {
	mutex  sync.Mutex
	data   string
	stored struct {
		SetupCompleted       bool
		Password, AutoUnlock string
	}
	running bool
	problem string
}

const channels = "ldk/storage/ldk_node_data.sqlite"

// hub stands for Alby Hub 1.24 with LDK: it locks nothing, tries its node once, and stays up whatever comes of it.
func hub() {
	stop := terminated()
	data := os.Getenv("WORK_DIR")
	if file, err := os.CreateTemp(data, ".write"); data == "" || err != nil {
		fail("unable to open database file: %v", err)
	} else {
		os.Remove(file.Name())
	}
	if value, given := os.LookupEnv("LDK_LISTENING_ADDRESSES"); given && value == "" {
		panic("LDK_LISTENING_ADDRESSES is empty")
	}
	if uri := os.Getenv("DATABASE_URI"); strings.HasPrefix(uri, "postgres://") || strings.HasPrefix(uri, "postgresql://") {
		if _, err := connectPostgres(uri); err != nil {
			fail("failed to open database: %v", err)
		}
	} else {
		say("DATABASE_URI is no postgres URI: uses the SQLite file %q", uri)
		os.WriteFile(filepath.Join(data, filepath.Base("sqlite:"+uri)), nil, 0o644)
	}
	node := &alby{data: data}
	node.read()
	writer := openJournal(data)
	if password := os.Getenv("AUTO_UNLOCK_PASSWORD"); password != "" {
		node.stored.AutoUnlock = password
		node.write()
	}
	server := http.Server{Addr: ":" + os.Getenv("PORT"), Handler: node.pages()}
	go func() {
		// The page opens only after the node was tried.
		if node.stored.SetupCompleted && node.stored.AutoUnlock != "" {
			node.start(node.stored.AutoUnlock)
		}
		if err := server.ListenAndServe(); err != http.ErrServerClosed {
			say("echo server failed: %v", err)
			writer.stop("clean-stop", nil)
			os.Exit(0) // the real one calls this a success too
		}
	}()
	<-stop
	server.Close()
	time.Sleep(seconds(data, "stop-seconds", 1))
	writer.stop("clean-stop", map[string]any{"running": node.running})
}

// start tries the Lightning node, once. Without an Electrum server the real hub turns to a public one, which must never
// happen: it is said loudly and leaves a file.
func (node *alby) start(password string) {
	node.mutex.Lock()
	defer node.mutex.Unlock()
	if node.stored.Password == "" || password != node.stored.Password {
		say("Invalid password")
		return
	}
	server := strings.TrimPrefix(os.Getenv("LDK_ELECTRUM_SERVER"), "tcp://")
	if server == "" {
		say("PUBLIC ESPLORA: Using LDK node esplora chain source %s", os.Getenv("LDK_ESPLORA_SERVER"))
		os.WriteFile(filepath.Join(node.data, folder, "public-esplora"), nil, 0o644)
		return
	}
	if err := pingElectrum(server); err != nil {
		say("Failed to start LDK node with Electrum server %s: %v", server, err)
		return
	}
	time.Sleep(seconds(node.data, "node-seconds", 0))
	os.MkdirAll(filepath.Join(node.data, filepath.Dir(channels)), 0o755)
	if file, err := os.OpenFile(filepath.Join(node.data, channels), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err == nil {
		file.WriteString("started\n")
		file.Close()
	}
	node.running = true
	node.stored.SetupCompleted = true
	node.write()
	say("LDK node started, chain source %s", server)
}

func (node *alby) file() string { return filepath.Join(node.data, folder, "hub.json") }

func (node *alby) read() {
	if text, err := os.ReadFile(node.file()); err == nil {
		json.Unmarshal(text, &node.stored)
	}
}

func (node *alby) write() {
	text, _ := json.Marshal(node.stored)
	if err := os.WriteFile(node.file(), text, 0o600); err != nil {
		fail("unable to write the database: %v", err)
	}
}

func (node *alby) pages() http.Handler {
	pages := http.NewServeMux()
	reply := func(answer http.ResponseWriter, status int, body any) {
		answer.Header().Set("Content-Type", "application/json")
		answer.WriteHeader(status)
		json.NewEncoder(answer).Encode(body)
	}
	pages.HandleFunc("/", func(answer http.ResponseWriter, request *http.Request) {
		answer.Write([]byte("<!doctype html><title>Alby Hub</title>"))
	})
	pages.HandleFunc("/api/", func(answer http.ResponseWriter, request *http.Request) {
		reply(answer, http.StatusBadRequest, map[string]string{"message": "missing or malformed jwt"})
	})
	pages.HandleFunc("/api/info", func(answer http.ResponseWriter, request *http.Request) {
		node.mutex.Lock()
		defer node.mutex.Unlock()
		reply(answer, http.StatusOK, map[string]any{
			"backendType": "LDK", "setupCompleted": node.stored.SetupCompleted, "running": node.running,
			"startupState": "", "startupError": node.problem, "network": os.Getenv("NETWORK"),
			"autoUnlockPasswordEnabled": node.stored.AutoUnlock != "", "version": "v1.24.0",
		})
	})
	password := func(request *http.Request) string {
		var body struct{ UnlockPassword string }
		json.NewDecoder(request.Body).Decode(&body)
		return body.UnlockPassword
	}
	pages.HandleFunc("POST /api/setup", func(answer http.ResponseWriter, request *http.Request) {
		node.mutex.Lock()
		defer node.mutex.Unlock()
		if given := password(request); node.stored.SetupCompleted || given == "" {
			reply(answer, http.StatusInternalServerError, map[string]string{"message": "Failed to setup node"})
		} else {
			node.stored.Password = given
			node.write()
			answer.WriteHeader(http.StatusNoContent)
		}
	})
	pages.HandleFunc("POST /api/start", func(answer http.ResponseWriter, request *http.Request) {
		given := password(request)
		if node.start(given); !node.running {
			node.problem = "the node did not start"
			reply(answer, http.StatusUnauthorized, map[string]string{"message": "Invalid password"})
			return
		}
		reply(answer, http.StatusOK, map[string]string{"token": "stand-in"})
	})
	return pages
}
