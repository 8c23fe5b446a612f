package people

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"chatapp/chat/internal/chat"
)

// Cost is what one hash takes: the parameters of argon2id.
type Cost struct {
	Memory uint32 // KiB
	Passes uint32
	Lanes  uint8
}

// DefaultCost is OWASP's first choice for argon2id: 19 MiB, two passes. It
// takes some 20 ms of one core.
var DefaultCost = Cost{Memory: 19 << 10, Passes: 2, Lanes: 1}

const (
	saltSize, hashSize = 16, 32
	// queuePerSlot is how many may wait for each hash that runs. With 20 ms a
	// hash, the last of them waits for about a second.
	queuePerSlot = 48
	// maxMemory bounds what a hash read from the directory may ask for.
	maxMemory = 1 << 20 // KiB
)

// Hasher makes and checks password hashes, as many at once as memory allows.
// Some more wait, and the rest is refused. So a flood of sign-ins takes a
// bounded part of the memory and leaves a core to deliveries. It is safe for
// concurrent use.
type Hasher struct {
	cost    Cost
	slots   chan struct{}
	waiting atomic.Int64
	hashes  atomic.Int64
}

// NewHasher takes what one hash costs and the bytes that all that run at once
// may take. The collector frees a hash's memory some time after the hash, so
// each counts twice. One runs at least, and no more than half of the cores.
func NewHasher(cost Cost, memory int64) *Hasher {
	n := min(memory/(2*int64(cost.Memory)<<10), int64(runtime.GOMAXPROCS(0)/2))
	return &Hasher{
		cost:  cost,
		slots: make(chan struct{}, max(1, n)),
	}
}

// Hashes counts the hashes made so far. Tests compare the work of two calls by
// it.
func (h *Hasher) Hashes() int64 { return h.hashes.Load() }

// Waiting is how many wait for their turn now.
func (h *Hasher) Waiting() int { return int(h.waiting.Load()) }

// Enter waits for a turn; leave ends it. Within it Make and Check may be
// called, one after the other. CodeRateLimited: too many wait already.
func (h *Hasher) Enter(ctx context.Context) (leave func(), err error) {
	if h.waiting.Add(1) > int64(cap(h.slots)*queuePerSlot) {
		h.waiting.Add(-1)
		return nil, &chat.Error{
			Code: chat.CodeRateLimited, Message: "too many sign-ins are under way; try again",
			RetryAfter: 2 * time.Second,
		}
	}
	defer h.waiting.Add(-1)
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots }, nil
	case <-ctx.Done():
		return nil, chat.Unavailable(context.Cause(ctx))
	}
}

// Make hashes a password with a fresh salt. The form is that of the reference
// implementation: $argon2id$v=19$m=…,t=…,p=…$salt$hash.
func (h *Hasher) Make(password string) string {
	salt := make([]byte, saltSize)
	rand.Read(salt) // never fails
	sum := h.run(password, salt, h.cost)
	c, b64 := h.cost, base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, c.Memory, c.Passes, c.Lanes,
		b64.EncodeToString(salt), b64.EncodeToString(sum))
}

// Check reports whether a password has this hash. With the empty hash, which
// no password has, it does the same work. weak: the hash was made at less than
// today's cost, and should be made anew.
func (h *Hasher) Check(password, hash string) (right, weak bool, err error) {
	cost, salt, want := h.cost, make([]byte, saltSize), make([]byte, hashSize)
	if hash != "" {
		if cost, salt, want, err = parseHash(hash); err != nil {
			return false, false, err
		}
	}
	got := h.run(password, salt, cost)
	right = subtle.ConstantTimeCompare(got, want) == 1 && hash != ""
	return right, cost.Memory < h.cost.Memory || cost.Passes < h.cost.Passes, nil
}

func (h *Hasher) run(password string, salt []byte, c Cost) []byte {
	h.hashes.Add(1)
	return argon2.IDKey(norm.NFC.AppendString(nil, password), salt, c.Passes, c.Memory, c.Lanes, hashSize)
}

var errHash = errors.New("not a password hash: the data is damaged, or of a later version")

func parseHash(s string) (c Cost, salt, sum []byte, err error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return c, nil, nil, errHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.Memory, &c.Passes, &c.Lanes); err != nil ||
		c.Memory == 0 || c.Memory > maxMemory || c.Passes == 0 || c.Lanes == 0 {
		return c, nil, nil, errHash
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	sum, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(sum) != hashSize {
		return c, nil, nil, errHash
	}
	return c, salt, sum, nil
}
