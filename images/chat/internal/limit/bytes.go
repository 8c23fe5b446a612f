package limit

// Bytes is a budget for what waits for one client. Its owner's mutex guards it.
type Bytes struct {
	Most int // bytes that may wait
	used int
}

// Take counts n bytes, or counts nothing and reports false if they would be
// over the budget.
func (b *Bytes) Take(n int) bool {
	if b.used+n > b.Most {
		return false
	}
	b.used += n
	return true
}

// Force counts n bytes, over the budget too.
func (b *Bytes) Force(n int) { b.used += n }

// Give returns n bytes that wait no longer.
func (b *Bytes) Give(n int) { b.used -= n }

// Waiting is how many bytes wait.
func (b *Bytes) Waiting() int { return b.used }

// Over reports whether more waits than the budget allows.
func (b *Bytes) Over() bool { return b.used > b.Most }

// Reset says that nothing waits.
func (b *Bytes) Reset() { b.used = 0 }
