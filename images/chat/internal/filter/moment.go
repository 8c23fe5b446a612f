package filter

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// moment is a point in time: fixed, or some time before the reader's frame was
// read.
type moment struct {
	ms   int64 // since the Unix epoch, or, when ago, before the frame was read
	ago  bool
	text string // canonical
}

func (m moment) String() string { return m.text }

// at is the moment in milliseconds since the Unix epoch.
func (m moment) at(now int64) int64 {
	if m.ago {
		return now - m.ms
	}
	return m.ms
}

// parseMoment reads an RFC 3339 instant or date, or -15m, -2h, -7d. Messages
// have whole milliseconds, so an instant between two stands for the later one.
func parseMoment(s string) (moment, bool) {
	if rest, ok := strings.CutPrefix(s, "-"); ok {
		return parseAgo(rest)
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return moment{ms: t.UnixMilli(), text: s}, true
	}
	ms, ok := parseInstant(strings.ToUpper(s)) // T and Z may be small
	return moment{ms: ms, text: strings.ToUpper(s)}, ok
}

// parseInstant reads an RFC 3339 instant, strictly.
func parseInstant(s string) (ms int64, ok bool) {
	const plain = len("2006-01-02T15:04:05")
	if len(s) <= plain {
		return 0, false
	}
	rest := s[plain:]
	if fraction, dot := strings.CutPrefix(rest, "."); dot {
		rest = strings.TrimLeft(fraction, "0123456789")
		digits := strings.TrimRight(fraction[:len(fraction)-len(rest)], "0")
		if len(rest) == len(fraction) {
			return 0, false
		}
		for i, unit := 0, int64(100); i < len(digits) && i < 3; i, unit = i+1, unit/10 {
			ms += int64(digits[i]-'0') * unit
		}
		if len(digits) > 3 {
			ms++
		}
	}
	if rest != "Z" {
		if _, ok := parseClock(rest[min(1, len(rest)):]); !ok {
			return 0, false
		}
	}
	t, err := time.Parse(time.RFC3339, s[:plain]+rest)
	return ms + t.UnixMilli(), err == nil
}

// longAgo is before every message. Times that lie further back count as it.
const longAgo = int64(math.MaxInt64) / 4

func parseAgo(s string) (moment, bool) {
	if len(s) < 2 || strings.Trim(s[:len(s)-1], "0123456789") != "" {
		return moment{}, false
	}
	var unit int64
	switch s[len(s)-1] {
	case 'm':
		unit = time.Minute.Milliseconds()
	case 'h':
		unit = time.Hour.Milliseconds()
	case 'd':
		unit = 24 * time.Hour.Milliseconds()
	default:
		return moment{}, false
	}
	digits := strings.TrimLeft(s[:len(s)-1], "0")
	if digits == "" {
		digits = "0"
	}
	m := moment{ago: true, ms: longAgo, text: "-" + digits + s[len(s)-1:]}
	if n, err := strconv.ParseInt(digits, 10, 64); err == nil && n <= longAgo/unit {
		m.ms = n * unit
	}
	return m, true
}

// span is a time of every day, from the first minute to before the last.
type span struct {
	start, end int // minutes of the day; they differ
	offset     int // minutes that the span's clock is ahead of UTC
}

func (s span) String() string {
	text := clock(s.start) + "-" + clock(s.end)
	switch {
	case s.offset > 0:
		text += "+" + clock(s.offset)
	case s.offset < 0:
		text += "-" + clock(-s.offset)
	}
	return text
}

func clock(minutes int) string {
	return time.Date(0, 1, 1, 0, minutes, 0, 0, time.UTC).Format("15:04")
}

const dayMinutes = 24 * 60

// has reports whether a time of milliseconds since the Unix epoch is within.
func (s span) has(ms int64) bool {
	minute := int((floorDiv(ms, 60_000)%dayMinutes + int64(s.offset) + 2*dayMinutes) % dayMinutes)
	if s.start < s.end {
		return s.start <= minute && minute < s.end
	}
	return s.start <= minute || minute < s.end
}

func floorDiv(a, b int64) int64 {
	if a < 0 {
		return -((-a + b - 1) / b)
	}
	return a / b
}

// parseSpan reads HH:MM-HH:MM, with an offset such as +02:00 behind it or not.
func parseSpan(s string) (span, bool) {
	const plain = len("09:00-17:30")
	if len(s) != plain && len(s) != plain+len("+02:00") || s[5] != '-' {
		return span{}, false
	}
	start, ok1 := parseClock(s[:5])
	end, ok2 := parseClock(s[6:plain])
	if !ok1 || !ok2 || start == end {
		return span{}, false
	}
	d := span{start: start, end: end}
	if len(s) > plain {
		offset, ok := parseClock(s[plain+1:])
		switch {
		case ok && s[plain] == '+':
			d.offset = offset
		case ok && s[plain] == '-':
			d.offset = -offset
		default:
			return span{}, false
		}
	}
	return d, true
}

// parseClock reads HH:MM as minutes: 00:00 to 23:59.
func parseClock(s string) (int, bool) {
	if len(s) != 5 || s[2] != ':' {
		return 0, false
	}
	for _, i := range [...]int{0, 1, 3, 4} {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	h, m := int(s[0]-'0')*10+int(s[1]-'0'), int(s[3]-'0')*10+int(s[4]-'0')
	return h*60 + m, h < 24 && m < 60
}
