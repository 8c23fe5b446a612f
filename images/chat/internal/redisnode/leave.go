package redisnode

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// leaveTimeout bounds handing over. It must be well below the pod's grace
	// period, which runs meanwhile.
	leaveTimeout = 20 * time.Second
	// inStepWait is how long a leaving master waits for all of its replicas;
	// after that, one is enough.
	inStepWait = 3 * time.Second
	// undoTimeout bounds taking back a handover that failed.
	undoTimeout = askTimeout
)

var (
	errNoReplica = errors.New("no replica is in step")
	errNoMaster  = errors.New("no other node has become master")
	errNotReady  = errors.New("the copy of the master's data is not whole")
)

// Ready gives nil for a master, and for a replica that is in step with it: so a
// rolling update takes the next node only when this one holds everything again.
func (n *Node) Ready(ctx context.Context) error {
	r, err := n.role(ctx, n.local(), n.Me.Redis)
	if err == nil && !r.master && !r.connected {
		err = errNotReady
	}
	return err
}

// SentinelReady gives nil when the node's Sentinel knows a master.
func (n *Node) SentinelReady(ctx context.Context) error {
	_, err := n.sentinelMaster(ctx)
	return err
}

// sentinelMaster is the master as the node's own Sentinel has it, as host:port.
func (n *Node) sentinelMaster(ctx context.Context) (string, error) {
	master, err := n.namedBy(ctx, Addr{Host: n.local(), Sentinel: n.Me.Sentinel})
	if err != nil {
		return "", fmt.Errorf("ask the Sentinel for the master: %w", err)
	}
	return master.String(), nil
}

// Leave hands the master over, if this node is it, and returns when another
// node is master. Nothing that was acknowledged is lost: writes are held, the
// replicas get what is written, and only then is one of them promoted. Writers
// wait meanwhile, and are then sent to the new master. If it fails, the node
// goes on as the master it was.
func (n *Node) Leave(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	r, err := n.role(ctx, n.local(), n.Me.Redis)
	if err != nil || !r.master {
		return err
	}
	if err := n.tell(ctx, "client", "pause", leaveTimeout.Milliseconds(), "write"); err != nil {
		return fmt.Errorf("hold the writes: %w", err)
	}
	defer func() {
		// Whether this node is still master or a replica by now: writers wait
		// no longer.
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
		defer cancel()
		if undo := n.tell(late, "client", "unpause"); undo != nil {
			err = errors.Join(err, fmt.Errorf("let the writes go on: %w", undo))
		}
	}()
	if err := n.awaitReplicas(ctx); err != nil {
		return err
	}
	promoted, err := n.failover(ctx)
	if err != nil {
		return err
	}
	n.Log.Info("handed over", "master", promoted.String())
	// Sentinel would do this some seconds later, and not at all for a replica that
	// it has not heard of yet: that would go on as the replica of a replica. The
	// clients are cut off, so that they ask for the master anew.
	for _, peer := range n.Peers {
		if peer.String() != promoted.String() {
			_ = n.ask(ctx, peer.Host, peer.Redis, "replicaof", promoted.Host, promoted.Redis).Err() // it may be away
		}
	}
	return errors.Join(
		n.tell(ctx, "replicaof", promoted.Host, promoted.Redis),
		n.tell(ctx, "client", "kill", "type", "normal", "skipme", "yes"))
}

// tell sends a command to the node's own Redis.
func (n *Node) tell(ctx context.Context, command ...any) error {
	return n.ask(ctx, n.local(), n.Me.Redis, command...).Err()
}

// awaitReplicas waits until every replica has received all that is written, for
// Sentinel may promote any of them. It asks the replicas: what the master knows
// of them is up to a second old.
func (n *Node) awaitReplicas(ctx context.Context) error {
	for begin := time.Now(); ; {
		r, err := n.role(ctx, n.local(), n.Me.Redis)
		if err != nil {
			return err
		}
		inStep := 0
		for _, peer := range n.Peers {
			p, err := n.role(ctx, peer.Host, peer.Redis)
			if err == nil && p.connected && p.offset >= r.offset {
				inStep++
			}
		}
		if inStep > 0 && (inStep == len(n.Peers) || time.Since(begin) > inStepWait) {
			return nil
		}
		if !pause(ctx, askPause/2) {
			return errNoReplica
		}
	}
}

// failover has one of the other Sentinels promote a replica, and gives the new
// master once that Sentinel names it.
//
// It asks the same Sentinel all the time: another one, which has not heard of
// the new master yet, would begin a failover of its own.
func (n *Node) failover(ctx context.Context) (Addr, error) {
	for at := 0; ; {
		peer := n.Peers[at%len(n.Peers)]
		master, err := n.namedBy(ctx, peer)
		if err == nil && master.String() != n.Me.String() {
			return master, nil
		}
		if err == nil {
			// It is asked again in case it has given up. If it has not, it
			// answers that it is at work.
			err = n.ask(ctx, peer.Host, peer.Sentinel, "sentinel", "failover", MasterName).Err()
			if redis.HasErrorPrefix(err, "INPROG") {
				err = nil
			}
		}
		if err != nil { // it is away, or was started just now and knows no replica yet
			at++
		}
		if !pause(ctx, askPause) {
			return Addr{}, errors.Join(errNoMaster, err)
		}
	}
}

// namedBy is the master as one Sentinel has it.
func (n *Node) namedBy(ctx context.Context, peer Addr) (Addr, error) {
	said, err := n.ask(ctx, peer.Host, peer.Sentinel, "sentinel", "get-master-addr-by-name", MasterName).StringSlice()
	if err != nil {
		return Addr{}, err
	}
	if len(said) != 2 {
		return Addr{}, errNoMaster
	}
	port, err := strconv.Atoi(said[1])
	return Addr{Host: said[0], Redis: port}, err
}
