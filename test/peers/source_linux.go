package main

import "syscall"

const ipBindAddressNoPort = 24

// portAtConnect lets the system choose the port when it connects: chosen when it binds, a port would not be shared
// with connections to elsewhere.
func portAtConnect(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, ipBindAddressNoPort, 1)
	})
}
