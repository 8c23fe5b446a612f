package redisnode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/redis/go-redis/v9"
)

const usage = `chat redis runs one node of a set of Redis and Sentinel. It takes the place of
redis-server in a pod of the official image: see chatapp.yaml.

  chat redis install FOLDER   copies this program there
  chat redis start            becomes the node's Redis: master, or a replica
  chat redis ready            exit status 0: it is master, or a replica in step
  chat redis leave            if it is master, makes another node master, and waits for it
  chat redis sentinel         becomes the node's Sentinel
  chat redis sentinel-ready   exit status 0: the Sentinel knows the master
  chat redis master           prints the master's host:port, as the Sentinel has it
  chat redis cli ARGUMENT...  redis-cli on this Redis, as the user "system"

Environment: POD_NAME (redis-0), REDIS_NODES (all host names of the
set, comma-separated, the first of a new set first), REDIS_DATA, REDIS_MAXMEMORY,
SYSTEM_PASSWORD, CHAT_PASSWORD, and SYSTEM_PASSWORD_ALSO, CHAT_PASSWORD_ALSO, which
are accepted too.
`

// System is what the command takes from outside.
type System struct {
	Env        func(string) string
	Out        io.Writer
	Log        *slog.Logger
	ResolvConf string // /etc/resolv.conf
}

// Command runs "chat redis ARGS". With nil it is done; a command that becomes
// another program does not return when it succeeds.
func Command(ctx context.Context, args []string, sys System) error {
	redis.SetLogger(noLog{}) // the errors say the same
	if len(args) == 0 || args[0] == "--help" || args[0] == "-h" {
		fmt.Fprint(sys.Out, usage)
		return nil
	}
	name, rest := args[0], args[1:]
	if name == "install" && len(rest) == 1 {
		return install(rest[0])
	}
	run, known := map[string]func(*Node) error{
		"start":          func(n *Node) error { return n.Start(ctx) },
		"ready":          func(n *Node) error { return n.Ready(ctx) },
		"leave":          func(n *Node) error { return n.Leave(ctx) },
		"sentinel":       func(n *Node) error { return n.StartSentinel(ctx) },
		"sentinel-ready": func(n *Node) error { return n.SentinelReady(ctx) },
		"cli":            func(n *Node) error { return n.cli(rest) },
		"master": func(n *Node) error {
			master, err := n.sentinelMaster(ctx)
			if err == nil {
				fmt.Fprintln(sys.Out, master)
			}
			return err
		},
	}[name]
	if !known || name != "cli" && len(rest) > 0 {
		return fmt.Errorf("redis %s: no such command (chat redis --help)", strings.Join(args, " "))
	}
	n, err := fromEnvironment(sys)
	if err != nil {
		return fmt.Errorf("redis %s: %w", name, err)
	}
	if err := run(n); err != nil {
		return fmt.Errorf("redis %s: %w", name, err)
	}
	return nil
}

type noLog struct{}

func (noLog) Printf(context.Context, string, ...any) {}

// Ports of every node.
const redisPort, sentinelPort = 6379, 26379

// fromEnvironment makes the node that a pod's environment describes.
func fromEnvironment(sys System) (*Node, error) {
	env := func(name, otherwise string) string {
		if v := sys.Env(name); v != "" {
			return v
		}
		return otherwise
	}
	n := &Node{
		Name: sys.Env("POD_NAME"), Dir: env("REDIS_DATA", "/data"), Tmp: "/tmp", MaxMemory: env("REDIS_MAXMEMORY", "512mb"),
		Passwords: Passwords{
			Chat: sys.Env("CHAT_PASSWORD"), ChatAlso: sys.Env("CHAT_PASSWORD_ALSO"),
			System: sys.Env("SYSTEM_PASSWORD"), SystemAlso: sys.Env("SYSTEM_PASSWORD_ALSO"),
		},
		Log: sys.Log.With("component", "redisnode"),
	}
	if n.Passwords.Chat == "" || n.Passwords.System == "" {
		return nil, errors.New("CHAT_PASSWORD and SYSTEM_PASSWORD must be set")
	}
	for _, password := range []string{n.Passwords.Chat, n.Passwords.ChatAlso, n.Passwords.System, n.Passwords.SystemAlso} {
		if strings.ContainsFunc(password, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"'#\`, r) }) {
			return nil, errors.New(`a password may hold no space, " ' # \ or letter beyond ASCII: Redis's configuration cannot say it`)
		}
	}
	resolv, err := os.ReadFile(sys.ResolvConf)
	if err != nil {
		return nil, err
	}
	domain := searchDomain(string(resolv))
	for i, host := range strings.Split(sys.Env("REDIS_NODES"), ",") {
		addr := Addr{Host: host + domain, Redis: redisPort, Sentinel: sentinelPort}
		if i == 0 {
			n.First = addr
		}
		if first, _, _ := strings.Cut(host, "."); first == n.Name {
			n.Me = addr
		} else {
			n.Peers = append(n.Peers, addr)
		}
	}
	if n.Me.Host == "" || len(n.Peers) == 0 {
		return nil, fmt.Errorf("POD_NAME %q is not one of REDIS_NODES %q, or there are no others", n.Name, sys.Env("REDIS_NODES"))
	}
	return n, nil
}

// searchDomain is what makes a Service's name whole, up to the last dot: short
// names are tried with each domain of the search list and at last outside the
// cluster, where nobody may answer. Sentinel waits for that, and after 2 s
// without its clock it does nothing for 30 s ("tilt").
func searchDomain(resolvConf string) string {
	for line := range strings.Lines(resolvConf) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "search" {
			return "." + strings.TrimSuffix(f[1], ".") + "."
		}
	}
	return ""
}

// install copies this program into a folder, for a container whose image lacks it.
func install(folder string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("install: %w", err)
	}
	// In one step: the pod's containers may start again while it is written.
	to := filepath.Join(folder, "chat")
	if err := copyProgram(self, to+".new"); err != nil {
		return fmt.Errorf("install: %w", err)
	}
	if err := os.Rename(to+".new", to); err != nil {
		return fmt.Errorf("install: %w", err)
	}
	return nil
}

func copyProgram(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.Remove(to); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err // an earlier try has left it, and it cannot be written to
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o555)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}

// cli becomes redis-cli. The password goes by the environment, where other
// users do not see it.
func (n *Node) cli(args []string) error {
	if err := os.Setenv("REDISCLI_AUTH", n.Passwords.System); err != nil {
		return err
	}
	return become("redis-cli", append([]string{"--no-auth-warning", "--user", "system"}, args...)...)
}
