package crowd

import "testing"

func TestSurplus(t *testing.T) {
	for name, c := range map[string]struct {
		here, people, servers int
		above                 float64
		want                  int
	}{
		"alone":                       {500, 500, 1, 1.15, 0},
		"switched off":                {500, 500, 5, 0, 0},
		"even":                        {100, 500, 5, 1.15, 0},
		"above the mean by chance":    {115, 500, 5, 1.15, 0},
		"too few to be worth it":      {15, 15, 3, 1.15, 0},
		"two of five have everybody":  {250, 500, 5, 1.15, 19},
		"at the limit of the rate":    {9000, 9000, 3, 1.15, balanceMost},
		"nobody here":                 {0, 500, 5, 1.15, 0},
		"more here than were counted": {300, 200, 2, 1.15, 26},
	} {
		if n := surplus(c.here, c.people, c.servers, c.above); n != c.want {
			t.Errorf("%s: %d of %d move, want %d", name, n, c.here, c.want)
		}
	}
}
