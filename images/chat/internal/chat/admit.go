package chat

import (
	"context"
	"crypto/rand"
	"time"
)

// holderWait bounds the question who holds an address.
const holderWait = 2 * time.Second

// admitGuests says why no guest may speak, whatever it says.
func (s *Service) admitGuests() error {
	if s.options.GuestsRead {
		return &Error{Code: CodeUnauthorised, Message: "guests may only read here: sign in"}
	}
	return nil
}

// admitGuest gives the error if a guest may not post under an address.
func (s *Service) admitGuest(address string) error {
	if err := s.admitGuests(); err != nil {
		return err
	}
	if s.options.Holder == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(s.ctx, holderWait)
	defer cancel()
	holder, err := s.options.Holder(ctx, address)
	if err != nil {
		return AsError(err)
	}
	if holder != "" {
		return &Error{Code: CodeUnauthorised, Message: "this address has an account: sign in to use it"}
	}
	return nil
}

// Left puts into the log, durably, that an account is no member of a room any
// more, with the version of the room: see KindLeft.
func (s *Service) Left(ctx context.Context, room, account string, version uint64) error {
	done := make(chan error, 1)
	s.writers[PartitionOf(room, len(s.writers))].add(pending{
		kind:  KindLeft,
		draft: departure(rand.Text(), room, account, version).Draft,
		done:  func(_ Message, _ bool, err error) { done <- err },
	})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return Unavailable(context.Cause(ctx))
	}
}
