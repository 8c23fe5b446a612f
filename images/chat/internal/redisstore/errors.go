package redisstore

import (
	"errors"
	"fmt"
)

var (
	errClosed = errors.New("the store is closed")
	// errFewReplicas means that what is written is in the master's log, but not
	// yet known to be anywhere else.
	errFewReplicas = errors.New("too few replicas have acknowledged in time; " +
		"without replicas, set the minimum of replicas to none")
	// errReplaced means that the write may be lost: the Redis that took it is
	// no master any more, or will soon learn that another one is.
	errReplaced = errors.New("another Redis has become master")
	// errMoving means that a slot is on its way from one Redis to another.
	errMoving = errors.New("the cluster is moving this to another node")
)

// errPartitions means that the log was made with another number of partitions.
type errPartitions struct{ recorded, set int }

func (e *errPartitions) Error() string {
	return fmt.Sprintf("the log in Redis has %d partitions, this process is set to %d: "+
		"set partitions to %d, or use another key prefix", e.recorded, e.set, e.recorded)
}
