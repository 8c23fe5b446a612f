// The generator is a Locust worker in Go: the crowd of the load lab for numbers
// of people and posts at which a Python worker would measure itself. A Locust
// master leads it as any other worker; see docs/loadlab.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"chatapp/generator/internal/load"
	"chatapp/generator/internal/locust"
)

// probeSuffix ends the id of a probe worker: how the master knows one.
const probeSuffix = "-probe"

func main() { os.Exit(run(os.Args[1:])) }

// run is the whole life of the process; it returns the exit code.
func run(arguments []string) int {
	flags := flag.NewFlagSet("generator", flag.ContinueOnError)
	host := flags.String("master-host", fallback("LOCUST_MASTER_NODE_HOST", "127.0.0.1"), "host of the Locust master")
	port := flags.String("master-port", fallback("LOCUST_MASTER_NODE_PORT", "5557"), "its port")
	flags.Bool("worker", true, "accepted, as Locust's own workers are started with it")
	if err := flags.Parse(arguments); err != nil {
		if err == flag.ErrHelp {
			return 0
		}
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "generator: %q is no flag\n", flags.Arg(0))
		return 2
	}
	// One worker is worth one core, as the gates have it; GOMAXPROCS overrides.
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	probing, suffix := os.Getenv("CHATLOAD_PROBE") != "", ""
	if probing {
		suffix = probeSuffix
	}
	runner, err := locust.NewRunner(*host, *port, suffix, logger)
	if err != nil {
		logger.Error("cannot start", "error", err)
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	worker := load.New(runner, probing, logger)
	asking := make(chan struct{})
	workerCtx, end := context.WithCancel(context.Background())
	go func() {
		defer close(asking)
		worker.Run(workerCtx)
	}()
	runner.Run(ctx, worker)
	end()
	<-asking
	return 0
}

// fallback is an environment variable, or what to take where it is not set.
func fallback(variable, otherwise string) string {
	if value := os.Getenv(variable); value != "" {
		return value
	}
	return otherwise
}
