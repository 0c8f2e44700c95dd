// What a Go program does with its network, for the benchmark: server and clients in one process, on
// the loopback. The same source is built for Windows and for Linux.
//
//	network [-samples N] [-sample-ms N] WORKLOAD
//
// prints, as bench.exe does,
//
//	sample workload=NAME unit=1/s iterations=N values=V,V,...
//
// where a value is the number of operations in a second, all of them checked. A wrong result ends the
// program with exit code 1 and no figure.
package main

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// Operations that have been done and checked, by all clients.
var done int64

func check(err error, what string) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "network: %s: %v\n", what, err)
		os.Exit(1)
	}
}

func listen() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err, "listen")
	return listener
}

// fill gives each word of a message its number.
func fill(message []byte, number uint64) {
	for i := 0; i+8 <= len(message); i += 8 {
		binary.LittleEndian.PutUint64(message[i:], number+uint64(i))
	}
}

// Each function starts the server and the clients, which go on until the program ends.

func echo(connections int) {
	listener := listen()
	go func() {
		for {
			connection, err := listener.Accept()
			check(err, "accept")
			go answer(connection)
		}
	}()
	for i := 0; i < connections; i++ {
		connection, err := net.Dial("tcp", listener.Addr().String())
		check(err, "dial")
		go talk(connection, 64, uint64(i)<<32, io.ReadFull)
	}
}

// answer sends back what comes.
func answer(connection net.Conn) {
	buffer := make([]byte, 4096)
	for {
		length, err := connection.Read(buffer)
		check(err, "the server's read")
		_, err = connection.Write(buffer[:length])
		check(err, "the server's write")
	}
}

// talk sends messages and waits for each to come back.
func talk(connection net.Conn, length int, number uint64,
	receive func(io.Reader, []byte) (int, error)) {
	sent, received := make([]byte, length), make([]byte, length)
	for ; ; number++ {
		fill(sent, number)
		_, err := connection.Write(sent)
		check(err, "the client's write")
		_, err = receive(connection, received)
		check(err, "the client's read")
		if !bytes.Equal(sent, received) {
			check(fmt.Errorf("message %d differs", number), "the client's read")
		}
		atomic.AddInt64(&done, 1)
	}
}

func udp() {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(err, "listen")
	go func() {
		buffer := make([]byte, 4096)
		for {
			length, from, err := server.ReadFrom(buffer)
			check(err, "the server's read")
			_, err = server.WriteTo(buffer[:length], from)
			check(err, "the server's write")
		}
	}()
	client, err := net.Dial("udp", server.LocalAddr().String())
	check(err, "dial")
	go talk(client, 32, 0, func(reader io.Reader, buffer []byte) (int, error) {
		length, err := reader.Read(buffer)
		if err == nil && length != len(buffer) {
			err = io.ErrUnexpectedEOF
		}
		return length, err
	})
}

// web answers each request with its path, over connections that stay.
func web(connections int) {
	listener := listen()
	go func() {
		handler := func(answer http.ResponseWriter, request *http.Request) {
			io.WriteString(answer, request.URL.Path)
		}
		check(http.Serve(listener, http.HandlerFunc(handler)), "serve")
	}()
	client := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
	for i := 0; i < connections; i++ {
		go func(number uint64) {
			for ; ; number++ {
				path := fmt.Sprintf("/number/%d", number)
				answer, err := client.Get("http://" + listener.Addr().String() + path)
				check(err, "get")
				body, err := io.ReadAll(answer.Body)
				check(err, "the body")
				answer.Body.Close()
				if answer.StatusCode != http.StatusOK || string(body) != path {
					check(fmt.Errorf("%s brought %q", path, body), "get")
				}
				atomic.AddInt64(&done, 1)
			}
		}(uint64(i) << 32)
	}
}

var workloads = map[string]func(){
	"go_http_32": func() { web(32) },
	"go_echo_1":  func() { echo(1) },
	"go_echo_64": func() { echo(64) },
	"go_udp":     udp,
}

func main() {
	samples := flag.Int("samples", 3, "number of values")
	milliseconds := flag.Int("sample-ms", 300, "time for each")
	flag.Parse()
	start, known := workloads[flag.Arg(0)]
	if !known {
		fmt.Fprintf(os.Stderr, "network: no workload %q\n", flag.Arg(0))
		os.Exit(2)
	}
	start()
	window := time.Duration(*milliseconds) * time.Millisecond
	time.Sleep(window) // What is made on first use does not count.
	var values []string
	first := atomic.LoadInt64(&done)
	for i := 0; i < *samples; i++ {
		before, begun := atomic.LoadInt64(&done), time.Now()
		time.Sleep(window)
		count, elapsed := atomic.LoadInt64(&done)-before, time.Since(begun)
		values = append(values, fmt.Sprintf("%.6g", float64(count)/elapsed.Seconds()))
	}
	fmt.Printf("sample workload=%s unit=1/s iterations=%d values=%s\n", flag.Arg(0),
		atomic.LoadInt64(&done)-first, strings.Join(values, ","))
}
