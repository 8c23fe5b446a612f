package limit

import "net/netip"

// Source gives the key for limits of a client at an address ("ip:port"): the IP
// address or, for IPv6, the network of one customer. Behind a node port or a
// proxy many people have the same one, so limits by source must be far above
// what one person does. (The email address of a guest is no key: a guest can
// change it at will, and could use up the limit of its owner.)
func Source(address string) string {
	at, err := netip.ParseAddrPort(address)
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
