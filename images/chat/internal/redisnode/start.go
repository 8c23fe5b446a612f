package redisnode

import (
	"bytes"
	"context"
	"crypto/sha1"
	_ "embed" // the configurations
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"text/template"
)

var (
	//go:embed redis.conf.tmpl
	redisConfText string
	//go:embed sentinel.conf.tmpl
	sentinelConfText string

	redisConfTemplate    = template.Must(template.New("redis.conf").Option("missingkey=error").Parse(redisConfText))
	sentinelConfTemplate = template.Must(template.New("sentinel.conf").Option("missingkey=error").Parse(sentinelConfText))
)

// Start becomes the node's Redis, as master or as a replica. It returns only
// with an error.
func (n *Node) Start(ctx context.Context) error {
	if err := n.configureRedis(ctx); err != nil {
		return fmt.Errorf("configure redis: %w", err)
	}
	return become("redis-server", n.redisConf())
}

// StartSentinel becomes the node's Sentinel. It returns only with an error.
func (n *Node) StartSentinel(ctx context.Context) error {
	if err := n.configureSentinel(ctx); err != nil {
		return fmt.Errorf("configure sentinel: %w", err)
	}
	return become("redis-server", n.sentinelConf(), "--sentinel")
}

// become replaces this process, so that signals and exit status are the
// other's own.
func become(program string, args ...string) error {
	path, err := exec.LookPath(program)
	if err != nil {
		return err
	}
	return fmt.Errorf("run %s: %w", path, syscall.Exec(path, append([]string{program}, args...), os.Environ()))
}

// configureRedis finds the master and writes redis.conf anew. Redis rewrites it
// when Sentinel changes its role.
func (n *Node) configureRedis(ctx context.Context) error {
	master, err := n.master(ctx)
	if err != nil {
		return fmt.Errorf("find the master: %w", err)
	}
	n.Log.Info("the master is known", "master", master.String(), "is_me", master.String() == n.Me.String())
	conf := struct {
		*Node
		Master                         *Addr
		SystemPasswords, ChatPasswords string
	}{Node: n, SystemPasswords: n.Passwords.system(), ChatPasswords: n.Passwords.chat()}
	if master.String() != n.Me.String() {
		conf.Master = &master
	}
	return write(n.redisConf(), redisConfTemplate, conf, nil)
}

// configureSentinel writes sentinel.conf. What Sentinel has learned stays;
// users and passwords may be new.
func (n *Node) configureSentinel(ctx context.Context) error {
	if err := await(ctx, n.Me.Host); err != nil {
		return err
	}
	kept, err := keptSentinelConf(n.sentinelConf())
	if err != nil {
		return err
	}
	// The id is made of the name: a node that comes back with an empty disk is
	// the same Sentinel to the others, not one more that must be outvoted.
	id := sha1.Sum([]byte(n.Name))
	conf := struct {
		*Node
		Fresh                          bool
		ID, Name                       string
		Master                         Addr
		SystemPasswords, ChatPasswords string
	}{
		Node: n, Fresh: len(kept) == 0, ID: hex.EncodeToString(id[:]), Name: MasterName,
		SystemPasswords: n.Passwords.system(), ChatPasswords: n.Passwords.chat(),
	}
	if conf.Fresh {
		conf.Master = n.namedMaster(ctx).master
		if conf.Master.Host == "" {
			conf.Master = n.actingMaster(ctx)
		}
		if conf.Master.Host == "" {
			conf.Master = n.First
		}
		if err := await(ctx, conf.Master.Host); err != nil {
			return err
		}
	}
	return write(n.sentinelConf(), sentinelConfTemplate, conf, kept)
}

// keptSentinelConf is a Sentinel's configuration without what each start sets.
func keptSentinelConf(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	var kept bytes.Buffer
	for line := range strings.Lines(string(text)) {
		f := append(strings.Fields(line), "", "")
		if f[0] == "user" || f[0] == "sentinel" && (f[1] == "auth-user" || f[1] == "auth-pass" || f[1] == "sentinel-user" || f[1] == "sentinel-pass") {
			continue
		}
		kept.WriteString(strings.TrimSuffix(line, "\n") + "\n")
	}
	return kept.Bytes(), nil
}

// write replaces a file in one step. It holds passwords: only its owner reads it.
func write(path string, t *template.Template, data any, before []byte) error {
	text := bytes.NewBuffer(before)
	if err := t.Execute(text, data); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", text.Bytes(), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func (p Passwords) system() string { return accepted(p.System, p.SystemAlso) }
func (p Passwords) chat() string   { return accepted(p.Chat, p.ChatAlso) }

// accepted is passwords as an ACL has them.
func accepted(passwords ...string) string {
	var words []string
	for _, p := range passwords {
		if p != "" {
			words = append(words, ">"+p)
		}
	}
	return strings.Join(words, " ")
}
