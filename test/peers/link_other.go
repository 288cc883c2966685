//go:build !linux

package main

import "errors"

func runLink([]string) error { return errors.New("link: only on Linux") }
