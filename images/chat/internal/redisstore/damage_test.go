package redisstore_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/redis/go-redis/v9"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/redistest"
	"chatapp/chat/internal/storetest"
)

// canBeDamaged lets the suite change what is stored in a log of one server.
func canBeDamaged(l *storetest.Log, server *redistest.Server, prefix string) {
	l.Rewrite = func(t testing.TB, at chat.ID, edit func(string) string) {
		rewriteEntry(t, server, prefix, at, func(fields []string) []string {
			blob, skip := fields[len(fields)-1], 0
			for range at.Idx {
				skip += 4 + sizeAt(blob[skip:])
			}
			size := sizeAt(blob[skip:])
			record := edit(blob[skip+4 : skip+4+size])
			n := len(record)
			fields[len(fields)-1] = blob[:skip+1] + string([]byte{byte(n), byte(n >> 8), byte(n >> 16)}) + record + blob[skip+4+size:]
			return fields
		})
	}
	damage := func(name string, edit func(fields []string) []string) {
		l.Damages = append(l.Damages, storetest.Damage{Name: name, Do: func(t testing.TB, at chat.ID) {
			rewriteEntry(t, server, prefix, at, edit)
		}})
	}
	damage("another program's entry", func([]string) []string { return []string{"somebody", "else"} })
	damage("another version's entry", func(fields []string) []string { fields[0] = "9"; return fields })
	damage("a field too few", func(fields []string) []string { return slices.Delete(fields, 2, 4) })
	damage("a wrong number of topics", func(fields []string) []string { fields[1] = "7"; return fields })
	damage("no number of topics", func(fields []string) []string { fields[1] = "many"; return fields })
	damage("no events", func(fields []string) []string { fields[len(fields)-1] = ""; return fields })
	damage("a record cut off", func(fields []string) []string {
		blob := fields[len(fields)-1]
		fields[len(fields)-1] = blob[:len(blob)-1]
		return fields
	})
	damage("a header cut off", func(fields []string) []string { fields[len(fields)-1] = "\x00\x01"; return fields })
	damage("a record of zeroes", func(fields []string) []string {
		blob := []byte(fields[len(fields)-1])
		clear(blob[4:])
		fields[len(fields)-1] = string(blob)
		return fields
	})
	damage("a topic that is not listed", func(fields []string) []string {
		fields[len(fields)-1] = "\x07" + fields[len(fields)-1][1:]
		return fields
	})
	damage("a broken chain", func(fields []string) []string { // and an empty record
		fields[3] = "nonsense"
		blob := []byte(fields[len(fields)-1])
		clear(blob[4 : 4+sizeAt(string(blob))])
		fields[len(fields)-1] = string(blob)
		return fields
	})
}

func sizeAt(blob string) int { return int(blob[1]) | int(blob[2])<<8 | int(blob[3])<<16 }

// rewriteEntry changes the fields of the entry that holds an event. A stream
// has no way to do so: it is written anew, under the ids that it had.
func rewriteEntry(t testing.TB, server *redistest.Server, prefix string, at chat.ID, edit func(fields []string) []string) {
	t.Helper()
	ctx := context.Background()
	c := server.Client()
	defer c.Close()
	key := fmt.Sprintf("%s:{p%d}:log", prefix, at.Part)
	id := fmt.Sprintf("%d-%d", at.Ms, at.Seq)
	entries, err := c.Do(ctx, "xrange", key, "-", "+").Slice()
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		tx.Del(ctx, key)
		for _, raw := range entries {
			entry := raw.([]any)
			var fields []string
			for _, field := range entry[1].([]any) {
				fields = append(fields, field.(string))
			}
			if entry[0] == id {
				p := len(fields) - 2 // 'p' and the entry before
				fields = append(edit(slices.Clone(fields[:p])), fields[p:]...)
			}
			args := []any{"xadd", key, entry[0]}
			for _, field := range fields {
				args = append(args, field)
			}
			tx.Do(ctx, args...)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
