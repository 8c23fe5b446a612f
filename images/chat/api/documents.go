// Package api holds the machine-readable documents of the wire contract. The
// server serves them at /api/v1/openapi.yaml and /api/v1/asyncapi.yaml, and a
// test runs their examples against a real one.
package api

import "embed"

// Documents has openapi.yaml and asyncapi.yaml.
//
//go:embed *.yaml
var Documents embed.FS
