package people

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"chatapp/chat/internal/chat"
)

// Limits of a password, in code points.
const (
	MinPassword = 10
	MaxPassword = 256
)

// Register makes an account and signs it in with a new token. CodeConflict:
// the address has one.
func (s *Service) Register(ctx context.Context, email, name, password string) (Account, string, error) {
	if s.options.RegistrationClosed {
		return Account{}, "", forbidden("this chat takes no new accounts; ask whoever runs it for one")
	}
	return s.register(ctx, email, name, password, newToken())
}

// register makes an account with a first token, or with none if that is "".
func (s *Service) register(ctx context.Context, email, name, password, token string) (Account, string, error) {
	a := Account{ID: newID(), Email: email, Folded: chat.FoldAddress(email)}
	var ok bool
	if !chat.ValidAddress(email) {
		return a, "", refusal(chat.CodeBadMessage, "email: send an address such as ann@example.org, without display name, at most %d characters", chat.MaxEmail)
	}
	if a.Name, ok = chat.Line(name, chat.MaxName); !ok {
		return a, "", badName("name", chat.MaxName)
	}
	if err := checkPassword("password", password); err != nil {
		return a, "", err
	}
	taken := refusal(chat.CodeConflict, "email: this address has an account; sign in")
	switch _, err := s.dir.AccountAt(ctx, a.Folded); { // before the work of hashing
	case err == nil:
		return a, "", taken
	case !errors.Is(err, ErrNone):
		return a, "", failed(err)
	}
	leave, err := s.hasher.Enter(ctx)
	if err != nil {
		return a, "", err
	}
	defer leave()
	a.Password = s.hasher.Make(password)
	var digest Digest
	if token != "" {
		digest = digestOf(token)
	}
	err = s.dir.Register(ctx, a, digest)
	if errors.Is(err, ErrTaken) {
		return a, "", taken
	}
	if err != nil {
		return a, "", failed(err)
	}
	s.view.Heard(Change{Kind: Registered, Account: a.ID, Address: a.Folded})
	return a, token, nil
}

func checkPassword(field, password string) error {
	n := utf8.RuneCountInString(password)
	if n < MinPassword || n > MaxPassword || !utf8.ValidString(password) || strings.IndexByte(password, 0) >= 0 {
		return refusal(chat.CodeBadMessage, "%s: choose %d to %d characters", field, MinPassword, MaxPassword)
	}
	return nil
}

// SignIn gives an account a new token. CodeUnauthorised, in the same words and
// after the same work, whether there is no such account or the password is
// wrong; CodeRateLimited while the address is locked.
func (s *Service) SignIn(ctx context.Context, email, password string) (Account, string, error) {
	if !chat.ValidAddress(email) {
		return Account{}, "", refusal(chat.CodeBadMessage, "email: send the address of the account")
	}
	folded := chat.FoldAddress(email)
	leave, err := s.hasher.Enter(ctx)
	if err != nil {
		return Account{}, "", err
	}
	defer leave()
	// The lock is looked at after the hasher lets this call in. So of many
	// guesses that are sent at once, few are tried before the address is
	// locked.
	if err := s.unlocked(ctx, folded); err != nil {
		return Account{}, "", err
	}
	a, err := s.dir.AccountAt(ctx, folded)
	if err != nil && !errors.Is(err, ErrNone) {
		return Account{}, "", failed(err)
	}
	wrong := signIn("the address or the password is wrong")
	right, weak, err := s.hasher.Check(password, a.Password)
	if err != nil {
		return Account{}, "", chat.AsError(err)
	}
	if !right {
		if err := s.dir.Wrong(ctx, folded); err != nil {
			return Account{}, "", failed(err)
		}
		return Account{}, "", wrong
	}
	rehash := ""
	if weak {
		rehash = s.hasher.Make(password)
	}
	token := newToken()
	err = s.dir.SignIn(ctx, a.ID, a.Password, digestOf(token), rehash)
	if errors.Is(err, ErrStale) { // changed while it was checked
		return Account{}, "", wrong
	}
	if err != nil {
		return Account{}, "", failed(err)
	}
	return a, token, nil
}

// unlocked gives CodeRateLimited while an address is locked.
func (s *Service) unlocked(ctx context.Context, folded string) error {
	left, err := s.dir.Locked(ctx, folded)
	if err != nil {
		return failed(err)
	}
	if left > 0 {
		return &chat.Error{
			Code: chat.CodeRateLimited, Message: "too many wrong passwords for this address; wait a minute",
			RetryAfter: left,
		}
	}
	return nil
}

// SignOut ends a token.
func (s *Service) SignOut(ctx context.Context, who Account, token string) error {
	if err := s.dir.SignOut(ctx, digestOf(token)); err != nil {
		return failed(err)
	}
	s.view.Heard(Change{Kind: SignedOut, Account: who.ID, Token: digestOf(token)})
	return nil
}

// Session gives the account of a token, and counts as use of it.
// CodeUnauthorised: the token is not known, or not any more.
func (s *Service) Session(ctx context.Context, token string) (Account, error) {
	a, err := s.dir.Session(ctx, digestOf(token))
	if errors.Is(err, ErrNone) {
		return a, errToken()
	}
	return a, failed(err)
}

// ChangeAccount changes name and password (nil: not), for whoever knows the
// current password. A new password ends every token but the one that is kept.
func (s *Service) ChangeAccount(ctx context.Context, who Account, keep string, name, password *string, current string) (Account, error) {
	c := AccountChange{Keep: digestOf(keep)}
	if name != nil {
		line, ok := chat.Line(*name, chat.MaxName)
		if !ok {
			return who, badName("name", chat.MaxName)
		}
		c.Name = &line
	}
	if password != nil {
		if err := checkPassword("password", *password); err != nil {
			return who, err
		}
	}
	leave, err := s.hasher.Enter(ctx)
	if err != nil {
		return who, err
	}
	defer leave()
	if who, err = s.confirm(ctx, who, current); err != nil {
		return who, err
	}
	if password != nil {
		hash := s.hasher.Make(*password)
		c.Password = &hash
	}
	a, err := s.dir.Change(ctx, who.ID, who.Password, c)
	if err != nil {
		return a, confirmed(err)
	}
	if c.Name != nil {
		s.view.Heard(Change{Kind: Renamed, Account: a.ID})
	}
	if c.Password != nil {
		s.view.Heard(Change{Kind: NewPassword, Account: a.ID, Token: c.Keep})
	}
	return a, nil
}

// DeleteAccount removes an account, for whoever knows its password.
func (s *Service) DeleteAccount(ctx context.Context, who Account, current string) error {
	leave, err := s.hasher.Enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if who, err = s.confirm(ctx, who, current); err != nil {
		return err
	}
	return s.remove(ctx, who, who.Password)
}

func (s *Service) remove(ctx context.Context, a Account, was string) error {
	if err := s.dir.Delete(ctx, a.ID, was); err != nil {
		return confirmed(err)
	}
	s.view.Heard(Change{Kind: Deleted, Account: a.ID, Address: a.Folded})
	return nil
}

// confirm checks the current password of an account, and gives the account as
// it is now. The hasher has let the caller in.
func (s *Service) confirm(ctx context.Context, who Account, current string) (Account, error) {
	if err := s.unlocked(ctx, who.Folded); err != nil {
		return who, err
	}
	a, err := s.dir.Account(ctx, who.ID)
	if errors.Is(err, ErrNone) {
		return who, errToken()
	}
	if err != nil {
		return who, failed(err)
	}
	right, _, err := s.hasher.Check(current, a.Password)
	if err != nil {
		return who, chat.AsError(err)
	}
	if !right {
		if err := s.dir.Wrong(ctx, a.Folded); err != nil {
			return who, failed(err)
		}
		return who, errCurrent()
	}
	return a, nil
}

// What follows is for the operator, who needs no password.

// AddAccount makes an account, also while registration is closed.
func (s *Service) AddAccount(ctx context.Context, email, name, password string) (Account, error) {
	a, _, err := s.register(ctx, email, name, password, "")
	return a, err
}

// Accounts calls each with every account, in no order; one that comes or goes
// meanwhile may be left out or come twice.
func (s *Service) Accounts(ctx context.Context, each func(Account) error) error {
	for after := ""; ; {
		page, next, err := s.dir.Accounts(ctx, after, 100)
		if err != nil {
			return failed(err)
		}
		for _, a := range page {
			if err := each(a); err != nil {
				return err
			}
		}
		if after = next; next == "" {
			return nil
		}
	}
}

// SetPassword gives the account of an address a new password and ends all of
// its tokens.
func (s *Service) SetPassword(ctx context.Context, email, password string) error {
	if err := checkPassword("password", password); err != nil {
		return err
	}
	a, err := s.dir.AccountAt(ctx, chat.FoldAddress(email))
	if err != nil {
		return failed(err)
	}
	leave, err := s.hasher.Enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	hash := s.hasher.Make(password)
	if _, err := s.dir.Change(ctx, a.ID, "", AccountChange{Password: &hash}); err != nil {
		return failed(err)
	}
	s.view.Heard(Change{Kind: NewPassword, Account: a.ID})
	return nil
}

// RemoveAccount deletes the account of an address.
func (s *Service) RemoveAccount(ctx context.Context, email string) error {
	a, err := s.dir.AccountAt(ctx, chat.FoldAddress(email))
	if err != nil {
		return failed(err)
	}
	return s.remove(ctx, a, "")
}
