package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

// runLink is a line between two network namespaces: IP packets from a TUN device in the one come out of one in the
// other, later, and not all of them. It begins when it says "listening" and ends with its stdin.
func runLink(args []string) error {
	fs := flag.NewFlagSet("link", flag.ExitOnError)
	a := fs.String("a", "", "name of a network namespace, as of `ip netns`")
	b := fs.String("b", "", "name of the other")
	addrA := fs.String("addr-a", "10.77.0.1/30", "address in the one")
	addrB := fs.String("addr-b", "10.77.0.2/30", "address in the other")
	fs.StringVar(&device, "device", device, "name of the devices: of several lines in one namespace each has its own")
	var l line
	fs.DurationVar(&l.delay, "delay", 30*time.Millisecond, "one way")
	fs.DurationVar(&l.jitter, "jitter", 0, "at most so much more delay; the order stays")
	fs.Float64Var(&l.loss, "loss", 0, "of all packets, 0 to 1")
	fs.Int64Var(&l.rate, "rate", 0, "bits a second each way, 0: no limit")
	fs.IntVar(&l.queue, "queue", 1<<20, "bytes that may wait for the rate, more are dropped")
	seed := fs.Int64("seed", 1, "of loss and jitter")
	_ = fs.Parse(args)
	one, err := openTun(*a, *addrA)
	if err != nil {
		return err
	}
	other, err := openTun(*b, *addrB)
	if err != nil {
		return err
	}
	failed := make(chan error, 2)
	go func() { failed <- l.carry(one, other, rand.New(rand.NewSource(*seed))) }()
	go func() { failed <- l.carry(other, one, rand.New(rand.NewSource(*seed+1))) }()
	fmt.Printf("listening %s:0\n", *addrA)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		failed <- nil
	}()
	return <-failed
}

type line struct {
	delay, jitter time.Duration
	loss          float64
	rate          int64
	queue         int
}

type packet struct {
	due   time.Time
	bytes []byte
}

// carry is one direction: the queue before the rate, the rate, the delay and the loss, in this order.
func (l line) carry(from, to *os.File, random *rand.Rand) error {
	// Of a second at a gigabit; what is sent and not yet due.
	under := make(chan packet, 100000)
	failed := make(chan error, 1)
	go func() {
		for p := range under {
			time.Sleep(time.Until(p.due))
			if _, err := to.Write(p.bytes); err != nil {
				failed <- err
				return
			}
		}
	}()
	buf := make([]byte, 65536)
	sent := time.Now()
	var last time.Time
	for {
		n, err := from.Read(buf)
		if err != nil {
			return err
		}
		now := time.Now()
		if sent.Before(now) {
			sent = now
		}
		if l.rate > 0 {
			waiting := int64(sent.Sub(now).Seconds() * float64(l.rate) / 8)
			if waiting+int64(n) > int64(l.queue) {
				continue
			}
			sent = sent.Add(time.Duration(int64(n) * 8 * int64(time.Second) / l.rate))
		}
		if random.Float64() < l.loss {
			continue
		}
		due := sent.Add(l.delay)
		if l.jitter > 0 {
			due = due.Add(time.Duration(random.Int63n(int64(l.jitter))))
		}
		if due.Before(last) {
			due = last
		}
		last = due
		select {
		case under <- packet{due, append([]byte(nil), buf[:n]...)}:
		case err := <-failed:
			return err
		}
	}
}

const (
	cloneNewNet = 0x40000000
	tunSetIff   = 0x400454ca
	iffTun      = 0x0001
	iffNoPi     = 0x1000
)

var device = "line0"

// sysSetns is missing from package syscall on some of them.
var sysSetns = map[string]uintptr{"amd64": 308, "arm64": 268}[runtime.GOARCH]

// openTun makes the device in the namespace, with its address, up. The thread that went there is not used again.
func openTun(namespace, addr string) (*os.File, error) {
	type opened struct {
		file *os.File
		err  error
	}
	result := make(chan opened)
	go func() {
		runtime.LockOSThread()
		file, err := tunIn(namespace)
		result <- opened{file, err}
	}()
	r := <-result
	if r.err != nil {
		return nil, r.err
	}
	for _, words := range [][]string{
		{"addr", "add", addr, "dev", device},
		{"link", "set", device, "mtu", "1500", "up"},
	} {
		if out, err := exec.Command("ip", append([]string{"-n", namespace}, words...)...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("ip -n %s %v: %s", namespace, words, out)
		}
	}
	return r.file, nil
}

func tunIn(namespace string) (*os.File, error) {
	ns, err := os.Open("/var/run/netns/" + namespace)
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	if _, _, errno := syscall.RawSyscall(sysSetns, ns.Fd(), cloneNewNet, 0); errno != 0 {
		return nil, fmt.Errorf("setns %s: %w", namespace, errno)
	}
	fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	var request struct {
		name  [16]byte
		flags uint16
		rest  [22]byte
	}
	copy(request.name[:], device)
	request.flags = iffTun | iffNoPi
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), tunSetIff, uintptr(unsafe.Pointer(&request))); errno != 0 {
		_ = syscall.Close(fd)
		return nil, errors.New("TUNSETIFF: " + errno.Error())
	}
	return os.NewFile(uintptr(fd), "/dev/net/tun"), nil
}
