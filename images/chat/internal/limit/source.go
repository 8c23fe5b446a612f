package limit

import "net/netip"

// Source gives what somebody at an address ("ip:port") is counted under for
// limits: the IP address, of IPv6 the network that one customer has. Behind a
// node port or a proxy many people have the same one, so limits by source are
// to be far above what one person does. (The address a guest claims to have
// says nothing: it can be changed at will, and used to shut out its owner.)
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
