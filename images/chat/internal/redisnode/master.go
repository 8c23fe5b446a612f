package redisnode

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// strangerWait is how long the first node of a set that nobody knows waits
	// for the others before it begins without them. They are started together;
	// one that is there says whether it has data. One that has not come by then
	// has no place on this cluster yet.
	strangerWait = 30 * time.Second
	// startPause is between two looks for a master.
	startPause = time.Second
)

// naming is what a Sentinel says about who is master. The one of the higher
// epoch holds.
type naming struct {
	epoch  int64
	master Addr // Sentinel is 0
}

// master decides which node is master. The node starts as master if that is
// itself. It waits while a start could destroy what others hold.
func (n *Node) master(ctx context.Context) (Addr, error) {
	begin := time.Now()
	for told := false; ; told = true {
		named := n.namedMaster(ctx)
		master := named.master
		if master.Host == "" {
			master = n.actingMaster(ctx)
		}
		if master.Host == "" {
			master = Addr{Host: n.First.Host, Redis: n.First.Redis}
		}
		if master.String() != n.Me.String() {
			return master, nil
		}
		has, err := n.hasData()
		if err != nil || has {
			return master, err
		}
		silent, full := n.others(ctx)
		if full == 0 && (silent == 0 || named.master.Host == "" && time.Since(begin) > strangerWait) {
			return master, nil
		}
		if !told {
			n.Log.Warn("named master, but the disk is empty: waiting for the others", "silent", silent, "with_data", full)
		}
		if !pause(ctx, startPause) {
			return Addr{}, context.Cause(ctx)
		}
	}
}

// namedMaster is the master that the other Sentinels name, or that this node's
// own Sentinel has written down.
func (n *Node) namedMaster(ctx context.Context) naming {
	var best naming
	take := func(said naming) {
		if said.master.Host != "" && (best.master.Host == "" || said.epoch > best.epoch) {
			best = said
		}
	}
	for _, peer := range n.Peers {
		fields, err := asMap(n.ask(ctx, peer.Host, peer.Sentinel, "sentinel", "master", MasterName))
		if err != nil {
			continue // it knows no master, or is not there
		}
		port, err1 := strconv.Atoi(fields["port"])
		epoch, err2 := strconv.ParseInt(fields["config-epoch"], 10, 64)
		if err1 == nil && err2 == nil {
			take(naming{epoch, Addr{Host: fields["ip"], Redis: port}})
		}
	}
	take(writtenMaster(n.sentinelConf()))
	return best
}

// asMap reads an answer of names and values.
func asMap(answer *redis.Cmd) (map[string]string, error) {
	list, err := answer.StringSlice()
	if err != nil {
		return nil, err
	}
	fields := make(map[string]string, len(list)/2)
	for pair := range slices.Chunk(list, 2) {
		if len(pair) == 2 {
			fields[pair[0]] = pair[1]
		}
	}
	return fields, nil
}

// writtenMaster reads a Sentinel's configuration, which Sentinel itself keeps
// up to date. The zero naming: there is none.
func writtenMaster(path string) (said naming) {
	file, err := os.Open(path)
	if err != nil {
		return naming{}
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		switch {
		case len(f) == 6 && f[0] == "sentinel" && f[1] == "monitor" && f[2] == MasterName:
			if port, err := strconv.Atoi(f[4]); err == nil {
				said.master = Addr{Host: strings.Trim(f[3], `"`), Redis: port}
			}
		case len(f) == 4 && f[0] == "sentinel" && f[1] == "config-epoch" && f[2] == MasterName:
			said.epoch, _ = strconv.ParseInt(f[3], 10, 64) // Sentinel wrote a number
		}
	}
	if lines.Err() != nil {
		return naming{}
	}
	return said
}

// actingMaster is the node that the other Redis take for their master; the zero
// Addr: they name none.
func (n *Node) actingMaster(ctx context.Context) Addr {
	for _, peer := range n.Peers {
		switch r, err := n.role(ctx, peer.Host, peer.Redis); {
		case err != nil:
		case r.master:
			return Addr{Host: peer.Host, Redis: peer.Redis}
		default:
			return r.of
		}
	}
	return Addr{}
}

// hasData reports whether this node's disk holds a log.
func (n *Node) hasData() (bool, error) {
	info, err := os.Stat(filepath.Join(n.Dir, "appendonlydir", "appendonly.aof.manifest"))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for data: %w", err)
	}
	return info.Size() > 0, nil
}

// others counts the other Redis that do not answer, and those that hold
// something. One that is still loading its file holds something.
func (n *Node) others(ctx context.Context) (silent, full int) {
	for _, peer := range n.Peers {
		size, err := n.ask(ctx, peer.Host, peer.Redis, "dbsize").Int64()
		switch {
		case redis.HasErrorPrefix(err, "LOADING"), err == nil && size > 0:
			full++
		case err != nil:
			silent++
		}
	}
	return silent, full
}
