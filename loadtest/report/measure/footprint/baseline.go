package main

import (
	"bytes"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

// The comparison: a server in the form of gorilla/websocket's own chat example,
// which is where most Go chats begin. A goroutine reads and a goroutine writes
// for each connection, the reader inside the HTTP handler; a hub goroutine
// hands each message to a channel of 256 of each client; the writer puts what
// has queued meanwhile into the same frame. It keeps nothing and promises nothing.

type hub struct {
	clients              map[*client]bool
	broadcast            chan []byte
	register, unregister chan *client
}

type client struct {
	conn *websocket.Conn
	send chan []byte
}

func serve() {
	h := &hub{map[*client]bool{}, make(chan []byte), make(chan *client), make(chan *client)}
	go h.run()
	upgrader := websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024}
	http.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		c := &client{conn, make(chan []byte, 256)}
		h.register <- c
		go c.write()
		c.read(h)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}

func (h *hub) run() {
	for {
		select {
		case c := <-h.register:
			h.clients[c] = true
		case c := <-h.unregister:
			if h.clients[c] {
				delete(h.clients, c)
				close(c.send)
			}
		case message := <-h.broadcast:
			for c := range h.clients {
				select {
				case c.send <- message:
				default:
					close(c.send)
					delete(h.clients, c)
				}
			}
		}
	}
}

// read hands posts to the hub; the hello that our client begins with is dropped.
func (c *client) read(h *hub) {
	defer func() { h.unregister <- c; c.conn.Close() }()
	c.conn.SetReadDeadline(time.Now().Add(time.Hour))
	for {
		_, message, err := c.conn.ReadMessage()
		if err != nil {
			return
		}
		if bytes.HasPrefix(message, []byte(`{"type":"post"`)) {
			h.broadcast <- message
		}
	}
}

func (c *client) write() {
	ticker := time.NewTicker(54 * time.Second)
	defer func() { ticker.Stop(); c.conn.Close() }()
	for {
		select {
		case message, ok := <-c.send:
			c.conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
			if !ok {
				return
			}
			w, err := c.conn.NextWriter(websocket.TextMessage)
			if err != nil {
				return
			}
			w.Write(message)
			for range len(c.send) {
				w.Write([]byte{'\n'})
				w.Write(<-c.send)
			}
			if w.Close() != nil {
				return
			}
		case <-ticker.C:
			c.conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
			if c.conn.WriteMessage(websocket.PingMessage, nil) != nil {
				return
			}
		}
	}
}
