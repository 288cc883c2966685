package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
)

// The relay header: request 01 | cmd | len16 | features, response 01 | status | len16 | features,
// a feature is type8 | len16 | data; all big-endian.

const (
	version1    = 1
	cmdConnect  = 1
	featureAuth = 1
	featureAddr = 2

	statusOK           = 0
	statusBadRequest   = 1
	statusUnauthorized = 2
	statusUnavailable  = 5
)

type request struct {
	user, pass string
	hasAuth    bool
	target     string // empty: the server's own forwarder decides
}

func (r request) encode() []byte {
	var features []byte
	feature := func(kind byte, data []byte) {
		features = append(features, kind, byte(len(data)>>8), byte(len(data)))
		features = append(features, data...)
	}
	if r.hasAuth {
		data := append([]byte{byte(len(r.user))}, r.user...)
		data = append(append(data, byte(len(r.pass))), r.pass...)
		feature(featureAuth, data)
	}
	feature(featureAddr, encodeAddr(r.target))
	head := []byte{version1, cmdConnect, byte(len(features) >> 8), byte(len(features))}
	return append(head, features...)
}

func encodeAddr(target string) []byte {
	host, port, _ := net.SplitHostPort(target)
	n, _ := strconv.Atoi(port)
	ports := []byte{byte(n >> 8), byte(n)}
	if ip := net.ParseIP(host); ip != nil {
		if v4 := ip.To4(); v4 != nil {
			return append(append([]byte{1}, v4...), ports...)
		}
		return append(append([]byte{4}, ip.To16()...), ports...)
	}
	return append(append([]byte{3, byte(len(host))}, host...), ports...)
}

func decodeAddr(data []byte) (string, error) {
	if len(data) < 1 {
		return "", errors.New("empty address")
	}
	var host string
	rest := data[1:]
	switch data[0] {
	case 1:
		if len(rest) != 6 {
			return "", errors.New("bad IPv4 address")
		}
		host, rest = net.IP(rest[:4]).String(), rest[4:]
	case 4:
		if len(rest) != 18 {
			return "", errors.New("bad IPv6 address")
		}
		host, rest = net.IP(rest[:16]).String(), rest[16:]
	case 3:
		if len(rest) < 1 || len(rest) != 1+int(rest[0])+2 {
			return "", errors.New("bad name")
		}
		host, rest = string(rest[1:1+int(rest[0])]), rest[1+int(rest[0]):]
	default:
		return "", fmt.Errorf("address type %d", data[0])
	}
	port := binary.BigEndian.Uint16(rest)
	if host == "" && port == 0 {
		return "", nil
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port))), nil
}

func readRequest(r io.Reader) (request, error) {
	var req request
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return req, err
	}
	if head[0] != version1 || head[1] != cmdConnect {
		return req, fmt.Errorf("version %d command %d", head[0], head[1])
	}
	features := make([]byte, binary.BigEndian.Uint16(head[2:]))
	if _, err := io.ReadFull(r, features); err != nil {
		return req, err
	}
	for len(features) > 0 {
		if len(features) < 3 || len(features) < 3+int(binary.BigEndian.Uint16(features[1:])) {
			return req, errors.New("feature cut short")
		}
		n := int(binary.BigEndian.Uint16(features[1:]))
		data := features[3 : 3+n]
		switch features[0] {
		case featureAuth:
			if len(data) < 2 || len(data) < 2+int(data[0]) || len(data) != 2+int(data[0])+int(data[1+int(data[0])]) {
				return req, errors.New("bad auth")
			}
			req.hasAuth = true
			req.user = string(data[1 : 1+int(data[0])])
			req.pass = string(data[2+int(data[0]):])
		case featureAddr:
			target, err := decodeAddr(data)
			if err != nil {
				return req, err
			}
			req.target = target
		default:
			return req, fmt.Errorf("unknown feature %d", features[0])
		}
		features = features[3+n:]
	}
	return req, nil
}

func response(status byte) []byte { return []byte{version1, status, 0, 0} }

// clientConn sends the header with the first write and takes the response off the first read, as gost does by default.
type clientConn struct {
	net.Conn
	header []byte
	wmu    sync.Mutex
	rmu    sync.Mutex
	read   bool
}

func (c *clientConn) Write(p []byte) (int, error) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.header == nil {
		if len(p) == 0 {
			return 0, nil
		}
		return c.Conn.Write(p)
	}
	buf := append(c.header, p...)
	c.header = nil
	if _, err := c.Conn.Write(buf); err != nil {
		return 0, err
	}
	return len(p), nil
}

// flush sends a header that nothing was there to carry.
func (c *clientConn) flush() error {
	_, err := c.Write(nil)
	return err
}

func (c *clientConn) CloseWrite() error {
	if err := c.flush(); err != nil {
		return err
	}
	return closeWrite(c.Conn)
}

func (c *clientConn) Read(p []byte) (int, error) {
	c.rmu.Lock()
	defer c.rmu.Unlock()
	if !c.read {
		head := make([]byte, 4)
		if _, err := io.ReadFull(c.Conn, head); err != nil {
			return 0, err
		}
		if n := binary.BigEndian.Uint16(head[2:]); n > 0 {
			if _, err := io.CopyN(io.Discard, c.Conn, int64(n)); err != nil {
				return 0, err
			}
		}
		if head[1] != statusOK {
			return 0, fmt.Errorf("relay status %d", head[1])
		}
		c.read = true
	}
	return c.Conn.Read(p)
}

// serverConn sends the OK with the first write, as gost does by default.
type serverConn struct {
	net.Conn
	mu   sync.Mutex
	said bool
}

func (c *serverConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.said {
		if len(p) == 0 {
			return 0, nil
		}
		return c.Conn.Write(p)
	}
	c.said = true
	if _, err := c.Conn.Write(append(response(statusOK), p...)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// flush sends an OK that nothing was there to carry.
func (c *serverConn) flush() error {
	_, err := c.Write(nil)
	return err
}

func (c *serverConn) CloseWrite() error {
	if err := c.flush(); err != nil {
		return err
	}
	return closeWrite(c.Conn)
}
