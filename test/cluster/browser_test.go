package cluster

import (
	"os/exec"
	"testing"
)

// inBrowser: two people and a tester, in a real browser.
func inBrowser(t *testing.T) {
	for _, tool := range []string{"node", "npm", setting("CHROMIUM", "chromium")} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no %s here", tool)
		}
	}
	must(t, "make", "--no-print-directory", "-s", "images/chat/web/node_modules/.installed")
	shots := setting("REPORT_DIR", t.TempDir())
	t.Log(must(t, "node", "test/cluster/browser.mjs", nodePort(t, 30222), nodePort(t, 30223), shots))
}
