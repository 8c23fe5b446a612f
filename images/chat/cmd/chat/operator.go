package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"chatapp/chat/internal/people"
)

// Only one process can have the embedded store open. So a server that has it
// answers "chat account" on a socket in the data folder, which is for the
// server's own user alone. With Redis there is no such socket: the command
// goes to Redis itself.

const (
	operatorSocket = "operator.sock"
	// maxOperatorCall bounds a call, in bytes.
	maxOperatorCall = 64 << 10
)

// socketPath names the socket so that it fits the 107 bytes that the system
// allows: through the open folder, where the path is longer. close frees that.
func socketPath(folder string) (path string, close func(), err error) {
	const longest = 100
	if path = filepath.Join(folder, operatorSocket); len(path) <= longest {
		return path, func() {}, nil
	}
	f, err := os.Open(folder)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", f.Fd(), operatorSocket), func() { _ = f.Close() }, nil
}

// listenOperator listens in the data folder, which this process has locked.
func listenOperator(folder string) (net.Listener, error) {
	path, done, err := socketPath(folder)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) { // of a server that was killed
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // the next one removes it: the short name is gone by then
	return l, os.Chmod(path, 0o600)
}

// newOperator gives the server of the socket.
func newOperator(s *people.Service) *http.Server {
	return &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var call accountCall
			if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOperatorCall)).Decode(&call); err != nil {
				http.Error(w, "send a call as JSON", http.StatusBadRequest)
				return
			}
			var out bytes.Buffer
			if err := serveAccount(s, call, &out); err != nil {
				http.Error(w, err.Error(), http.StatusConflict)
				return
			}
			_, _ = w.Write(out.Bytes()) // whoever asked is gone
		}),
	}
}

// errNoOperator says that no server has the store open.
var errNoOperator = errors.New("no server listens there")

// askOperator makes a call to the server that has the embedded store open.
func askOperator(folder string, call accountCall, out io.Writer) error {
	path, done, err := socketPath(folder)
	if err != nil {
		return errNoOperator // there is no folder yet
	}
	defer done()
	body, err := json.Marshal(call)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
			if err != nil {
				return nil, errors.Join(errNoOperator, err)
			}
			return conn, nil
		},
	}}
	resp, err := client.Post("http://operator/", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(io.LimitReader(resp.Body, maxOperatorCall)) // what there is of it
		return errors.New(strings.TrimSpace(string(why)))
	}
	_, err = io.Copy(out, resp.Body)
	return err
}
