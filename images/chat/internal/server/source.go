package server

import (
	"net/http"
	"net/netip"
)

// sourceOf gives what a request is counted under for limits: the IP address it
// comes from, of IPv6 the network that one customer has. Behind a node port or
// a proxy many people have the same one, so limits by source are to be far
// above what one person does. (The address a guest claims to have says
// nothing: it can be changed at will, and used to shut out its owner.)
func sourceOf(r *http.Request) string {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	ip := at.Addr().Unmap().WithZone("")
	if ip.Is6() {
		network, _ := ip.Prefix(64) // fails only for no address
		return network.String()
	}
	return ip.String()
}
