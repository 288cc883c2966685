// grpc makes one call as an agent in another language would: grpc-go over mutual TLS. What is sent comes on stdin, a
// message a line in hexadecimal, `end` says that there is no more; what comes back is written the same way, and how it ended.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"
)

// bytesAsTheyAre leaves messages to the test: no generated code of another language.
type bytesAsTheyAre struct{}

func (bytesAsTheyAre) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (bytesAsTheyAre) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}
func (bytesAsTheyAre) Name() string { return "proto" }

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "grpc:", err)
		os.Exit(1)
	}
}

func run() error {
	addr := flag.String("addr", "", "host:port")
	name := flag.String("name", "", "the server's, in its certificate")
	method := flag.String("method", "", "/package.Service/Method")
	cert := flag.String("cert", "", "certificate file")
	key := flag.String("key", "", "key file")
	ca := flag.String("ca", "", "file of the server's CA")
	zip := flag.Bool("gzip", false, "compress what is sent")
	flag.Parse()

	pair, err := tls.LoadX509KeyPair(*cert, *key)
	if err != nil {
		return err
	}
	pem, err := os.ReadFile(*ca)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return errors.New("no certificate in " + *ca)
	}
	secure := credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool, ServerName: *name})
	options := []grpc.CallOption{
		grpc.ForceCodec(bytesAsTheyAre{}),
		grpc.MaxCallRecvMsgSize(1 << 20),
		grpc.MaxCallSendMsgSize(1 << 20),
	}
	if *zip {
		options = append(options, grpc.UseCompressor(gzip.Name))
	}
	conn, err := grpc.Dial(*addr, grpc.WithTransportCredentials(secure))
	if err != nil {
		return err
	}
	defer conn.Close()
	both := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
	stream, err := conn.NewStream(context.Background(), both, *method, options...)
	if err != nil {
		return told(err)
	}
	go send(stream)
	for {
		var message []byte
		err := stream.RecvMsg(&message)
		if errors.Is(err, io.EOF) {
			return told(nil)
		}
		if err != nil {
			return told(err)
		}
		fmt.Println("message", hex.EncodeToString(message))
	}
}

// send reads stdin to its end. How a call that refuses what is sent has ended is told by its answers.
func send(stream grpc.ClientStream) {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		if lines.Text() == "end" {
			_ = stream.CloseSend()
			return
		}
		message, err := hex.DecodeString(lines.Text())
		if err != nil {
			fmt.Fprintln(os.Stderr, "grpc:", err)
			os.Exit(1)
		}
		if stream.SendMsg(&message) != nil {
			return
		}
	}
}

func told(err error) error {
	s := status.Convert(err)
	fmt.Printf("status %d %q\n", s.Code(), s.Message())
	return nil
}
