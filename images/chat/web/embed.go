// Package web holds the built page, so that the server is one file. dist is
// made by "npm run build" (see the Makefile) and is not in version control.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Dist is the folder of built files, index.html among them if it was built.
func Dist() fs.FS {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // "dist" is a valid name, or this would not have compiled
	}
	return sub
}
