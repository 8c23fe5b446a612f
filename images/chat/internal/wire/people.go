package wire

import (
	"strconv"

	"chatapp/chat/internal/people"
)

// AppendAccount appends an account as others see it: an object with account,
// email and name.
func AppendAccount(b []byte, account, email, name string) []byte {
	b = append(b, `{"account":`...)
	b = appendString(b, account)
	b = append(b, `,"email":`...)
	b = appendString(b, email)
	b = append(b, `,"name":`...)
	b = appendString(b, name)
	return append(b, '}')
}

// AppendRoom appends the object of a room, with its members if there are any
// in r.
func AppendRoom(b []byte, r people.Room) []byte {
	b = append(b, `{"room":`...)
	b = appendString(b, r.ID)
	b = append(b, `,"name":`...)
	b = appendString(b, r.Name)
	b = append(b, `,"creator":`...)
	b = appendString(b, r.Creator)
	b = append(b, `,"created":`...)
	b = AppendTime(b, r.Created)
	b = append(b, `,"count":`...)
	b = strconv.AppendInt(b, int64(r.Count), 10)
	if r.Members != nil {
		b = append(b, `,"members":[`...)
		for i, m := range r.Members {
			if i > 0 {
				b = append(b, ',')
			}
			b = AppendAccount(b, m.Account, m.Email, m.Name)
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

// AppendRoomList appends rooms as a JSON array.
func AppendRoomList(b []byte, rooms []people.Room) []byte {
	b = append(b, '[')
	for i, r := range rooms {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendRoom(b, r)
	}
	return append(b, ']')
}

// AppendRooms appends a rooms frame.
func AppendRooms(b []byte, rooms []people.Room) []byte {
	b = append(b, `{"type":"rooms","rooms":`...)
	b = AppendRoomList(b, rooms)
	return append(b, '}')
}

// AppendFilter appends the object of a saved filter.
func AppendFilter(b []byte, f people.SavedFilter) []byte {
	b = append(b, `{"name":`...)
	b = appendString(b, f.Name)
	b = append(b, `,"filter":`...)
	b = appendString(b, f.Filter)
	return append(b, '}')
}
