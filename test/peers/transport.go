package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/xtaci/smux"
)

type tlsFiles struct {
	cert, key, ca string
	insecure      bool
}

func (f tlsFiles) pool() (*x509.CertPool, error) {
	if f.ca == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(f.ca)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: no certificate", f.ca)
	}
	return pool, nil
}

func (f tlsFiles) config(server bool) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.cert != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, err
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	pool, err := f.pool()
	if err != nil {
		return nil, err
	}
	if server {
		if pool != nil {
			cfg.ClientCAs, cfg.ClientAuth = pool, tls.RequireAndVerifyClientCert
		}
		return cfg, nil
	}
	// The chain is checked, the host name is not: what gost does with a CA and no server name is up to its user.
	cfg.InsecureSkipVerify = true
	if !f.insecure && pool != nil {
		cfg.VerifyConnection = func(s tls.ConnectionState) error {
			opts := x509.VerifyOptions{Roots: pool, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
			for _, c := range s.PeerCertificates[1:] {
				opts.Intermediates.AddCert(c)
			}
			_, err := s.PeerCertificates[0].Verify(opts)
			return err
		}
	}
	return cfg, nil
}

func smuxConfig(version int) *smux.Config {
	c := smux.DefaultConfig()
	c.Version = version
	c.MaxReceiveBuffer = 16 << 20
	c.MaxStreamBuffer = 1 << 20
	c.KeepAliveInterval = 10 * time.Second
	c.KeepAliveTimeout = 60 * time.Second
	return c
}

func isTLS(t string) bool { return t == "tls" || t == "wss" || t == "mtls" || t == "mwss" }
func isWS(t string) bool  { return t == "ws" || t == "wss" || t == "mws" || t == "mwss" }
func isMux(t string) bool { return t == "mtls" || t == "mws" || t == "mwss" }
func isKnown(t string) bool {
	return t == "tcp" || isTLS(t) || isWS(t) || isMux(t)
}

// serve accepts connections of the transport and hands each stream to handle, until the listener ends.
func serve(addr, transport, wsPath string, muxVersion int, files tlsFiles, handle func(net.Conn)) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	if isTLS(transport) {
		cfg, err := files.config(true)
		if err != nil {
			return err
		}
		ln = tls.NewListener(ln, cfg)
	}
	fmt.Printf("listening %s\n", ln.Addr())
	each := handle
	if isMux(transport) {
		each = func(c net.Conn) {
			session, err := smux.Server(c, smuxConfig(muxVersion))
			if err != nil {
				c.Close()
				return
			}
			defer session.Close()
			for {
				stream, err := session.AcceptStream()
				if err != nil {
					return
				}
				go handle(stream)
			}
		}
	}
	if isWS(transport) {
		upgrader := websocket.Upgrader{ReadBufferSize: 32768, WriteBufferSize: 32768, CheckOrigin: func(*http.Request) bool { return true }}
		mux := http.NewServeMux()
		mux.HandleFunc(wsPath, func(w http.ResponseWriter, r *http.Request) {
			ws, err := upgrader.Upgrade(w, r, nil)
			if err != nil {
				return
			}
			each(&wsConn{Conn: ws})
		})
		return (&http.Server{Handler: mux, ReadHeaderTimeout: 15 * time.Second}).Serve(ln)
	}
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		go each(c)
	}
}

// dialer opens streams over the transport; a multiplexed one keeps a session a slot and goes round.
type dialer struct {
	addr, transport, wsPath string
	muxVersion              int
	files                   tlsFiles
	next                    atomic.Uint64
	slots                   []slot
}

type slot struct {
	mu      sync.Mutex
	session *smux.Session
}

func (d *dialer) connect() (net.Conn, error) {
	c, err := net.DialTimeout("tcp", d.addr, dialTimeout)
	if err != nil {
		return nil, err
	}
	if isTLS(d.transport) {
		cfg, err := d.files.config(false)
		if err != nil {
			return nil, err
		}
		tc := tls.Client(c, cfg)
		if err := tc.Handshake(); err != nil {
			c.Close()
			return nil, err
		}
		c = tc
	}
	if isWS(d.transport) {
		wd := websocket.Dialer{NetDial: func(string, string) (net.Conn, error) { return c, nil }, HandshakeTimeout: dialTimeout}
		ws, _, err := wd.Dial("ws://"+d.addr+d.wsPath, nil)
		if err != nil {
			c.Close()
			return nil, err
		}
		c = &wsConn{Conn: ws}
	}
	return c, nil
}

func (d *dialer) open() (net.Conn, error) {
	if !isMux(d.transport) {
		return d.connect()
	}
	// Session by session: a slow dial holds up only the streams that would go through it.
	slot := &d.slots[d.next.Add(1)%uint64(len(d.slots))]
	slot.mu.Lock()
	defer slot.mu.Unlock()
	if slot.session == nil || slot.session.IsClosed() {
		c, err := d.connect()
		if err != nil {
			return nil, err
		}
		if slot.session, err = smux.Client(c, smuxConfig(d.muxVersion)); err != nil {
			return nil, err
		}
	}
	return slot.session.OpenStream()
}

// wsConn is a stream over binary messages, without a Close frame at its end (1006 is EOF), as gost speaks it.
type wsConn struct {
	*websocket.Conn
	rest io.Reader
	wmu  sync.Mutex
}

func (c *wsConn) Read(p []byte) (int, error) {
	for {
		if c.rest == nil {
			kind, r, err := c.NextReader()
			if err != nil {
				var ce *websocket.CloseError
				if errors.As(err, &ce) {
					return 0, io.EOF
				}
				return 0, err
			}
			if kind != websocket.BinaryMessage {
				continue
			}
			c.rest = r
		}
		n, err := c.rest.Read(p)
		if err == io.EOF {
			c.rest = nil
			if n > 0 {
				return n, nil
			}
			continue
		}
		return n, err
	}
}

func (c *wsConn) Write(p []byte) (int, error) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if err := c.WriteMessage(websocket.BinaryMessage, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (c *wsConn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}
