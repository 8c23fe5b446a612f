package main

import "errors"

// exitSetting is the exit status after a setting that cannot be used.
const exitSetting = 2

// errSetting marks an error that a wrong setting has caused.
var errSetting = errors.New("check the settings")

// exitStatus is how the process ends after an error of run.
func exitStatus(err error) int {
	if errors.Is(err, errSetting) {
		return exitSetting
	}
	return 1
}
