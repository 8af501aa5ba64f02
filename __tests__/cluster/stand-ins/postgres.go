package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"
)

// connectPostgres opens a session with user and password: the start of PostgreSQL's protocol, with a password in clear.
// The connection stays open as the real hub's does.
func connectPostgres(uri string) (net.Conn, error) {
	place, err := url.Parse(uri)
	if err != nil {
		return nil, err // with a piece of the password in it, as the real one
	}
	password, _ := place.User.Password()
	connection, err := net.DialTimeout("tcp", place.Host, 5*time.Second)
	if err != nil {
		return nil, err
	}
	reader := bufio.NewReader(connection)
	connection.SetDeadline(time.Now().Add(10 * time.Second))
	if mode := place.Query().Get("sslmode"); mode != "disable" {
		packet(connection, 0, "\x04\xd2\x16\x2f")
		if yes, err := reader.ReadByte(); err != nil || yes != 'N' || mode != "prefer" {
			return nil, fmt.Errorf("server refused TLS connection (sslmode %s): %v", mode, err)
		}
	}
	database := strings.TrimPrefix(place.Path, "/")
	packet(connection, 0, "\x00\x03\x00\x00user\x00"+place.User.Username()+"\x00database\x00"+database+"\x00\x00")
	for {
		kind, body, err := readPacket(reader)
		if err != nil {
			return nil, err
		}
		switch {
		case kind == 'R' && binary.BigEndian.Uint32(body) == 3:
			packet(connection, 'p', password+"\x00")
		case kind == 'R' && binary.BigEndian.Uint32(body) != 0:
			return nil, fmt.Errorf("the stand-in knows no authentication but the password in clear")
		case kind == 'E':
			return nil, fmt.Errorf("failed to connect to `user=%s database=%s`: %q", place.User.Username(), database, body)
		case kind == 'Z':
			connection.SetDeadline(time.Time{})
			return connection, nil
		}
	}
}

func packet(writer io.Writer, kind byte, body string) {
	var head []byte
	if kind != 0 {
		head = []byte{kind}
	}
	head = binary.BigEndian.AppendUint32(head, uint32(len(body)+4))
	writer.Write(append(head, body...))
}

func readPacket(reader *bufio.Reader) (byte, []byte, error) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(reader, head); err != nil {
		return 0, nil, err
	}
	length := binary.BigEndian.Uint32(head[1:])
	if length < 4 || length > 1<<16 {
		return 0, nil, fmt.Errorf("not PostgreSQL's protocol")
	}
	body := make([]byte, length-4)
	_, err := io.ReadFull(reader, body)
	return head[0], body, err
}
