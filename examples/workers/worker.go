// A worker in Go that crank can replace: it serves on the inherited socket, reports when it is ready, and on a stop signal
// finishes its requests. It needs no packages; `go build -o worker examples/workers/worker.go`.
//
//	crank -bind :8080 -name web &
//	crankctl -name web run -wait -- ./worker hello
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

// listener is the first socket that crank passed on, meant for this process and no other (sd_listen_fds(3)).
func listener() (net.Listener, error) {
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil, fmt.Errorf("no socket was passed on: run this under crank")
	}
	file := os.NewFile(3, "socket")
	defer file.Close() // FileListener has a copy of its own
	return net.FileListener(file)
}

// notify writes to one end of a datagram pair: each write is one message.
func notify(text string) {
	if fd, err := strconv.Atoi(os.Getenv("NOTIFY_FD")); err == nil {
		syscall.Write(fd, []byte(text))
	}
}

func main() {
	socket, err := listener()
	if err != nil {
		log.Fatal(err)
	}
	body := fmt.Sprintf("%s from %d\n", strings.Join(os.Args[1:], " "), os.Getpid())
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, body)
	})}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	go server.Serve(socket)
	notify("READY=1")
	<-stop.Done()
	notify("STOPPING=1")
	// Closes the listener and what rests, and waits for the answers that are under way; crank's stop timeout bounds it.
	if err := server.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
}
