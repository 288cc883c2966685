package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// runLoad plays the clients of a benchmark and prints what it saw as one line of JSON.
//
//	load ask    N kept connections ask again as soon as they are answered, for -seconds
//	load bulk   N connections take answers of -bytes one after another for -seconds
//	load shake  N clients connect, ask once and leave, again and again: with -tls, handshakes in full
//	load sse    N streams of -rate events a second: how old is an event when it arrives. Says before, a line each,
//	            when all of them stand and when the first has ended
//	load first  N new streams one after another: how long until the first byte of the answer
//	load hold   N connections with one request each, held: says how many stand; a line on stdin, and each asks once
//	            more and it says how many were answered; until stdin ends
func runLoad(args []string) error {
	if len(args) == 0 {
		return errors.New("load ask|bulk|shake|sse|first|hold")
	}
	var l load
	fs := flag.NewFlagSet("load", flag.ExitOnError)
	fs.StringVar(&l.target, "target", "", "host:port")
	fs.IntVar(&l.n, "n", 1, "connections")
	fs.IntVar(&l.seconds, "seconds", 5, "for how long")
	fs.IntVar(&l.rate, "rate", 20, "events a second and stream")
	fs.Int64Var(&l.bytes, "bytes", 64<<20, "of an answer")
	fs.StringVar(&l.source, "source", "", "address to come from; empty: the system's choice")
	fs.BoolVar(&l.tls, "tls", false, "over TLS 1.3, whatever the certificate")
	_ = fs.Parse(args[1:])
	kinds := map[string]func() error{
		"ask": l.asks, "bulk": l.bulk, "shake": l.shakes, "sse": l.events, "first": l.firsts, "hold": l.hold,
	}
	kind := kinds[args[0]]
	if kind == nil {
		return fmt.Errorf("no load %q", args[0])
	}
	return kind()
}

type load struct {
	target, source   string
	n, seconds, rate int
	bytes            int64
	tls              bool
}

func say(result map[string]interface{}) error { return json.NewEncoder(os.Stdout).Encode(result) }

// dial comes from other loopback addresses where one has not enough ports.
func (l *load) dial(i int) (net.Conn, error) {
	const portsOfOne = 20000
	// Its own probes would only add to those of what is measured.
	d := net.Dialer{Timeout: dialTimeout, KeepAlive: -1, Control: portAtConnect}
	if l.source != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(l.source)}
	} else if i >= portsOfOne {
		d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+i/portsOfOne))}
	}
	c, err := d.Dial("tcp", l.target)
	if err != nil || !l.tls {
		return c, err
	}
	// No session cache: every handshake is one in full.
	tc := tls.Client(c, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13})
	_ = tc.SetDeadline(time.Now().Add(dialTimeout))
	if err := tc.Handshake(); err != nil {
		c.Close()
		return nil, err
	}
	return tc, tc.SetDeadline(time.Time{})
}

func ask(c net.Conn, path string) error {
	_, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: origin\r\n\r\n", path)
	return err
}

// each runs n at once and waits for all of them.
func (l *load) each(one func(i int)) {
	var wg sync.WaitGroup
	for i := 0; i < l.n; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			one(i)
		}(i)
	}
	wg.Wait()
}

// skipHead reads an answer's head; anything but 200 is an error.
func skipHead(r *bufio.Reader) error {
	for i := 0; ; i++ {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if i == 0 && !strings.Contains(string(line), " 200 ") {
			return fmt.Errorf("answered %q", line)
		}
		if len(line) <= 2 {
			return nil
		}
	}
}

func (l *load) bulk() error {
	var total, failed atomic.Int64
	began := time.Now()
	until := began.Add(time.Duration(l.seconds) * time.Second)
	l.each(func(i int) {
		if l.take(i, until, &total) != nil && time.Now().Before(until) {
			failed.Add(1)
		}
	})
	seconds := time.Since(began).Seconds()
	return say(map[string]interface{}{"bytes": total.Load(), "seconds": seconds, "failed": failed.Load()})
}

// take asks for one answer after another until the deadline, which ends it with an error.
func (l *load) take(i int, until time.Time, total *atomic.Int64) error {
	c, err := l.dial(i)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(until)
	r := bufio.NewReaderSize(c, 256*1024)
	buf := make([]byte, 256*1024)
	for {
		if err := ask(c, fmt.Sprintf("/bulk/%d", l.bytes)); err != nil {
			return err
		}
		if err := skipHead(r); err != nil {
			return err
		}
		for left := l.bytes; left > 0; {
			piece := buf
			if left < int64(len(piece)) {
				piece = piece[:left]
			}
			n, err := r.Read(piece)
			total.Add(int64(n))
			left -= int64(n)
			if err != nil {
				return err
			}
		}
	}
}

func (l *load) events() error {
	ages := make([][]int64, l.n)
	var failed, standing atomic.Int64
	var ending sync.Once
	gate := make(chan struct{}, 64)
	stands := func() {
		if standing.Add(1) == int64(l.n) {
			_ = say(map[string]interface{}{"standing": l.n})
		}
	}
	l.each(func(i int) {
		gate <- struct{}{}
		c, err := l.dial(i)
		<-gate
		if err == nil {
			ages[i], err = readEvents(c, l.rate, l.seconds, stands)
			c.Close()
		}
		if err != nil {
			failed.Add(1)
		}
		ending.Do(func() { _ = say(map[string]interface{}{"ending": true}) })
	})
	var all []int64
	for _, a := range ages {
		all = append(all, a...)
	}
	at := quantiles(all)
	return say(map[string]interface{}{"chunks": len(all), "p50_ms": at(0.5), "p99_ms": at(0.99), "failed": failed.Load()})
}

// quantiles gives milliseconds for nanoseconds; of none, nothing.
func quantiles(all []int64) func(q float64) interface{} {
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	return func(q float64) interface{} {
		if len(all) == 0 {
			return nil
		}
		return float64(all[int(q*float64(len(all)-1))]) / 1e6
	}
}

// readEvents gives the ages of the events in nanoseconds, without those of the first second, in which other streams
// are still being opened.
func readEvents(c net.Conn, rate, seconds int, stands func()) ([]int64, error) {
	if err := ask(c, fmt.Sprintf("/sse/%d/%d", rate, seconds)); err != nil {
		return nil, err
	}
	r := bufio.NewReaderSize(c, 512)
	if err := skipHead(r); err != nil {
		return nil, err
	}
	stands()
	expected := rate * seconds
	ages := make([]int64, 0, expected)
	for seen := 0; ; {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return ages, err
		}
		if len(line) == 3 && line[0] == '0' {
			if seen != expected {
				return ages, fmt.Errorf("%d events of %d", seen, expected)
			}
			return ages, nil
		}
		if len(line) < 25 || string(line[:6]) != "data: " {
			continue
		}
		at, err := strconv.ParseInt(string(line[6:25]), 10, 64)
		if err != nil {
			return ages, err
		}
		seen++
		if seen > rate {
			ages = append(ages, time.Now().UnixNano()-at)
		}
	}
}
