// Go's net and net/http over AF_UNIX: an echo and HTTP, as server and as client.
//
//	unix probe PATH             can the family be used?
//	unix echo PATH              echoes on every connection until standard input ends
//	unix dial PATH COUNT BYTES  COUNT connections at a time send BYTES each and compare the echo
//	unix serve PATH             HTTP: /N is N bytes; until standard input ends
//	unix get PATH COUNT BYTES   COUNT clients at a time each get /BYTES ten times, over one connection
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
)

func check(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

func pattern(seed, size int) []byte {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte((i*7 + i/251 + seed) % 253)
	}
	return data
}

// Runs `work` in `count` goroutines and waits for all.
func inParallel(count int, work func(number int)) {
	var all sync.WaitGroup
	for i := 0; i < count; i++ {
		all.Add(1)
		go func(number int) {
			defer all.Done()
			work(number)
		}(i)
	}
	all.Wait()
}

func number(index int) int {
	value, err := strconv.Atoi(os.Args[index])
	check(err)
	return value
}

func untilInputEnds(listener net.Listener) {
	fmt.Println("listening", listener.Addr())
	io.Copy(io.Discard, os.Stdin)
	check(listener.Close())
	_, err := os.Lstat(os.Args[2])
	fmt.Println("gone", err != nil)
}

func echo(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer connection.Close()
			if _, err := io.Copy(connection, connection); err != nil {
				fmt.Println("failed:", err)
			}
		}()
	}
}

func dial(path string, count, size int) {
	inParallel(count, func(seed int) {
		connection, err := net.Dial("unix", path)
		check(err)
		defer connection.Close()
		if peer := connection.RemoteAddr().String(); peer != path {
			check(fmt.Errorf("the peer is %q", peer))
		}
		data := pattern(seed, size)
		go func() {
			_, err := connection.Write(data)
			check(err)
			check(connection.(*net.UnixConn).CloseWrite())
		}()
		answer, err := io.ReadAll(connection)
		check(err)
		if !bytes.Equal(answer, data) {
			check(fmt.Errorf("%d bytes of %d came back, or others", len(answer), len(data)))
		}
	})
	fmt.Println("verified", count*size)
}

func get(path string, count, size int) {
	inParallel(count, func(int) {
		client := http.Client{Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "unix", path)
			},
		}}
		for i := 0; i < 10; i++ {
			response, err := client.Get(fmt.Sprintf("http://unix/%d", size))
			check(err)
			body, err := io.ReadAll(response.Body)
			check(err)
			response.Body.Close()
			if !bytes.Equal(body, pattern(size, size)) {
				check(fmt.Errorf("another body"))
			}
		}
	})
	fmt.Println("verified", count*size*10)
}

func main() {
	path := os.Args[2]
	switch os.Args[1] {
	case "dial":
		dial(path, number(3), number(4))
		return
	case "get":
		get(path, number(3), number(4))
		return
	}
	listener, err := net.Listen("unix", path)
	check(err)
	switch os.Args[1] {
	case "probe":
		check(listener.Close())
		fmt.Println("there")
	case "echo":
		go echo(listener)
		untilInputEnds(listener)
	case "serve":
		go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			size, _ := strconv.Atoi(r.URL.Path[1:])
			w.Write(pattern(size, size))
		}))
		untilInputEnds(listener)
	}
}
