// peer speaks the tunnel's wire with the libraries gost itself stands on: the other side in interoperation tests,
// and a yardstick in benchmarks. `peer core` accepts a transport and connects to a target; `peer edge` accepts tcp and
// goes through a transport; `peer copy` is one hop without any. `peer origin` and `peer load` are both ends of a
// benchmark, `peer link` is a long or a lossy line between.
package main

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

func main() {
	commands := map[string]func(args []string) error{
		"copy": runCopy, "core": runCore, "edge": runEdge, "origin": runOrigin, "load": runLoad, "link": runLink,
	}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: peer core|edge|copy|origin|load|link -help")
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

const dialTimeout = 8 * time.Second

// tunnel is what core and edge have to agree on.
type tunnel struct {
	listen, target, transport, mode, wsPath string
	user, pass                              string
	hasAuth, eager                          bool
	muxVersion                              int
	files                                   tlsFiles
}

func (t *tunnel) parse(fs *flag.FlagSet, args []string) error {
	fs.StringVar(&t.listen, "listen", "127.0.0.1:0", "where clients come in")
	fs.StringVar(&t.target, "target", "", "core: the origin; edge: asks the core for it, empty lets the core decide")
	fs.StringVar(&t.transport, "transport", "tcp", "tcp, tls, ws, wss, mtls, mws, mwss")
	fs.StringVar(&t.mode, "mode", "relay", "relay or forward")
	fs.StringVar(&t.wsPath, "path", "/ws", "of the websocket")
	fs.IntVar(&t.muxVersion, "mux", 2, "smux version")
	fs.BoolVar(&t.eager, "eager", false, "header and OK at once, not with the first write")
	fs.StringVar(&t.files.cert, "cert", "", "certificate")
	fs.StringVar(&t.files.key, "key", "", "key")
	fs.StringVar(&t.files.ca, "ca", "", "CA of the other side; a core with one asks for a client certificate")
	fs.BoolVar(&t.files.insecure, "insecure", false, "edge: do not check the core's certificate")
	auth := fs.String("auth", "", "user:password")
	if err := fs.Parse(args); err != nil {
		return err
	}
	t.user, t.pass, t.hasAuth = strings.Cut(*auth, ":")
	if !isKnown(t.transport) {
		return fmt.Errorf("no transport %q", t.transport)
	}
	if t.mode != "relay" && t.mode != "forward" {
		return fmt.Errorf("no mode %q", t.mode)
	}
	return nil
}

// runCopy is the least a forwarder can do: accept, connect, copy both ways.
func runCopy(args []string) error {
	fs := flag.NewFlagSet("copy", flag.ExitOnError)
	listen := fs.String("listen", "127.0.0.1:0", "where clients come in")
	target := fs.String("target", "", "the origin")
	_ = fs.Parse(args)
	return serve(*listen, "tcp", "", 0, tlsFiles{}, func(c net.Conn) { forward(c, *target) })
}

func runCore(args []string) error {
	var t tunnel
	if err := t.parse(flag.NewFlagSet("core", flag.ExitOnError), args); err != nil {
		return err
	}
	return serve(t.listen, t.transport, t.wsPath, t.muxVersion, t.files, func(c net.Conn) {
		if t.mode == "forward" {
			forward(c, t.target)
		} else {
			t.serveRelay(c)
		}
	})
}

func runEdge(args []string) error {
	var t tunnel
	fs := flag.NewFlagSet("edge", flag.ExitOnError)
	dial := fs.String("dial", "", "the core")
	conns := fs.Int("conns", 4, "sessions to a core")
	if err := t.parse(fs, args); err != nil {
		return err
	}
	d := &dialer{addr: *dial, transport: t.transport, wsPath: t.wsPath, muxVersion: t.muxVersion, files: t.files,
		slots: make([]slot, *conns)}
	return serve(t.listen, "tcp", "", 0, tlsFiles{}, func(c net.Conn) {
		up, err := d.open()
		if err != nil {
			fmt.Fprintln(os.Stderr, "dial:", err)
			c.Close()
			return
		}
		if t.mode == "relay" {
			header := request{user: t.user, pass: t.pass, hasAuth: t.hasAuth, target: t.target}.encode()
			rc := &clientConn{Conn: up, header: header}
			if t.eager {
				if err := rc.flush(); err != nil {
					c.Close()
					up.Close()
					return
				}
			}
			up = rc
		}
		pipe(c, up)
	})
}

func forward(c net.Conn, target string) {
	up, err := net.DialTimeout("tcp", target, dialTimeout)
	if err != nil {
		c.Close()
		return
	}
	pipe(c, up)
}

func (t *tunnel) serveRelay(c net.Conn) {
	refuse := func(status byte) {
		_, _ = c.Write(response(status))
		c.Close()
	}
	_ = c.SetReadDeadline(time.Now().Add(15 * time.Second))
	req, err := readRequest(c)
	if err != nil {
		refuse(statusBadRequest)
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	if t.hasAuth && (req.user != t.user || req.pass != t.pass) {
		refuse(statusUnauthorized)
		return
	}
	target := t.target
	if target == "" {
		target = req.target
	}
	up, err := net.DialTimeout("tcp", target, dialTimeout)
	if err != nil {
		refuse(statusUnavailable)
		return
	}
	sc := &serverConn{Conn: c}
	if t.eager {
		_ = sc.flush()
	}
	pipe(sc, up)
}

// pipe copies both ways. TCP and mux streams are half-closed and get ten seconds for the rest; the end of one
// direction over TLS or a websocket is the end of both, and so is an error: all as gost has it.
func pipe(a, b net.Conn) {
	ended := make(chan bool, 2)
	one := func(dst, src net.Conn) {
		buf := make([]byte, 32*1024)
		_, err := io.CopyBuffer(struct{ io.Writer }{dst}, struct{ io.Reader }{src}, buf)
		ended <- err == nil && closeWrite(dst) == nil
	}
	go one(a, b)
	go one(b, a)
	if <-ended {
		late := time.NewTimer(10 * time.Second)
		select {
		case <-ended:
		case <-late.C:
		}
		late.Stop()
	}
	a.Close()
	b.Close()
}

var errNoHalfClose = errors.New("no half-close on this transport")

func closeWrite(c net.Conn) error {
	switch c := c.(type) {
	case *tls.Conn, *wsConn:
		return errNoHalfClose
	case interface{ CloseWrite() error }:
		return c.CloseWrite()
	}
	return errNoHalfClose
}
