package people

import (
	"context"
	"errors"

	"chatapp/chat/internal/chat"
)

// CreateRoom makes a room of its creator and the members, and gives it with
// them. The same key by the same creator gives the same room, and repeated.
func (s *Service) CreateRoom(ctx context.Context, who Account, key, name string, members []string) (r Room, repeated bool, err error) {
	if !chat.ValidKey(key) {
		return r, false, refusal(chat.CodeBadMessage, "key: send 1 to %d characters of A-Z a-z 0-9 . _ : - (a UUID, say)", chat.MaxKey)
	}
	line, ok := chat.Line(name, chat.MaxTopic)
	if !ok {
		return r, false, badName("name", chat.MaxTopic)
	}
	if len(members) > MaxMembers {
		return r, false, refusal(chat.CodeConflict, "members: a room has at most %d", MaxMembers)
	}
	n := NewRoom{ID: "~" + newID(), Name: line, Creator: who.ID, Key: key}
	for _, address := range members {
		n.Members = append(n.Members, chat.FoldAddress(address))
	}
	r, repeated, err = s.dir.CreateRoom(ctx, n)
	if errors.Is(err, ErrTooMany) {
		return r, false, refusal(chat.CodeConflict, "a room has at most %d members, and one account creates at most %d rooms", MaxMembers, MaxRooms)
	}
	if err != nil {
		return r, false, unknown(err, members)
	}
	if !repeated {
		var ids []string
		for _, m := range r.Members {
			ids = append(ids, m.Account)
		}
		s.view.Refresh(ctx, ids...)
	}
	return r, repeated, nil
}

// Rooms lists the rooms of an account, the oldest first, without members.
func (s *Service) Rooms(ctx context.Context, who Account) ([]Room, error) {
	rooms, err := s.dir.Rooms(ctx, who.ID)
	sortRooms(rooms)
	return rooms, failed(err)
}

// Room gives one room with its members. CodeNotFound to whoever is none.
func (s *Service) Room(ctx context.Context, who Account, room string) (Room, error) {
	r, err := s.dir.Room(ctx, room, who.ID)
	return r, failed(err)
}

// AddMember adds the account of an address; again is no error.
func (s *Service) AddMember(ctx context.Context, who Account, room, address string) error {
	m, err := s.dir.AddMember(ctx, room, who.ID, chat.FoldAddress(address))
	if errors.Is(err, ErrTooMany) {
		return refusal(chat.CodeConflict, "a room has at most %d members", MaxMembers)
	}
	if err != nil {
		return unknown(err, []string{address})
	}
	s.view.Heard(Change{Kind: Joined, Room: room, Account: m.Account, Version: m.Version})
	s.view.Refresh(ctx, m.Account)
	return nil
}

// RemoveMember takes the account of an address out of a room, on behalf of the
// creator or of that account; again is no error. Nothing that is sent to the
// room after it has returned reaches the removed.
func (s *Service) RemoveMember(ctx context.Context, who Account, room, address string) error {
	m, err := s.dir.RemoveMember(ctx, room, who.ID, chat.FoldAddress(address))
	if err != nil {
		return failed(err)
	}
	if m.Account == "" {
		return nil
	}
	s.view.Heard(Change{Kind: Left, Room: room, Account: m.Account, Version: m.Version})
	if s.options.Removed == nil {
		return nil
	}
	// Also when the account was no member any more: an attempt before this one
	// may have reached the directory but not the log.
	return failed(s.options.Removed(ctx, room, m.Account, m.Version))
}

// ChangeRoom renames a room and hands it to another member (nil: not).
func (s *Service) ChangeRoom(ctx context.Context, who Account, room string, name, creator *string) (Room, error) {
	var line, heir string
	if name != nil {
		var ok bool
		if line, ok = chat.Line(*name, chat.MaxTopic); !ok {
			return Room{}, s.refuse(ctx, who, room, badName("name", chat.MaxTopic))
		}
	}
	if creator != nil {
		if heir = *creator; !isID(heir) {
			return Room{}, s.refuse(ctx, who, room, failed(ErrNotMember))
		}
	}
	r, err := s.dir.ChangeRoom(ctx, room, who.ID, line, heir)
	if errors.Is(err, ErrTooMany) {
		return r, refusal(chat.CodeConflict, "creator: one account creates at most %d rooms", MaxRooms)
	}
	if err != nil {
		return r, failed(err)
	}
	s.view.Heard(Change{Kind: RoomChanged, Room: room, Version: r.Version})
	return r, nil
}

// refuse gives the reason if who is the creator of the room. Otherwise it gives
// the error that ChangeRoom would give.
func (s *Service) refuse(ctx context.Context, who Account, room string, reason error) error {
	r, err := s.dir.Room(ctx, room, who.ID)
	if err == nil && r.Creator != who.ID {
		err = ErrForbidden
	}
	if err != nil {
		return failed(err)
	}
	return reason
}

// DeleteRoom deletes a room.
func (s *Service) DeleteRoom(ctx context.Context, who Account, room string) error {
	if err := s.dir.DeleteRoom(ctx, room, who.ID); err != nil {
		return failed(err)
	}
	s.view.Heard(Change{Kind: RoomDeleted, Room: room})
	return nil
}
