package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/people"
)

// accountCall is what "chat account" asks for. It is sent as JSON to a server
// that has the embedded store open.
type accountCall struct {
	Do                    string // add, list, password, delete
	Email, Name, Password string
}

// accountWait bounds one call. The call list has no bound.
const accountWait = 15 * time.Second

// serveAccount makes a call and writes what it gives.
func serveAccount(s *people.Service, call accountCall, out io.Writer) error {
	ctx := context.Background()
	if call.Do == "list" {
		return plain(s.Accounts(ctx, func(a people.Account) error {
			_, err := fmt.Fprintf(out, "%s\t%s\t%s\t%s\n", a.ID, a.Email, a.Name, a.Created.Format(time.RFC3339))
			return err
		}))
	}
	ctx, cancel := context.WithTimeout(ctx, accountWait)
	defer cancel()
	switch call.Do {
	case "add":
		a, err := s.AddAccount(ctx, call.Email, call.Name, call.Password)
		if err == nil {
			fmt.Fprintf(out, "%s\t%s\t%s\n", a.ID, a.Email, a.Name)
		}
		return plain(err)
	case "password":
		return plain(s.SetPassword(ctx, call.Email, call.Password))
	case "delete":
		return plain(s.RemoveAccount(ctx, call.Email))
	}
	return fmt.Errorf("%q is none of add, list, password, delete", call.Do)
}

// plain gives an error in words for people.
func plain(err error) error {
	if e, ok := errors.AsType[*chat.Error](err); ok {
		switch {
		case e.Code == chat.CodeNotFound:
			return errors.New("there is no account of this address")
		case e.Cause != nil:
			return fmt.Errorf("%s: %w", e.Message, e.Cause)
		}
		return errors.New(e.Message)
	}
	return err
}
