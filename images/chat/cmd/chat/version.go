package main

import "runtime/debug"

// version is stamped by the build (-ldflags "-X main.version=…").
var version = "development"

func versionText() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return version + " (" + info.GoVersion + ")"
	}
	return version
}
