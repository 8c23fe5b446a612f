package wire

// Frame is the text of one frame for clients. It is made once, never changed,
// and shared by all who get it.
type Frame struct {
	Text []byte

	from, to int // of a messages frame: Text[from:to] is the inside of its list
	cursor   string
}

// NewMessages makes a messages frame of encoded messages. Such frames can be
// joined while they wait.
func NewMessages(messages [][]byte, cursor string) *Frame {
	size := joinedSize(messages)
	text := AppendMessages(make([]byte, 0, len(messagesHead)+size+len(cursor)+messagesEnd), messages, cursor)
	return &Frame{Text: text, from: len(messagesHead), to: len(messagesHead) + size - 1, cursor: cursor}
}

// Joinable reports whether f is a messages frame.
func (f *Frame) Joinable() bool { return f.to > 0 }

// Messages is the inside of a messages frame's list: a part for AppendMessages.
func (f *Frame) Messages() []byte { return f.Text[f.from:f.to] }

// Cursor is that of a messages frame.
func (f *Frame) Cursor() string { return f.cursor }
