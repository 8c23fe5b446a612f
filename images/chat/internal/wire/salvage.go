package wire

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// salvage finds the strings "key" and "ref" at the top of a JSON object that
// need not be valid: bad escapes, bad literals and a missing end are stepped
// over. Of a repeated name the first counts. It only serves to match an error
// to a frame; nothing else is believed of such a frame.
func salvage(data []byte) (key, ref string) {
	data = bytes.TrimLeft(data, " \t\r\n")
	if len(data) == 0 || data[0] != '{' {
		return "", ""
	}
	depth := 0
	var found struct{ key, ref bool }
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return key, ref
			}
		case '"':
			name, next := scanString(data, i)
			i = next - 1
			if depth != 1 {
				continue
			}
			colon := skipSpace(data, next)
			if colon == len(data) || data[colon] != ':' {
				continue
			}
			i = colon
			start := skipSpace(data, colon+1)
			if start == len(data) || data[start] != '"' {
				continue
			}
			value, next := scanString(data, start)
			i = next - 1
			switch text := unquote(name); {
			case text == "key" && !found.key:
				found.key = true
				key = unquote(value)
			case text == "ref" && !found.ref:
				found.ref = true
				ref = unquote(value)
			}
		}
	}
	return key, ref
}

// scanString gives the string that begins at data[start], quotes included, and
// the index behind it; nil when it does not end.
func scanString(data []byte, start int) (quoted []byte, next int) {
	for i := start + 1; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return data[start : i+1], i + 1
		}
	}
	return nil, len(data)
}

func skipSpace(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\t' || data[i] == '\r' || data[i] == '\n') {
		i++
	}
	return i
}

// unquote reads a JSON string; empty when it is none, or not of valid UTF-8.
func unquote(quoted []byte) string {
	text, err := jsontext.AppendUnquote(nil, quoted)
	if err != nil {
		return ""
	}
	return string(text)
}
