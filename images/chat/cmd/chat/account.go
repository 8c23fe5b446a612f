package main

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"

	"chatapp/chat/internal/localstore"
	"chatapp/chat/internal/people"
)

// accountCommand runs "chat account ARGS", for operators, while the servers run
// or not, and gives the exit status: 1 it was refused or failed, 2 a wrong call.
func accountCommand(args []string, env func(string) string, in io.Reader, out, errOut io.Writer) int {
	or := func(name, other string) string {
		if v := env(name); v != "" {
			return v
		}
		return other
	}
	var c struct {
		Data             string `default:"${data}" help:"folder of the embedded log ($$CHAT_DATA)"`
		RedisURL         string `default:"${redis}" help:"where the log is, if not embedded ($$REDIS_URL)" placeholder:"URL"`
		RedisPrefix      string `default:"${prefix}" help:"first part of every key in Redis ($$CHAT_REDIS_PREFIX)"`
		RedisMinReplicas string `default:"${replicas}" help:"replicas that have a change before it counts ($$CHAT_REDIS_MIN_REPLICAS)"`

		Add struct {
			Email string `arg:""`
			Name  string `arg:""`
			Stdin bool   `help:"the first line of standard input is the password; else one is made, and printed"`
		} `cmd:"" help:"Makes an account, also while registration is closed."`
		List     struct{} `cmd:"" help:"Lists all accounts: id, address, name, when it was made."`
		Password struct {
			Email string `arg:""`
			Stdin bool   `help:"the first line of standard input is the password; else one is made, and printed"`
		} `cmd:"" help:"Sets the password of an account, and ends all its tokens."`
		Delete struct {
			Email string `arg:""`
		} `cmd:"" help:"Deletes an account, with its tokens, memberships and saved filters. What it said stays."`
	}
	helped := false
	parser, err := kong.New(&c, kong.Name("chat account"), kong.Writers(out, errOut), kong.Exit(func(int) { helped = true }),
		kong.Vars{
			"data": or("CHAT_DATA", dataFolder(env)), "redis": env("REDIS_URL"),
			"prefix": or("CHAT_REDIS_PREFIX", "chat"), "replicas": or("CHAT_REDIS_MIN_REPLICAS", "auto"),
		})
	var found *kong.Context
	if err == nil {
		found, err = parser.Parse(args)
	}
	if helped {
		return 0
	}
	settings := &config{}
	if err == nil {
		settings.Log.Data, settings.Log.RedisURL, settings.Log.RedisPrefix = c.Data, c.RedisURL, c.RedisPrefix
		settings.Log.RedisMinReplicas = c.RedisMinReplicas
		err = errors.Join(checkRedisURL(c.RedisURL), settings.readMinReplicas())
	}
	if err != nil {
		fmt.Fprintf(errOut, "chat account: %v (--help lists what there is)\n", err)
		return exitSetting
	}
	verb, _, _ := strings.Cut(found.Command(), " ")
	call := accountCall{Do: verb, Name: c.Add.Name, Email: c.Add.Email + c.Password.Email + c.Delete.Email}
	made := false
	switch {
	case c.Add.Stdin || c.Password.Stdin:
		line, err := bufio.NewReader(in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			fmt.Fprintf(errOut, "chat account: read the password: %v\n", err)
			return 1
		}
		call.Password = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	case verb == "add" || verb == "password":
		call.Password, made = rand.Text(), true
	}
	if err := withAccounts(settings, call, out, errOut); err != nil {
		fmt.Fprintf(errOut, "chat account: %v\n", err)
		return 1
	}
	if made {
		fmt.Fprintf(out, "password: %s\n", call.Password)
	}
	return 0
}

// withAccounts makes a call: to the server that has the embedded store open,
// if there is one; else on the store itself. An embedded store that this call
// begins is named on errOut: often the server has another folder, and the
// account would be made where nobody looks.
func withAccounts(c *config, call accountCall, out, errOut io.Writer) error {
	if c.Log.RedisURL == "" {
		if err := askOperator(c.Log.Data, call, out); !errors.Is(err, errNoOperator) {
			return err
		}
		if _, err := os.Stat(filepath.Join(c.Log.Data, localstore.FileName)); errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(errOut, "chat account: %s has no log: a new one begins there (--data or CHAT_DATA names the folder, and must name the server's)\n", c.Log.Data)
		}
	}
	logger := slog.New(slog.DiscardHandler)
	store, _, err := openStore(c, logger, nil)
	if err != nil {
		return err
	}
	defer store.Close()
	view := people.NewView(store.directory, logger) // not started: nobody is connected here
	return serveAccount(people.NewService(store.directory, view, people.NewHasher(people.DefaultCost, 0), people.Options{}), call, out)
}
