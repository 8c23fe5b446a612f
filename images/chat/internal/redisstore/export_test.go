package redisstore

import "time"

// Skew turns the clock of a directory: Redis' own can't be.
func (d *Directory) Skew(by func() time.Duration) { d.skew = by }
