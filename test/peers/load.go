package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
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
//	load bulk  N connections take answers of -bytes one after another for -seconds
//	load sse   N streams of -rate events a second: how old is an event when it arrives
//	load hold  N connections with one request each, held until stdin ends; prints how many stand
func runLoad(args []string) error {
	if len(args) == 0 {
		return errors.New("load bulk|sse|hold")
	}
	var l load
	fs := flag.NewFlagSet("load", flag.ExitOnError)
	fs.StringVar(&l.target, "target", "", "host:port")
	fs.IntVar(&l.n, "n", 1, "connections")
	fs.IntVar(&l.seconds, "seconds", 5, "for how long")
	fs.IntVar(&l.rate, "rate", 20, "events a second and stream")
	fs.Int64Var(&l.bytes, "bytes", 64<<20, "of an answer")
	_ = fs.Parse(args[1:])
	kinds := map[string]func() error{"bulk": l.bulk, "sse": l.events, "hold": l.hold}
	kind := kinds[args[0]]
	if kind == nil {
		return fmt.Errorf("no load %q", args[0])
	}
	return kind()
}

type load struct {
	target           string
	n, seconds, rate int
	bytes            int64
}

func say(result map[string]interface{}) error { return json.NewEncoder(os.Stdout).Encode(result) }

// dial comes from other loopback addresses where one has not enough ports. Only then: a port that is bound before it
// connects is not shared with connections to elsewhere, nor with those that have just ended.
func (l *load) dial(i int) (net.Conn, error) {
	const portsOfOne = 20000
	d := net.Dialer{Timeout: dialTimeout}
	if i >= portsOfOne {
		d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+i/portsOfOne))}
	}
	return d.Dial("tcp", l.target)
}

func ask(c net.Conn, path string) error {
	_, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: origin\r\n\r\n", path)
	return err
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
	var wg sync.WaitGroup
	for i := 0; i < l.n; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			if l.take(i, until, &total) != nil && time.Now().Before(until) {
				failed.Add(1)
			}
		}(i)
	}
	wg.Wait()
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
	var failed atomic.Int64
	var wg sync.WaitGroup
	gate := make(chan struct{}, 64)
	for i := 0; i < l.n; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			gate <- struct{}{}
			c, err := l.dial(i)
			<-gate
			if err == nil {
				ages[i], err = readEvents(c, l.rate, l.seconds)
				c.Close()
			}
			if err != nil {
				failed.Add(1)
			}
		}(i)
	}
	wg.Wait()
	var all []int64
	for _, a := range ages {
		all = append(all, a...)
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	at := func(q float64) float64 {
		if len(all) == 0 {
			return 0
		}
		return float64(all[int(q*float64(len(all)-1))]) / 1e6
	}
	return say(map[string]interface{}{"chunks": len(all), "p50_ms": at(0.5), "p99_ms": at(0.99), "failed": failed.Load()})
}

// readEvents gives the ages of the events in nanoseconds, without those of the first second, in which other streams
// are still being opened.
func readEvents(c net.Conn, rate, seconds int) ([]int64, error) {
	if err := ask(c, fmt.Sprintf("/sse/%d/%d", rate, seconds)); err != nil {
		return nil, err
	}
	r := bufio.NewReaderSize(c, 512)
	if err := skipHead(r); err != nil {
		return nil, err
	}
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

func (l *load) hold() error {
	conns := make([]net.Conn, l.n)
	var standing atomic.Int64
	var first atomic.Value
	var wg sync.WaitGroup
	gate := make(chan struct{}, 32)
	for i := 0; i < l.n; i++ {
		wg.Add(1)
		gate <- struct{}{}
		go func(i int) {
			defer wg.Done()
			defer func() { <-gate }()
			c, err := l.askOnce(i)
			conns[i] = c
			if err != nil {
				first.CompareAndSwap(nil, err.Error())
			} else {
				standing.Add(1)
			}
		}(i)
	}
	wg.Wait()
	why, _ := first.Load().(string)
	if err := say(map[string]interface{}{"standing": standing.Load(), "error": why}); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	for _, c := range conns {
		if c != nil {
			c.Close()
		}
	}
	return nil
}

func (l *load) askOnce(i int) (net.Conn, error) {
	c, err := l.dial(i)
	if err != nil {
		return nil, err
	}
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if err := ask(c, "/"); err != nil {
		return c, err
	}
	if _, err := io.ReadFull(c, make([]byte, len(small))); err != nil {
		return c, err
	}
	return c, c.SetDeadline(time.Time{})
}
