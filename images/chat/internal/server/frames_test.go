package server_test

import (
	"bytes"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"chatapp/chat/internal/server"
)

// rawCase is what a client sends, byte by byte, and what it must get.
type rawCase struct {
	name    string
	fresh   bool   // before hello; else after a hello that subscribes to nothing
	send    []byte // in one write
	perhaps string // may come first: a protocol error overtakes answers
	want    []string
	either  bool // the two in want may come in either order
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// badFrame is how a frame that cannot be read is answered.
const badFrame = `{"type":"error","code":"bad_frame"}`

// badPost is how a post is answered of which no more than the key can be read.
const badPost = `{"type":"error","code":"bad_frame","key":"k-1"}`

// draftWith is a post frame with one field changed; value is JSON.
func draftWith(field, value string) []byte {
	fields := map[string]string{"key": `"k-1"`, "topic": `"tea"`, "name": `"Ann"`, "email": `"ann@example.org"`, "content": `"hello"`}
	if field != "" {
		fields[field] = value
	}
	var b strings.Builder
	b.WriteString(`{"type":"post"`)
	for _, name := range []string{"key", "topic", "name", "email", "content"} {
		if fields[name] != "" {
			fmt.Fprintf(&b, `,%q:%s`, name, fields[name])
		}
	}
	for name, value := range fields {
		if !strings.Contains("key topic name email content", name) {
			fmt.Fprintf(&b, `,%q:%s`, name, value)
		}
	}
	b.WriteString("}")
	return text(b.String())
}

func quoted(s string) string { return `"` + s + `"` }

func topicList(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%q", fmt.Sprint("topic-", i))
	}
	return "[" + strings.Join(names, ",") + "]"
}

// framing is how frames are cut, masked and measured (RFC 6455, 5).
func framing() []rawCase {
	hello := `{"type":"history","ref":"r1","limit":1}`
	answered := []string{`{"type":"history","ref":"r1"}`}
	post := `{"type":"post","key":"pad-1","topic":"tea","name":"Ann","email":"ann@example.org","content":"x"}`
	padded := func(size int) string { return post + strings.Repeat(" ", size-len(post)) }
	cases := []rawCase{
		{name: "whole", send: text(hello), want: answered},
		{name: "two fragments", send: join(frame(opText, hello[:9]), frame(fin|opContinue, hello[9:])), want: answered},
		{name: "empty fragments around", send: join(frame(opText, ""), frame(opContinue, hello), frame(fin|opContinue, "")), want: answered},
		{name: "ping between fragments", send: join(frame(opText, hello[:9]), frame(fin|opPing, "mid"), frame(fin|opContinue, hello[9:])), want: []string{"pong mid", answered[0]}, either: true},
		{name: "pong between fragments", send: join(frame(opText, hello[:9]), frame(fin|opPong, "mid"), frame(fin|opContinue, hello[9:])), want: answered},
		{name: "close between fragments", send: join(frame(opText, hello[:9]), frame(fin|opClose, closing(1000, ""))), want: []string{"close 1000", "eof"}},
		{name: "continuation without a start", send: frame(fin|opContinue, hello), want: []string{"close 1002", "eof"}},
		{name: "unfinished continuation without a start", send: frame(opContinue, hello), want: []string{"close 1002", "eof"}},
		{name: "continuation after the end", send: join(text(hello), frame(fin|opContinue, "x")), perhaps: answered[0], want: []string{"close 1002", "eof"}},
		{name: "text amid a fragment", send: join(frame(opText, hello[:9]), text(hello)), want: []string{"close 1002", "eof"}},
		{name: "binary amid a fragment", send: join(frame(opText, hello[:9]), frame(fin|opBinary, "x")), want: []string{"close 1002", "eof"}},
		{name: "binary", send: frame(fin|opBinary, hello), want: []string{"close 1003 send text frames", "eof"}},
		{name: "binary, empty", send: frame(fin|opBinary, ""), want: []string{"close 1003", "eof"}},
		{name: "binary in fragments", send: join(frame(opBinary, "a"), frame(fin|opContinue, "b")), want: []string{"close 1003", "eof"}},
		{name: "text, empty", send: text(""), want: []string{badFrame}},

		{name: "ping without payload", send: frame(fin|opPing, ""), want: []string{"pong "}},
		{name: "ping of 125 bytes", send: frame(fin|opPing, strings.Repeat("p", maxControl)), want: []string{"pong " + strings.Repeat("p", maxControl)}},
		{name: "ping of 125 bytes that are no text", send: frame(fin|opPing, strings.Repeat("\xff", maxControl)), want: []string{"pong " + strings.Repeat("\xff", maxControl)}},
		{name: "ping of 126 bytes", send: frame(fin|opPing, strings.Repeat("p", maxControl+1)), want: []string{"close 1002", "eof"}},
		{name: "ping with a 64-bit length", send: frameWith(fin|opPing, "p", mask, length64(1)), want: []string{"close 1002", "eof"}},
		{name: "ping in fragments", send: join(frame(opPing, "a"), frame(fin|opContinue, "b")), want: []string{"close 1002", "eof"}},
		{name: "pong nobody asked for", send: join(frame(fin|opPong, "x"), text(hello)), want: answered},
		{name: "pong of 126 bytes", send: frame(fin|opPong, strings.Repeat("p", maxControl+1)), want: []string{"close 1002", "eof"}},
		{name: "pong in fragments", send: frame(opPong, "a"), want: []string{"close 1002", "eof"}},

		{name: "length in 16 bits, not minimal: tolerated", send: frameWith(fin|opText, hello, mask, length16(len(hello))), want: answered},
		{name: "length in 64 bits, not minimal: tolerated", send: frameWith(fin|opText, hello, mask, length64(uint64(len(hello)))), want: answered},
		{name: "length with the high bit", send: frameWith(fin|opText, "x", mask, length64(1<<63|1)), want: []string{"close 1009", "eof"}},
		{name: "all bits of the length", send: frameWith(fin|opText, "x", mask, length64(1<<64-1)), want: []string{"close 1009", "eof"}},
		{name: "largest legal length", send: frameWith(fin|opText, "x", mask, length64(1<<63-1)), want: []string{"close 1009", "eof"}},
		{name: "length over the limit, in a fragment", send: join(frame(opText, "x"), frameWith(fin|opContinue, "x", mask, length64(1<<63-1))), want: []string{"close 1009", "eof"}},
		{name: "frame at the limit", send: text(padded(maxClientMsg)), want: []string{`{"type":"ack","key":"pad-1"}`}},
		{name: "frame over the limit by one", send: text(padded(maxClientMsg + 1)), want: []string{"close 1009", "eof"}},
		{name: "frame of 1 MiB", send: text(strings.Repeat(" ", 1<<20)), want: []string{"close 1009", "eof"}},
		{name: "fragments at the limit", send: join(frame(opText, padded(maxClientMsg)[:20_000]), frame(fin|opContinue, padded(maxClientMsg)[20_000:])), want: []string{`{"type":"ack","key":"pad-1"}`}},
		{name: "fragments over the limit", send: join(frame(opText, padded(maxClientMsg)), frame(fin|opContinue, " ")), want: []string{"close 1009", "eof"}},

		{name: "no mask", send: unmasked(fin|opText, hello), want: []string{"close 1002", "eof"}},
		{name: "ping without mask", send: unmasked(fin|opPing, "p"), want: []string{"close 1002", "eof"}},
		{name: "close without mask", send: unmasked(fin|opClose, closing(1000, "")), want: []string{"close 1002", "eof"}},
		{name: "mask of zeros", send: frameWith(fin|opText, hello, [4]byte{}, lengthFor(len(hello))), want: answered},
		{name: "mask of ones", send: frameWith(fin|opText, hello, [4]byte{255, 255, 255, 255}, lengthFor(len(hello))), want: answered},

		{name: "close without payload", send: frame(fin|opClose, ""), want: []string{"close 1005", "eof"}},
		{name: "close with half a code: as without", send: frame(fin|opClose, "\x03"), want: []string{"close 1005", "eof"}},
		{name: "close with a reason", send: frame(fin|opClose, closing(1000, "good night")), want: []string{"close 1000", "eof"}},
		{name: "close with the longest reason", send: frame(fin|opClose, closing(1000, strings.Repeat("r", 123))), want: []string{"close 1000", "eof"}},
		{name: "close with a reason too long", send: frame(fin|opClose, closing(1000, strings.Repeat("r", 124))), want: []string{"close 1002", "eof"}},
		{name: "close with a reason that is not UTF-8", send: frame(fin|opClose, closing(1000, "\xff")), want: []string{"close 1002", "eof"}},
		{name: "close in fragments", send: frame(opClose, closing(1000, "")), want: []string{"close 1002", "eof"}},
		{name: "frames after a close are not read", send: join(frame(fin|opClose, closing(1000, "")), text(hello)), want: []string{"close 1000", "eof"}},
	}
	for _, code := range []uint16{1001, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		cases = append(cases, rawCase{name: fmt.Sprint("close ", code), send: frame(fin|opClose, closing(code, "")), want: []string{fmt.Sprint("close ", code), "eof"}})
	}
	for _, code := range []uint16{0, 999, 1004, 1005, 1006, 1014, 1015, 1016, 2999, 5000, 65535} {
		cases = append(cases, rawCase{name: fmt.Sprint("close ", code, ", no such code"), send: frame(fin|opClose, closing(code, "")), want: []string{"close 1002", "eof"}})
	}
	for _, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		cases = append(cases, rawCase{name: fmt.Sprint("opcode ", op), send: frame(fin|op, "x"), want: []string{"close 1002", "eof"}})
	}
	for bit, name := range map[byte]string{0x40: "first", 0x20: "second", 0x10: "third", 0x70: "every"} {
		cases = append(cases,
			rawCase{name: name + " reserved bit of a text", send: frame(fin|bit|opText, hello), want: []string{"close 1002", "eof"}},
			rawCase{name: name + " reserved bit of a ping", send: frame(fin|bit|opPing, ""), want: []string{"close 1002", "eof"}})
	}
	return cases
}

// encoding is what the text of a frame may be made of.
func encoding() []rawCase {
	invalid := func(content string) []byte { return draftWith("content", quoted(content)) }
	notUTF8 := []string{"close 1007 send valid UTF-8", "eof"}
	split := `{"type":"post","key":"k-1","topic":"tea","name":"Ann","email":"ann@example.org","content":"é"}`
	at := strings.Index(split, "é") + 1
	return []rawCase{
		{name: "bad UTF-8", send: invalid("a\xffb"), want: notUTF8},
		{name: "lone continuation byte", send: invalid("\x80"), want: notUTF8},
		{name: "cut short character", send: invalid("\xc3"), want: notUTF8},
		{name: "overlong slash", send: invalid("\xc0\xaf"), want: notUTF8},
		{name: "overlong NUL", send: invalid("\xe0\x80\x80"), want: notUTF8},
		{name: "surrogate in UTF-8", send: invalid("\xed\xa0\x80"), want: notUTF8},
		{name: "surrogate pair in UTF-8", send: invalid("\xed\xa0\xbd\xed\xb8\x80"), want: notUTF8},
		{name: "past U+10FFFF", send: invalid("\xf4\x90\x80\x80"), want: notUTF8},
		{name: "UTF-16", send: text("\xff\xfe{\x00}\x00"), want: notUTF8},
		{name: "bad UTF-8 outside a string", send: text("{\xff}"), want: notUTF8},
		{name: "bad UTF-8 in a fragment", send: join(frame(opText, "{\xff"), frame(fin|opContinue, "}")), want: notUTF8},
		{name: "bad UTF-8 before hello", fresh: true, send: text("\xff"), want: notUTF8},
		{name: "character across fragments", send: join(frame(opText, split[:at]), frame(fin|opContinue, split[at:])), want: []string{`{"type":"ack","key":"k-1"}`}},
		{name: "character cut at the end of the last fragment", send: join(frame(opText, split[:at-1]), frame(fin|opContinue, split[at-1:at])), want: notUTF8},
		{name: "byte order mark", send: text("\ufeff" + `{"type":"subscribe","topics":[]}`), want: []string{badFrame}},
		{name: "noncharacter", send: draftWith("content", quoted("\uffff")), want: []string{`{"type":"ack","key":"k-1"}`}},

		{name: "NUL, raw", send: invalid("a\x00b"), want: []string{badPost}},
		{name: "newline, raw in a string", send: invalid("a\nb"), want: []string{badPost}},
		{name: "NUL, escaped, in content", send: draftWith("content", `"a\u0000b"`), want: []string{`{"type":"error","code":"bad_message","message":"content: ","key":"k-1"}`}},
		{name: "NUL, escaped, in name", send: draftWith("name", `"a\u0000b"`), want: []string{`{"type":"error","code":"bad_message","message":"name: ","key":"k-1"}`}},
		{name: "NUL, escaped, in topic", send: draftWith("topic", `"a\u0000b"`), want: []string{`{"type":"error","code":"bad_message","message":"topic: ","key":"k-1"}`}},
		{name: "NUL, escaped, in a topic of hello", fresh: true, send: text(`{"type":"hello","topics":["\u0000"]}`), want: []string{badFrame}},
		{name: "lone high surrogate", send: draftWith("content", `"\ud800"`), want: []string{badPost}},
		{name: "lone low surrogate", send: draftWith("content", `"\udc00"`), want: []string{badPost}},
		{name: "surrogates in the wrong order", send: draftWith("content", `"\udc00\ud800"`), want: []string{badFrame}},
		{name: "surrogate pair, escaped", send: draftWith("content", `"\ud83d\ude42"`), want: []string{`{"type":"ack","key":"k-1"}`}},
		{name: "lone surrogate in an unknown field", send: draftWith("colour", `"\ud800"`), want: []string{badPost}},
		{name: "lone surrogate in history", send: text(`{"type":"history","topic":"\ud800","ref":"r1"}`), want: []string{`{"type":"error","code":"bad_frame","ref":"r1","key":null}`}},

		{name: "unknown field", send: draftWith("colour", `{"red":[1,null,true]}`), want: []string{`{"type":"ack","key":"k-1"}`}},
		{name: "9,000 levels deep, in an unknown field", send: draftWith("deep", strings.Repeat("[", 9_000)+strings.Repeat("]", 9_000)), want: []string{`{"type":"ack","key":"k-1"}`}},
		{name: "11,000 levels deep, in an unknown field", send: draftWith("deep", strings.Repeat("[", 11_000)+strings.Repeat("]", 11_000)), want: []string{badFrame}},
		{name: "nothing but opening brackets", send: text(strings.Repeat("[", maxClientMsg)), want: []string{badFrame}},
		{name: "objects in objects", send: text(strings.Repeat(`{"a":`, 6_000)), want: []string{badFrame}},
		{name: "type twice", send: text(`{"type":"subscribe","topics":[],"type":"subscribe"}`), want: []string{badFrame}},
		{name: "content twice", send: text(`{"type":"post","key":"k-1","topic":"tea","name":"Ann","email":"ann@example.org","content":"a","content":"b"}`), want: []string{badFrame}},
		{name: "the same name, once escaped", send: text(`{"type":"post","key":"k-1","topic":"tea","name":"Ann","email":"ann@example.org","content":"a","c\u006fntent":"b"}`), want: []string{badFrame}},
		{name: "unknown name twice", send: text(`{"type":"subscribe","topics":[],"x":1,"x":2}`), want: []string{badFrame}},
		{name: "name in capitals", send: text(`{"Type":"subscribe","topics":[]}`), want: []string{badFrame}},
		{name: "two objects", send: text(`{"type":"subscribe","topics":[]}{}`), want: []string{badFrame}},
		{name: "comment", send: text(`{"type":"subscribe","topics":[]} // please`), want: []string{badFrame}},
		{name: "trailing comma", send: text(`{"type":"subscribe","topics":[],}`), want: []string{badFrame}},
		{name: "single quotes", send: text(`{'type':'subscribe'}`), want: []string{badFrame}},
		{name: "NaN", send: text(`{"type":"history","ref":"r","limit":NaN}`), want: []string{badFrame}},
		{name: "a string", send: text(`"hello"`), want: []string{badFrame}},
		{name: "a number", send: text(`1`), want: []string{badFrame}},
		{name: "a list", send: text(`[]`), want: []string{badFrame}},
		{name: "null", send: text(`null`), want: []string{badFrame}},
		{name: "an empty object", send: text(`{}`), want: []string{badFrame}},
		{name: "cut short", send: text(`{"type":"sub`), want: []string{badFrame}},
		{name: "type null", send: text(`{"type":null}`), want: []string{badFrame}},
		{name: "type a number", send: text(`{"type":1}`), want: []string{badFrame}},
		{name: "type a list", send: text(`{"type":["post"]}`), want: []string{badFrame}},
		{name: "type unknown", send: text(`{"type":"shout"}`), want: []string{badFrame}},
		{name: "type of the server's own", send: text(`{"type":"welcome"}`), want: []string{badFrame}},
		{name: "type with a space", send: text(`{"type":"post "}`), want: []string{badFrame}},
		{name: "every bad frame counts as one, and the next good one is served", send: join(text("x"), text("y"), text(`{"type":"history","ref":"r1"}`)), want: []string{badFrame, badFrame, `{"type":"history","ref":"r1"}`}},
	}
}

// helloAndSubscribe is the bounds of the fields of hello and subscribe.
func helloAndSubscribe() []rawCase {
	const welcome = `{"type":"welcome","recovered":false}`
	hello := func(name, fields, want string) rawCase {
		return rawCase{name: "hello, " + name, fresh: true, send: text(`{"type":"hello"` + fields + `}`), want: []string{want}}
	}
	return []rawCase{
		hello("bare", ``, welcome),
		hello("limit 0", `,"limit":0`, `{"type":"welcome","messages":[]}`),
		hello("limit 200", `,"limit":200`, welcome),
		hello("limit 201", `,"limit":201`, badFrame),
		hello("limit -1", `,"limit":-1`, badFrame),
		hello("limit 1.5", `,"limit":1.5`, badFrame),
		hello("limit a string", `,"limit":"50"`, badFrame),
		hello("limit past 64 bits", `,"limit":99999999999999999999`, badFrame),
		hello("limit null: as if absent", `,"limit":null`, welcome),
		hello("all topics", `,"topics":["*"]`, welcome),
		hello("all topics and one more", `,"topics":["*","tea"]`, welcome),
		hello("no topic", `,"topics":[]`, `{"type":"welcome","messages":[],"more":false}`),
		hello("256 topics", `,"topics":`+topicList(256), welcome),
		hello("257 topics", `,"topics":`+topicList(257), `{"type":"error","code":"bad_frame","message":"topics: name at most 256"}`),
		hello("257 topics, all the same", `,"topics":["a"`+strings.Repeat(`,"a"`, 256)+`]`, badFrame),
		hello("topics a string", `,"topics":"tea"`, badFrame),
		hello("topics an object", `,"topics":{"tea":true}`, badFrame),
		hello("topics of numbers", `,"topics":[1]`, badFrame),
		hello("topic of 64 characters", `,"topics":["`+strings.Repeat("é", 64)+`"]`, welcome),
		hello("topic of 65 characters", `,"topics":["`+strings.Repeat("é", 65)+`"]`, badFrame),
		hello("topic blank", `,"topics":["  "]`, badFrame),
		hello("topic empty", `,"topics":[""]`, badFrame),
		hello("topic with a tab", `,"topics":["a\tb"]`, badFrame),
		hello("cursor empty: none", `,"cursor":""`, welcome),
		hello("cursor that was never given", `,"cursor":"yesterday"`, welcome),
		hello("cursor of another log", `,"cursor":"100000000000000010000000000000000000000"`, welcome),
		hello("cursor of 20,000 characters", `,"cursor":"`+strings.Repeat("1", 20_000)+`"`, welcome),
		hello("cursor a number", `,"cursor":7`, badFrame),
		hello("cursor an object", `,"cursor":{}`, badFrame),
		{name: "hello after a bad hello", fresh: true, send: join(text(`{"type":"hello","limit":-1}`), text(`{"type":"hello"}`)), want: []string{badFrame, welcome}},
		{name: "second hello", send: text(`{"type":"hello"}`), want: []string{`{"type":"error","code":"bad_frame","message":"hello: say it once"}`}},
		{name: "post before hello", fresh: true, send: draftWith("", ""), want: []string{`{"type":"error","code":"bad_frame","message":"hello: send it first","key":"k-1"}`}},
		{name: "subscribe before hello", fresh: true, send: text(`{"type":"subscribe","topics":[]}`), want: []string{badFrame}},
		{name: "history before hello", fresh: true, send: text(`{"type":"history","ref":"r1"}`), want: []string{`{"type":"error","code":"bad_frame","ref":"r1"}`}},

		{name: "subscribe to none", send: text(`{"type":"subscribe","topics":[]}`), want: []string{`{"type":"welcome","messages":[],"recovered":false}`}},
		{name: "subscribe to some", send: text(`{"type":"subscribe","topics":["nothing here"]}`), want: []string{`{"type":"welcome","messages":[],"more":false}`}},
		{name: "subscribe without topics", send: text(`{"type":"subscribe"}`), want: []string{badFrame}},
		{name: "subscribe, topics null", send: text(`{"type":"subscribe","topics":null}`), want: []string{badFrame}},
		{name: "subscribe, 256 topics", send: text(`{"type":"subscribe","topics":` + topicList(256) + `}`), want: []string{welcome}},
		{name: "subscribe, 257 topics", send: text(`{"type":"subscribe","topics":` + topicList(257) + `}`), want: []string{badFrame}},
		{name: "subscribe, topic too long", send: text(`{"type":"subscribe","topics":["` + strings.Repeat("a", 65) + `"]}`), want: []string{badFrame}},
	}
}

// postFields is the bounds of the fields of post.
func postFields() []rawCase {
	var (
		acked   = `{"type":"ack","key":"k-1"}`
		refused = func(field string) string {
			return `{"type":"error","code":"bad_message","message":"` + field + `: send","key":"k-1","ref":null,"retry_after_ms":null}`
		}
		long = func(s string, n int) string { return quoted(strings.Repeat(s, n)) }
	)
	post := func(name, field, value, want string) rawCase {
		return rawCase{name: "post, " + name, send: draftWith(field, value), want: []string{want}}
	}
	return []rawCase{
		post("as it should be", "", "", acked),
		post("key of 64", "key", long("K", 64), `{"type":"ack","key":`+long("K", 64)+`}`),
		post("key of 65", "key", long("K", 65), `{"type":"error","code":"bad_message","message":"key: send","key":`+long("K", 65)+`}`),
		post("key of 1", "key", `"k"`, `{"type":"ack","key":"k"}`),
		post("key of every kind", "key", `"aZ09._:-"`, `{"type":"ack","key":"aZ09._:-"}`),
		post("key empty", "key", `""`, `{"type":"error","code":"bad_message","key":null}`),
		post("key absent", "key", ``, `{"type":"error","code":"bad_message","key":null}`),
		post("key with a space", "key", `"a b"`, `{"type":"error","code":"bad_message","key":"a b"}`),
		post("key not ASCII", "key", `"é"`, `{"type":"error","code":"bad_message","key":"é"}`),
		post("key a number", "key", `1`, badFrame),
		post("key of 20,000", "key", long("K", 20_000), `{"type":"error","code":"bad_message","key":null}`),
		post("topic absent: general", "topic", ``, acked),
		post("topic null: not as if absent", "topic", `null`, refused("topic")),
		post("topic empty", "topic", `""`, refused("topic")),
		post("topic of 1", "topic", `"t"`, acked),
		post("topic of 64", "topic", long("é", 64), acked),
		post("topic of 65", "topic", long("é", 65), refused("topic")),
		post("topic of 64 and spaces", "topic", quoted(" "+strings.Repeat("é", 64)+" "), acked),
		post("topic blank", "topic", `" "`, refused("topic")),
		post("topic with a newline", "topic", `"a\nb"`, refused("topic")),
		post("topic with U+0085", "topic", `"a\u0085b"`, refused("topic")),
		post("topic a list", "topic", `["tea"]`, `{"type":"error","code":"bad_frame","key":"k-1"}`),
		post("name absent", "name", ``, refused("name")),
		post("name of 1", "name", `"n"`, acked),
		post("name of 64", "name", long("🙂", 64), acked),
		post("name of 65", "name", long("🙂", 65), refused("name")),
		post("name blank", "name", `" \t"`, refused("name")),
		post("name with DEL", "name", `"a\u007f"`, refused("name")),
		post("name with markup", "name", `"<img src=x onerror=alert(1)>"`, acked),
		post("name from right to left", "name", `"\u05e9\u05dc\u05d5\u05dd"`, acked),
		post("name that turns direction", "name", `"\u202eAnn"`, refused("name")),
		post("name null: as if absent", "name", `null`, refused("name")),
		post("name true", "name", `true`, `{"type":"error","code":"bad_frame","key":"k-1"}`),
		post("email absent", "email", ``, refused("email")),
		post("email of 254", "email", quoted(strings.Repeat("a", 64)+"@"+strings.Repeat("b", 185)+".org"), acked),
		post("email of 255", "email", quoted(strings.Repeat("a", 64)+"@"+strings.Repeat("b", 186)+".org"), refused("email")),
		post("email without at", "email", `"ann"`, refused("email")),
		post("email with a display name", "email", `"Ann <ann@example.org>"`, refused("email")),
		post("email in brackets", "email", `"<ann@example.org>"`, refused("email")),
		post("email with a newline", "email", `"ann@example.org\n"`, refused("email")),
		post("email with a header in it", "email", `"ann@example.org\r\nBcc: bob@example.org"`, refused("email")),
		post("two emails", "email", `"a@example.org,b@example.org"`, refused("email")),
		post("email international", "email", `"jürgen@exämple.org"`, acked),
		post("email a number", "email", `5`, `{"type":"error","code":"bad_frame","key":"k-1"}`),
		post("content absent", "content", ``, refused("content")),
		post("content empty", "content", `""`, refused("content")),
		post("content blank", "content", `" \n\t\u2003"`, refused("content")),
		post("content of 1", "content", `"x"`, acked),
		post("content of 4,000", "content", long("🙂", 4000), acked),
		post("content of 4,000, escaped as Python does", "content", long(`\ud83d\ude42`, 4000), acked),
		post("content of 4,001, escaped as Python does", "content", long(`\ud83d\ude42`, 4001), refused("content")),
		post("content of 4,001", "content", long("🙂", 4001), refused("content")),
		post("content of 4,000 combining characters", "content", long("\u0301", 4000), acked),
		post("content of lines", "content", `"\na\r\nb\n"`, acked),
		post("content a number", "content", `5`, `{"type":"error","code":"bad_frame","key":"k-1"}`),
		post("content a list", "content", `["hello"]`, `{"type":"error","code":"bad_frame","key":"k-1"}`),
		{name: "post twice with one key", send: join(draftWith("key", `"twice"`), draftWith("key", `"twice"`)), want: []string{`{"type":"ack","key":"twice"}`, `{"type":"ack","key":"twice"}`}},
	}
}

// historyFields is the bounds of the fields of history.
func historyFields() []rawCase {
	refused := `{"type":"error","code":"bad_frame","ref":"r1","key":null}`
	history := func(name, fields, want string) rawCase {
		return rawCase{name: "history, " + name, send: text(`{"type":"history"` + fields + `}`), want: []string{want}}
	}
	return []rawCase{
		history("bare", `,"ref":"r1"`, `{"type":"history","ref":"r1"}`),
		history("of a topic", `,"ref":"r1","topic":"nothing here"`, `{"type":"history","ref":"r1","messages":[],"more":false}`),
		history("ref of 64", `,"ref":`+quoted(strings.Repeat("r", 64)), `{"type":"history","ref":`+quoted(strings.Repeat("r", 64))+`}`),
		history("ref of 65", `,"ref":`+quoted(strings.Repeat("r", 65)), badFrame),
		history("ref empty", `,"ref":""`, badFrame),
		history("ref absent", ``, badFrame),
		history("ref a number", `,"ref":1`, badFrame),
		history("ref with quotes", `,"ref":"\"\\"`, `{"type":"history","ref":"\"\\"}`),
		history("limit 1", `,"ref":"r1","limit":1`, `{"type":"history","ref":"r1"}`),
		history("limit 200", `,"ref":"r1","limit":200`, `{"type":"history","ref":"r1"}`),
		history("limit 0", `,"ref":"r1","limit":0`, refused),
		history("limit 201", `,"ref":"r1","limit":201`, refused),
		history("limit -1", `,"ref":"r1","limit":-1`, refused),
		history("limit a string", `,"ref":"r1","limit":"1"`, refused),
		history("limit 1e400", `,"ref":"r1","limit":1e400`, refused),
		history("before the first id", `,"ref":"r1","before":"000000000000000000000000"`, `{"type":"history","ref":"r1"}`),
		history("before the last id", `,"ref":"r1","before":"ffffffffffffffffffffffff"`, `{"type":"history","ref":"r1"}`),
		history("before something else", `,"ref":"r1","before":"soon"`, refused),
		history("before in capitals", `,"ref":"r1","before":"0192F3C4A5B6000000070203"`, refused),
		history("before too long", `,"ref":"r1","before":"0000000000000000000000000"`, refused),
		history("before a number", `,"ref":"r1","before":5`, refused),
		history("topic of 65", `,"ref":"r1","topic":`+quoted(strings.Repeat("t", 65)), refused),
		history("topic empty", `,"ref":"r1","topic":""`, refused),
		history("topic blank", `,"ref":"r1","topic":" "`, refused),
		history("topic a number", `,"ref":"r1","topic":5`, refused),
	}
}

func TestRawFrames(t *testing.T) {
	p := startPod(t, podOptions{})
	expectServed(t, p) // and let lazy parts come into being before goroutines are counted
	base := settle(0)

	var cases []rawCase
	for _, some := range [][]rawCase{framing(), encoding(), helloAndSubscribe(), postFields(), historyFields()} {
		cases = append(cases, some...)
	}
	if len(cases) < 100 {
		t.Errorf("only %d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			conn := openRaw(t, p)
			defer conn.Close()
			if !c.fresh {
				conn.write(text(`{"type":"hello","topics":[],"limit":0}`))
				if d := answers(conn.next(), `{"type":"welcome"}`); d != "" {
					t.Fatal(d)
				}
			}
			conn.write(c.send)
			for i, want := range c.want {
				got := conn.next()
				if i == 0 && c.perhaps != "" && answers(got, c.perhaps) == "" {
					got = conn.next()
				}
				d := answers(got, want)
				if d != "" && c.either {
					d = answers(got, c.want[1-i])
				}
				if d != "" {
					t.Fatal(d)
				}
			}
			if c.want[len(c.want)-1] == "eof" {
				return
			}
			// Still there, and nothing more was said.
			conn.write(frame(fin|opPing, "still there?"))
			if d := answers(conn.next(), "pong still there?"); d != "" {
				t.Error(d)
			}
		})
	}
	t.Logf("%d cases", len(cases))
	expectServed(t, p)
	if n := settle(base); n > base {
		t.Errorf("%d goroutines; %d before the table", n, base)
	}
	if n := p.sessions.Online(); n != 0 {
		t.Errorf("%d people online after all have left", n)
	}
}

func TestTooManyBadFrames(t *testing.T) {
	p := startPod(t, podOptions{})
	conn := openRaw(t, p)
	defer conn.Close()
	for range 100 {
		conn.write(text("x"))
	}
	errors := 0
	for {
		got := conn.next()
		if answers(got, badFrame) == "" {
			errors++
			continue
		}
		if d := answers(got, "close 4002"); d != "" {
			t.Error(d)
		}
		break
	}
	if errors < 20 || errors > 40 {
		t.Errorf("%d bad frames were forgiven; want 20 and perhaps a few that came later", errors)
	}
	expectServed(t, p)
}

func TestUpgrade(t *testing.T) {
	p := startPod(t, podOptions{edge: server.Config{Origins: origins(t, "https://chat.example.org")}})
	for name, c := range map[string]struct {
		headers map[string]string
		status  int
		header  string // of the answer: "Name: value"
	}{
		"as it should be":                   {nil, 101, ""},
		"no key":                            {map[string]string{"Sec-WebSocket-Key": ""}, 400, ""},
		"key that is not base64":            {map[string]string{"Sec-WebSocket-Key": "not a key"}, 400, ""},
		"key of 15 bytes":                   {map[string]string{"Sec-WebSocket-Key": "MTIzNDU2Nzg5MDEyMzQ1"}, 400, ""},
		"version 12":                        {map[string]string{"Sec-WebSocket-Version": "12"}, 426, "Sec-Websocket-Version: 13"},
		"no version":                        {map[string]string{"Sec-WebSocket-Version": ""}, 426, "Sec-Websocket-Version: 13"},
		"no upgrade":                        {map[string]string{"Upgrade": "", "Connection": ""}, 426, "Upgrade: websocket"},
		"upgrade to something else":         {map[string]string{"Upgrade": "h2c"}, 426, "Upgrade: websocket"},
		"connection without upgrade":        {map[string]string{"Connection": "keep-alive"}, 426, "Upgrade: websocket"},
		"own origin":                        {map[string]string{"Origin": "http://" + p.addr}, 101, ""},
		"own origin, by another scheme":     {map[string]string{"Origin": "https://" + p.addr}, 101, ""},
		"own host, by another port":         {map[string]string{"Origin": "https://127.0.0.1:444"}, 101, ""},
		"own host, without its port":        {map[string]string{"Origin": "https://127.0.0.1"}, 101, ""},
		"own page, says the browser":        {map[string]string{"Origin": "https://chat.example", "Sec-Fetch-Site": "same-origin"}, 101, ""},
		"another host of the site":          {map[string]string{"Origin": "https://evil.example.org", "Sec-Fetch-Site": "same-site"}, 403, ""},
		"another origin by another port":    {map[string]string{"Origin": "https://chat.example.org:8443"}, 403, ""},
		"allowed origin":                    {map[string]string{"Origin": "https://chat.example.org"}, 101, ""},
		"allowed origin in capitals":        {map[string]string{"Origin": "HTTPS://Chat.Example.Org"}, 101, ""},
		"another origin":                    {map[string]string{"Origin": "https://evil.example.org"}, 403, ""},
		"null origin":                       {map[string]string{"Origin": "null"}, 403, ""},
		"origin that is no URL":             {map[string]string{"Origin": "http://%zz"}, 403, ""},
		"origin with ours in front":         {map[string]string{"Origin": "http://" + p.addr + ".evil.example.org"}, 403, ""},
		"origin with ours as user":          {map[string]string{"Origin": "http://" + p.addr + "@evil.example.org"}, 403, ""},
		"subprotocol chat.v1":               {map[string]string{"Sec-WebSocket-Protocol": "chat.v1"}, 101, "Sec-Websocket-Protocol: chat.v1"},
		"subprotocol chat.v1 among others":  {map[string]string{"Sec-WebSocket-Protocol": "chat.v9, chat.v1"}, 101, "Sec-Websocket-Protocol: chat.v1"},
		"another subprotocol":               {map[string]string{"Sec-WebSocket-Protocol": "mqtt"}, 101, "Sec-Websocket-Protocol: "},
		"no subprotocol":                    {nil, 101, "Sec-Websocket-Protocol: "},
		"compression offered, not accepted": {map[string]string{"Sec-WebSocket-Extensions": "permessage-deflate"}, 101, "Sec-Websocket-Extensions: "},
	} {
		t.Run(name, func(t *testing.T) {
			conn, resp := dialRaw(t, p, c.headers)
			defer conn.Close()
			if resp.StatusCode != c.status {
				t.Errorf("answered %s; want %d", resp.Status, c.status)
			}
			if name, value, ok := strings.Cut(c.header, ": "); ok && resp.Header.Get(name) != value {
				t.Errorf("%s is %q; want %q", name, resp.Header.Get(name), value)
			}
			if resp.StatusCode != http.StatusSwitchingProtocols {
				code := "bad_frame"
				if c.status == http.StatusForbidden {
					code = "unauthorised"
				}
				expectProblem(t, resp, c.status, code)
				return
			}
			conn.write(text(`{"type":"hello"}`))
			if d := answers(conn.next(), `{"type":"welcome","server":"chat-0"}`); d != "" {
				t.Error(d)
			}
		})
	}
}

// expectServed checks that a well-mannered client is served.
func expectServed(t *testing.T, p *pod) {
	t.Helper()
	conn := openRaw(t, p)
	defer conn.Close()
	conn.write(join(text(`{"type":"hello","topics":[]}`), draftWith("key", `"served"`)))
	for _, want := range []string{`{"type":"welcome"}`, `{"type":"ack","key":"served"}`} {
		if d := answers(conn.next(), want); d != "" {
			t.Fatal(d)
		}
	}
}

// settle waits until no more than want goroutines are left, or until their
// number has not changed for a while, and gives it.
func settle(want int) int {
	last, same := -1, 0
	for range 500 {
		n := runtime.NumGoroutine()
		if n <= want {
			return n
		}
		if same++; n != last {
			last, same = n, 0
		}
		if same > 40 && want == 0 {
			return n
		}
		time.Sleep(10 * time.Millisecond)
	}
	return last
}
