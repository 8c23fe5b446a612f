// Package locust speaks Locust's own protocol between master and worker, as of
// 2.47: messages in MessagePack over ZeroMQ. Runner is what WorkerRunner is in
// Python; whose users they are, Load says.
package locust

import (
	"fmt"

	"github.com/vmihailenco/msgpack/v5"
)

// Version is that of the Locust whose protocol this is; the master compares it
// with its own.
const Version = "2.47.0"

// message is what travels, either way: an array of type, data and node.
type message struct {
	//lint:ignore U1000 msgpack reads it
	_msgpack struct{} `msgpack:",as_array"`
	Type     string
	Data     msgpack.RawMessage
	Node     string
}

// encode makes a message's bytes; data is anything MessagePack can hold.
func encode(kind string, data any, node string) ([]byte, error) {
	raw, err := msgpack.Marshal([]any{kind, data, node})
	if err != nil {
		return nil, fmt.Errorf("encode a %s message: %w", kind, err)
	}
	return raw, nil
}

// decode reads a message.
func decode(raw []byte) (message, error) {
	var m message
	if err := msgpack.Unmarshal(raw, &m); err != nil {
		return message{}, fmt.Errorf("decode a message of the master: %w", err)
	}
	return m, nil
}
