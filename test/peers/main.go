// peer speaks the tunnel's wire with the libraries gost itself stands on: the other side in interoperation tests,
// and a yardstick in benchmarks. `peer core` accepts a transport and connects to a target; `peer edge` accepts tcp and
// goes through a transport.
package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

func main() {
	if len(os.Args) < 2 || (os.Args[1] != "core" && os.Args[1] != "edge" && os.Args[1] != "copy") {
		fmt.Fprintln(os.Stderr, "usage: peer core|edge|copy -listen ADDR [-dial ADDR] [-target ADDR] [-transport T] [-mode relay|forward] …")
		os.Exit(2)
	}
	fs := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	listen := fs.String("listen", "127.0.0.1:0", "where clients come in")
	dial := fs.String("dial", "", "edge: the core")
	target := fs.String("target", "", "core, copy: the origin; edge: asks the core for it, empty lets the core decide")
	transport := fs.String("transport", "tcp", "tcp, tls, ws, wss, mtls, mws, mwss")
	mode := fs.String("mode", "relay", "relay or forward")
	auth := fs.String("auth", "", "user:password")
	wsPath := fs.String("path", "/ws", "of the websocket")
	muxVersion := fs.Int("mux", 2, "smux version")
	conns := fs.Int("conns", 4, "sessions to a peer")
	eager := fs.Bool("eager", false, "header and OK at once, not with the first write")
	var files tlsFiles
	fs.StringVar(&files.cert, "cert", "", "certificate")
	fs.StringVar(&files.key, "key", "", "key")
	fs.StringVar(&files.ca, "ca", "", "CA of the other side; a core with one asks for a client certificate")
	fs.BoolVar(&files.insecure, "insecure", false, "edge: do not check the core's certificate")
	_ = fs.Parse(os.Args[2:])
	user, pass, hasAuth := strings.Cut(*auth, ":")

	var err error
	switch os.Args[1] {
	case "copy":
		err = serve(*listen, "tcp", "", 0, tlsFiles{}, func(c net.Conn) {
			up, e := net.DialTimeout("tcp", *target, 8*time.Second)
			if e != nil {
				c.Close()
				return
			}
			pipe(c, up)
		})
	case "core":
		err = serve(*listen, *transport, *wsPath, *muxVersion, files, func(c net.Conn) {
			if *mode == "forward" {
				if up, e := net.DialTimeout("tcp", *target, 8*time.Second); e == nil {
					pipe(c, up)
				} else {
					c.Close()
				}
				return
			}
			serveRelay(c, *target, user, pass, hasAuth, *eager)
		})
	case "edge":
		d := &dialer{addr: *dial, transport: *transport, wsPath: *wsPath, muxVersion: *muxVersion, conns: *conns, files: files}
		err = serve(*listen, "tcp", "", 0, tlsFiles{}, func(c net.Conn) {
			up, e := d.open()
			if e != nil {
				fmt.Fprintln(os.Stderr, "dial:", e)
				c.Close()
				return
			}
			if *mode == "relay" {
				header := request{user: user, pass: pass, hasAuth: hasAuth, target: *target}.encode()
				rc := &clientConn{Conn: up, header: header}
				if *eager {
					if _, e := up.Write(header); e != nil {
						c.Close()
						up.Close()
						return
					}
					rc.header = nil
				}
				up = rc
			}
			pipe(c, up)
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serveRelay(c net.Conn, target, user, pass string, hasAuth, eager bool) {
	_ = c.SetReadDeadline(time.Now().Add(15 * time.Second))
	req, err := readRequest(c)
	if err != nil {
		_, _ = c.Write(response(statusBadRequest))
		c.Close()
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	if hasAuth && (req.user != user || req.pass != pass) {
		_, _ = c.Write(response(statusUnauthorized))
		c.Close()
		return
	}
	if target == "" {
		target = req.target
	}
	up, err := net.DialTimeout("tcp", target, 8*time.Second)
	if err != nil {
		_, _ = c.Write(response(statusUnavailable))
		c.Close()
		return
	}
	sc := &serverConn{Conn: c}
	if eager {
		_, _ = sc.Write(nil)
	}
	pipe(sc, up)
}

type closeWriter interface{ CloseWrite() error }

// pipe copies both ways. A raw TCP side is half-closed; any other ends whole, ten seconds after the first end, as gost.
func pipe(a, b net.Conn) {
	done := make(chan struct{}, 2)
	one := func(dst, src net.Conn) {
		buf := make([]byte, 32*1024)
		_, _ = io.CopyBuffer(struct{ io.Writer }{dst}, struct{ io.Reader }{src}, buf)
		if cw, ok := dst.(closeWriter); ok {
			_ = cw.CloseWrite()
		} else {
			_ = dst.SetReadDeadline(time.Now().Add(10 * time.Second))
			if s, ok := dst.(*clientConn); ok {
				if cw, ok := s.Conn.(closeWriter); ok {
					_ = cw.CloseWrite()
				}
			}
		}
		done <- struct{}{}
	}
	go one(a, b)
	go one(b, a)
	<-done
	select {
	case <-done:
	case <-time.After(10 * time.Second):
	}
	a.Close()
	b.Close()
}
