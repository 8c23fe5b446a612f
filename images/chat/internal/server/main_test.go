package server_test

import (
	"log/slog"
	"testing"

	"go.uber.org/goleak"

	"chatapp/chat/internal/redisstore"
)

func TestMain(m *testing.M) {
	redisstore.LogClient(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m)
}
