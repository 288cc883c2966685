package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"math/rand"
	"net"
	"strconv"
	"strings"
	"time"
)

var small = []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
var smallLast = []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

// runOrigin answers HTTP/1.1 with as little work as can be, so that what stands in front of it is what is measured.
//
//	/          two bytes
//	/bulk/N    N bytes
//	/sse/R/S   R events a second for S seconds, each with the nanosecond at which it was written
func runOrigin(args []string) error {
	fs := flag.NewFlagSet("origin", flag.ExitOnError)
	listen := fs.String("listen", "127.0.0.1:0", "where clients come in")
	_ = fs.Parse(args)
	return serve(*listen, "tcp", "", 0, tlsFiles{}, answer)
}

func answer(c net.Conn) {
	defer c.Close()
	r := bufio.NewReaderSize(c, 1024)
	for {
		path, last, err := readAsked(r)
		if err != nil {
			return
		}
		switch {
		case path == "/" && last:
			_, _ = c.Write(smallLast)
			return
		case path == "/":
			_, err = c.Write(small)
		case strings.HasPrefix(path, "/bulk/"):
			err = answerBulk(c, path[len("/bulk/"):])
		case strings.HasPrefix(path, "/sse/"):
			err = answerEvents(c, path[len("/sse/"):])
		default:
			_, err = c.Write([]byte("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))
		}
		if err != nil {
			return
		}
	}
}

// readAsked reads a request without a body: its path, and whether it is the last.
func readAsked(r *bufio.Reader) (string, bool, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return "", false, err
	}
	words := bytes.Fields(line)
	if len(words) != 3 {
		return "", false, fmt.Errorf("not a request: %q", line)
	}
	path := string(words[1])
	last := false
	for {
		header, err := r.ReadSlice('\n')
		if err != nil {
			return "", false, err
		}
		if len(header) <= 2 {
			return path, last, nil
		}
		last = last || bytes.EqualFold(bytes.TrimSpace(header), []byte("connection: close"))
	}
}

func answerBulk(c net.Conn, length string) error {
	left, err := strconv.ParseInt(length, 10, 64)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", left); err != nil {
		return err
	}
	block := make([]byte, 256*1024)
	for left > 0 {
		n := int64(len(block))
		if left < n {
			n = left
		}
		if _, err := c.Write(block[:n]); err != nil {
			return err
		}
		left -= n
	}
	return nil
}

func answerEvents(c net.Conn, how string) error {
	var rate, seconds int
	if _, err := fmt.Sscanf(how, "%d/%d", &rate, &seconds); err != nil || rate <= 0 {
		return fmt.Errorf("not rate/seconds: %q", how)
	}
	head := "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
	if _, err := c.Write([]byte(head)); err != nil {
		return err
	}
	every := time.Second / time.Duration(rate)
	// Streams of one moment are spread over the interval, as the tokens of many models are.
	time.Sleep(time.Duration(rand.Int63n(int64(every))))
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	// 0x57 bytes: the size of a short token in its envelope.
	event := make([]byte, 0, 128)
	for i := 0; i < rate*seconds; i++ {
		event = append(event[:0], "57\r\ndata: "...)
		event = strconv.AppendInt(event, time.Now().UnixNano(), 10)
		event = append(event, ' ')
		for len(event) < len("57\r\n")+0x57-2 {
			event = append(event, 'x')
		}
		event = append(event, "\n\n\r\n"...)
		if _, err := c.Write(event); err != nil {
			return err
		}
		<-ticker.C
	}
	_, err := c.Write([]byte("0\r\n\r\n"))
	return err
}
