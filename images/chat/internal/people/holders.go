package people

import "sync"

// holders remembers which accounts hold addresses. It is safe for use by many
// goroutines.
type holders struct {
	mu   sync.Mutex
	by   map[string]string // folded address → account, "" for none
	turn uint64            // counts what was forgotten
}

// maxHolders bounds the addresses remembered, with or without an account;
// about 100 B each.
const maxHolders = 1 << 16

// get gives what is remembered of an address, and the turn for put.
func (h *holders) get(folded string) (account string, turn uint64, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	account, known = h.by[folded]
	return account, h.turn, known
}

// put remembers what was read since get gave turn. If something has changed
// meanwhile, what was read may be out of date, and nothing is remembered.
func (h *holders) put(folded, account string, turn uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if turn != h.turn {
		return
	}
	if h.by == nil {
		h.by = map[string]string{}
	}
	if len(h.by) >= maxHolders {
		for old := range h.by { // whichever comes first
			delete(h.by, old)
			break
		}
	}
	h.by[folded] = account
}

func (h *holders) forget(folded string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.turn++
	delete(h.by, folded)
}

func (h *holders) forgetAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.turn++
	clear(h.by)
}
