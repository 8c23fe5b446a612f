// Command chat serves the chat. It only wires: settings, log, service,
// sessions, HTTP, and how they end.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "redis":
			os.Exit(redisNode(os.Args[2:]))
		case "account":
			os.Exit(accountCommand(os.Args[2:], os.Getenv, os.Stdin, os.Stdout, os.Stderr))
		case "log":
			os.Exit(logCommand(os.Args[2:], os.Getenv, os.Stdout, os.Stderr))
		}
	}
	c, err := parse(os.Args[1:], os.Getenv, os.Stdout)
	switch {
	case errors.Is(err, errHelp):
		return
	case err != nil:
		fmt.Fprintf(os.Stderr, "chat: %v\n", err)
		os.Exit(exitSetting)
	case c.Version:
		fmt.Println("chat", versionText())
		return
	}
	// The first signal drains; after it, a second one has its usual effect.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, stop)
	if err := run(ctx, c, os.Stdout, newLogger(c, os.Stderr)); err != nil {
		fmt.Fprintf(os.Stderr, "chat: %v\n", err)
		os.Exit(exitStatus(err))
	}
}

func newLogger(c *config, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Logging.LogLevel)) // parse has checked it
	options := &slog.HandlerOptions{Level: level}
	if c.Logging.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
