package server

import (
	"net/http"

	"chatapp/chat/internal/people"
	"chatapp/chat/internal/wire"
)

// maxRoom bounds the body that makes a room, in bytes: people.MaxMembers
// addresses, in whatever way JSON escapes them.
const maxRoom = 2 << 20

func (s *Server) createRoom(w http.ResponseWriter, r *http.Request, c caller) error {
	var f struct {
		Key     field[string]   `json:"key"`
		Name    field[string]   `json:"name"`
		Members field[[]string] `json:"members"`
	}
	if err := readFields(w, r, maxRoom, &f, "key and name are strings, members a list of strings"); err != nil {
		return err
	}
	room, repeated, err := s.people.CreateRoom(r.Context(), c.account, f.Key.or(""), f.Name.or(""), f.Members.or(nil))
	if err != nil {
		return err
	}
	status := http.StatusCreated
	if repeated {
		status = http.StatusOK
	}
	writeJSON(w, status, wire.AppendRoom(nil, room))
	return nil
}

func (s *Server) getRooms(w http.ResponseWriter, r *http.Request, c caller) error {
	rooms, err := s.people.Rooms(r.Context(), c.account)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, append(wire.AppendRoomList([]byte(`{"rooms":`), rooms), '}'))
	return nil
}

func (s *Server) getRoom(w http.ResponseWriter, r *http.Request, c caller) error {
	room, err := s.people.Room(r.Context(), c.account, r.PathValue("room"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, wire.AppendRoom(nil, room))
	return nil
}

func (s *Server) changeRoom(w http.ResponseWriter, r *http.Request, c caller) error {
	var f struct {
		Name    field[string] `json:"name"`
		Creator field[string] `json:"creator"`
	}
	if err := readFields(w, r, maxBody, &f, "name and creator are strings"); err != nil {
		return err
	}
	room, err := s.people.ChangeRoom(r.Context(), c.account, r.PathValue("room"), f.Name.value, f.Creator.value)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, wire.AppendRoom(nil, room))
	return nil
}

func (s *Server) deleteRoom(w http.ResponseWriter, r *http.Request, c caller) error {
	if err := s.people.DeleteRoom(r.Context(), c.account, r.PathValue("room")); err != nil {
		return err
	}
	writeNothing(w)
	return nil
}

func (s *Server) addMember(w http.ResponseWriter, r *http.Request, c caller) error {
	if err := s.people.AddMember(r.Context(), c.account, r.PathValue("room"), r.PathValue("email")); err != nil {
		return err
	}
	writeNothing(w)
	return nil
}

func (s *Server) removeMember(w http.ResponseWriter, r *http.Request, c caller) error {
	if err := s.people.RemoveMember(r.Context(), c.account, r.PathValue("room"), r.PathValue("email")); err != nil {
		return err
	}
	writeNothing(w)
	return nil
}

func (s *Server) getFilters(w http.ResponseWriter, r *http.Request, c caller) error {
	list, err := s.people.Filters(r.Context(), c.account)
	if err != nil {
		return err
	}
	b := []byte(`{"filters":[`)
	for i, f := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = wire.AppendFilter(b, f)
	}
	writeJSON(w, http.StatusOK, append(b, `]}`...))
	return nil
}

func (s *Server) saveFilter(w http.ResponseWriter, r *http.Request, c caller) error {
	var f struct {
		Filter field[string] `json:"filter"`
	}
	if err := readFields(w, r, maxBody, &f, "filter is a string"); err != nil {
		return err
	}
	if f.Filter.value == nil {
		return badRequest("filter: send a string")
	}
	kept, err := s.people.SaveFilter(r.Context(), c.account, people.SavedFilter{Name: r.PathValue("name"), Filter: *f.Filter.value})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, wire.AppendFilter(nil, kept))
	return nil
}

func (s *Server) deleteFilter(w http.ResponseWriter, r *http.Request, c caller) error {
	if err := s.people.DeleteFilter(r.Context(), c.account, r.PathValue("name")); err != nil {
		return err
	}
	writeNothing(w)
	return nil
}
