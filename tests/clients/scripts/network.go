// Go's net and net/http: an echo, HTTP and datagrams, as server and as client. NETWORK is one of Go's
// (tcp, tcp6, unix; udp for datagrams), and a server writes the address it has got.
//
//	network probe NETWORK ADDRESS               can the family be used?
//	network echo NETWORK ADDRESS                echoes on every connection until standard input ends
//	network dial NETWORK ADDRESS COUNT BYTES    COUNT connections at a time send BYTES each, compare the echo
//	network hurry NETWORK ADDRESS COUNT BYTES   the same in pieces, with a deadline that often ends a read
//	network serve NETWORK ADDRESS               HTTP: /N is N bytes; until standard input ends
//	network get NETWORK ADDRESS COUNT BYTES     COUNT clients each get /BYTES ten times, over one connection
//	network answer NETWORK ADDRESS              sends every datagram back, until standard input ends
//	network ask NETWORK ADDRESS COUNT BYTES     COUNT clients send datagrams of 1 to BYTES, compare the answers
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
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

func untilInputEnds(address net.Addr, server io.Closer) {
	fmt.Println("listening", address)
	io.Copy(io.Discard, os.Stdin)
	check(server.Close())
	_, err := os.Lstat(os.Args[3])
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

func connect(network, address string) net.Conn {
	connection, err := net.Dial(network, address)
	check(err)
	if peer := connection.RemoteAddr().String(); peer != address {
		check(fmt.Errorf("the peer is %q", peer))
	}
	return connection
}

func endWriting(connection net.Conn) {
	check(connection.(interface{ CloseWrite() error }).CloseWrite())
}

func compare(answer, data []byte) {
	if !bytes.Equal(answer, data) {
		check(fmt.Errorf("%d bytes of %d came back, or others", len(answer), len(data)))
	}
}

func dial(network, address string, count, size int) {
	inParallel(count, func(seed int) {
		connection := connect(network, address)
		defer connection.Close()
		data := pattern(seed, size)
		go func() {
			_, err := connection.Write(data)
			check(err)
			endWriting(connection)
		}()
		answer, err := io.ReadAll(connection)
		check(err)
		compare(answer, data)
	})
	fmt.Println("verified", count*size)
}

// A read that its deadline ends is cancelled, while its data may be coming: no byte may be lost.
func hurry(network, address string, count, size int) {
	var lock sync.Mutex
	late := 0
	inParallel(count, func(seed int) {
		connection := connect(network, address)
		defer connection.Close()
		data := pattern(seed, size)
		go func() {
			for at := 0; at < size; at += 1000 {
				end := at + 1000
				if end > size {
					end = size
				}
				_, err := connection.Write(data[at:end])
				check(err)
				time.Sleep(time.Duration(seed%3) * time.Millisecond)
			}
			endWriting(connection)
		}()
		answer, part := []byte{}, make([]byte, 700)
		for wait := 0; ; wait++ {
			check(connection.SetReadDeadline(time.Now().Add(time.Duration(wait%5) * 300 * time.Microsecond)))
			length, err := connection.Read(part)
			answer = append(answer, part[:length]...)
			if err == io.EOF {
				break
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				lock.Lock()
				late++
				lock.Unlock()
				continue
			}
			check(err)
		}
		compare(answer, data)
	})
	if late == 0 {
		check(fmt.Errorf("no deadline has ended a read"))
	}
	fmt.Println("verified", count*size)
}

func get(network, address string, count, size int) {
	inParallel(count, func(int) {
		client := http.Client{Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, address)
			},
		}}
		for i := 0; i < 10; i++ {
			response, err := client.Get(fmt.Sprintf("http://server/%d", size))
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

func answer(server net.PacketConn) {
	buffer := make([]byte, 65536)
	for {
		length, from, err := server.ReadFrom(buffer)
		if err != nil {
			return
		}
		_, err = server.WriteTo(buffer[:length], from)
		check(err)
	}
}

// Each client has one datagram under way, so the loopback loses none.
func ask(network, address string, count, size int) {
	const rounds = 200
	inParallel(count, func(seed int) {
		connection := connect(network, address)
		defer connection.Close()
		buffer := make([]byte, 65536)
		for round := 0; round < rounds; round++ {
			data := pattern(seed+round, 1+(round*37+seed)%size)
			_, err := connection.Write(data)
			check(err)
			length, err := connection.Read(buffer)
			check(err)
			compare(buffer[:length], data)
		}
	})
	fmt.Println("verified", count*rounds)
}

func main() {
	role, network, address := os.Args[1], os.Args[2], os.Args[3]
	clients := map[string]func(network, address string, count, size int){
		"dial": dial, "hurry": hurry, "get": get, "ask": ask,
	}
	if client, is := clients[role]; is {
		client(network, address, number(4), number(5))
		return
	}
	if role == "answer" {
		server, err := net.ListenPacket(network, address)
		check(err)
		go answer(server)
		untilInputEnds(server.LocalAddr(), server)
		return
	}
	listener, err := net.Listen(network, address)
	check(err)
	switch role {
	case "probe":
		check(listener.Close())
		fmt.Println("there")
	case "echo":
		go echo(listener)
		untilInputEnds(listener.Addr(), listener)
	case "serve":
		go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			size, _ := strconv.Atoi(r.URL.Path[1:])
			w.Write(pattern(size, size))
		}))
		untilInputEnds(listener.Addr(), listener)
	}
}
