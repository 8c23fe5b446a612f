package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/alecthomas/kong"

	"chatapp/chat/internal/localstore"
)

// logCommand runs "chat log ARGS", for operators of the embedded log, and
// gives the exit status: 0 the log is whole, 1 it is not, 2 a wrong call.
func logCommand(args []string, env func(string) string, out, errOut io.Writer) int {
	var c struct {
		Check struct {
			Data string `default:"${data}" help:"folder of the embedded log ($CHAT_DATA)"`
		} `cmd:"" help:"Reads the whole file of the embedded log and says whether it can be used. It changes nothing; the server must not run meanwhile."`
	}
	data := env("CHAT_DATA")
	if data == "" {
		data = dataFolder(env)
	}
	helped := false
	parser, err := kong.New(&c, kong.Name("chat log"), kong.Writers(out, errOut),
		kong.Exit(func(int) { helped = true }), kong.Vars{"data": data})
	if err == nil {
		_, err = parser.Parse(args)
	}
	switch {
	case helped:
		return 0
	case err != nil:
		fmt.Fprintf(errOut, "chat log: %v (--help lists what there is)\n", err)
		return exitSetting
	}
	path := filepath.Join(c.Check.Data, localstore.FileName)
	r, err := localstore.Check(path, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		fmt.Fprintf(errOut, "chat log: there is no log at %s: name its folder with --data\n", path)
		return exitSetting
	case err != nil:
		fmt.Fprintf(errOut, "chat log: %v\n", err)
		return 1
	}
	fmt.Fprintf(out, "%s is whole: %d pages, %d entries\n", path, r.Pages, r.Entries)
	if r.OneMeta {
		fmt.Fprintln(out, "one of its two first pages can't be read: the last append may be lost, and clients will be told so")
		return 1
	}
	return 0
}
