package redisstore

import (
	_ "embed" // the scripts

	"github.com/redis/go-redis/v9"
)

var (
	//go:embed lua/fence.lua
	fenceLua string
	//go:embed lua/append.lua
	appendLua string
	//go:embed lua/state.lua
	stateLua string
	//go:embed lua/history.lua
	historyLua string
	//go:embed lua/retain.lua
	retainLua string
	//go:embed lua/presence.lua
	presenceLua string
)

// One script, one operation. They never change while the process runs.
var (
	appendScript   = redis.NewScript(fenceLua + numbersLua + appendLua)
	stateScript    = redis.NewScript(fenceLua + stateLua)
	historyScript  = redis.NewScript(historyLua)
	retainScript   = redis.NewScript(retainLua)
	presenceScript = redis.NewScript(presenceLua)
)
