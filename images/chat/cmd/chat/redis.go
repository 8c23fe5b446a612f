package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"chatapp/chat/internal/redisnode"
)

// redisNode runs "chat redis ARGS", which has nothing to do with serving the
// chat, and gives the exit status.
func redisNode(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	err := redisnode.Command(ctx, args, redisnode.System{
		Env: os.Getenv, Out: os.Stdout, ResolvConf: "/etc/resolv.conf",
		Log: slog.New(slog.NewJSONHandler(os.Stderr, nil)),
	})
	if err != nil {
		fmt.Fprintf(os.Stderr, "chat: %v\n", err)
		return 1
	}
	return 0
}
