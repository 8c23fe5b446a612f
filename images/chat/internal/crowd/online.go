package crowd

// Online is how many are connected: people, guests among them, and different
// accounts.
type Online struct{ People, Guests, Users int }
