package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// answered reads one answer to "/".
func answered(c net.Conn, into []byte) error {
	_, err := io.ReadFull(c, into[:len(small)])
	return err
}

func (l *load) asks() error {
	var total, failed atomic.Int64
	until := time.Now().Add(time.Duration(l.seconds) * time.Second)
	l.each(func(i int) {
		c, err := l.dial(i)
		if err != nil {
			failed.Add(1)
			return
		}
		defer c.Close()
		_ = c.SetDeadline(until)
		into := make([]byte, len(small))
		for time.Now().Before(until) {
			err := ask(c, "/")
			if err == nil {
				err = answered(c, into)
			}
			if err != nil {
				if time.Now().Before(until) {
					failed.Add(1)
				}
				return
			}
			total.Add(1)
		}
	})
	return say(map[string]interface{}{"requests": total.Load(), "failed": failed.Load()})
}

func (l *load) shakes() error {
	var total, failed atomic.Int64
	began := time.Now()
	until := began.Add(time.Duration(l.seconds) * time.Second)
	l.each(func(i int) {
		for time.Now().Before(until) {
			if l.shake(i) != nil {
				failed.Add(1)
			} else {
				total.Add(1)
			}
		}
	})
	seconds := time.Since(began).Seconds()
	return say(map[string]interface{}{"connections": total.Load(), "seconds": seconds, "failed": failed.Load()})
}

func (l *load) shake(i int) error {
	c, err := l.dial(i)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(dialTimeout))
	if _, err := fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: origin\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	said, err := io.ReadAll(c)
	if len(said) != len(smallLast) {
		return fmt.Errorf("%d bytes answered: %w", len(said), err)
	}
	return nil
}

func (l *load) firsts() error {
	var took []int64
	failed := 0
	for i := 0; i < l.n; i++ {
		began := time.Now()
		c, err := l.askOnce(i)
		if err != nil {
			failed++
		} else {
			took = append(took, time.Since(began).Nanoseconds())
		}
		if c != nil {
			c.Close()
		}
	}
	at := quantiles(took)
	return say(map[string]interface{}{"p50_ms": at(0.5), "p99_ms": at(0.99), "failed": failed})
}

func (l *load) hold() error {
	conns := make([]net.Conn, l.n)
	var standing atomic.Int64
	var first atomic.Value
	gate := make(chan struct{}, 32)
	until := time.Now().Add(openingTime)
	l.each(func(i int) {
		gate <- struct{}{}
		defer func() { <-gate }()
		if time.Now().After(until) {
			first.CompareAndSwap(nil, fmt.Sprintf("not all of them were open after %v", openingTime))
			return
		}
		c, err := l.askOnce(i)
		conns[i] = c
		if err != nil {
			first.CompareAndSwap(nil, err.Error())
			if c != nil {
				c.Close()
				conns[i] = nil
			}
		} else {
			standing.Add(1)
		}
	})
	why, _ := first.Load().(string)
	if err := say(map[string]interface{}{"standing": standing.Load(), "error": why}); err != nil {
		return err
	}
	for stdin := bufio.NewScanner(os.Stdin); stdin.Scan(); {
		var alive atomic.Int64
		l.each(func(i int) {
			if conns[i] == nil {
				return
			}
			gate <- struct{}{}
			defer func() { <-gate }()
			if askAgain(conns[i]) == nil {
				alive.Add(1)
			}
		})
		if err := say(map[string]interface{}{"answered": alive.Load()}); err != nil {
			return err
		}
	}
	return nil
}

const (
	answerTime  = 20 * time.Second
	openingTime = 100 * time.Second
)

func (l *load) askOnce(i int) (net.Conn, error) {
	c, err := l.dial(i)
	if err != nil {
		return nil, err
	}
	return c, askAgain(c)
}

func askAgain(c net.Conn) error {
	_ = c.SetDeadline(time.Now().Add(answerTime))
	if err := ask(c, "/"); err != nil {
		return err
	}
	if err := answered(c, make([]byte, len(small))); err != nil {
		return err
	}
	return c.SetDeadline(time.Time{})
}
