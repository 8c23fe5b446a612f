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
	//go:embed lua/agree.lua
	agreeLua string
	//go:embed lua/plant.lua
	plantLua string
	//go:embed lua/probe.lua
	probeLua string
	//go:embed lua/numbers.lua
	numbersLua string
	//go:embed lua/vote.lua
	voteLua string
	//go:embed lua/mark.lua
	markLua string
	//go:embed lua/forget.lua
	forgetLua string
	//go:embed lua/at.lua
	atLua string
)

// What a full Redis has to do still: retention, which frees more than it
// takes, and the little that a server needs to go on, and to start. Redis
// refuses other scripts at their first write; if that is retention's, nothing
// is ever freed.
const alsoWhenFull = "#!lua flags=allow-oom\n"

// One script, one operation. They never change while the process runs.
var (
	appendScript   = redis.NewScript(fenceLua + numbersLua + appendLua)
	stateScript    = redis.NewScript(alsoWhenFull + fenceLua + stateLua)
	historyScript  = redis.NewScript(historyLua)
	retainScript   = redis.NewScript(alsoWhenFull + retainLua)
	presenceScript = redis.NewScript(alsoWhenFull + presenceLua)
	agreeScript    = redis.NewScript(alsoWhenFull + agreeLua)
	plantScript    = redis.NewScript(alsoWhenFull + plantLua)
	probeScript    = redis.NewScript(probeLua)
	voteScript     = redis.NewScript(numbersLua + voteLua)
	markScript     = redis.NewScript(numbersLua + markLua)
	forgetScript   = redis.NewScript(alsoWhenFull + forgetLua)
	atScript       = redis.NewScript(atLua)
)
