//! Addresses that are not of the public internet.
//!
//! Source: the IANA registries of special-purpose addresses (iana-ipv4-special-registry,
//! iana-ipv6-special-registry) and of IPv6 address space. A few entries are global by the registry
//! and refused here all the same, because no endpoint of a tenant can be there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Where Azure answers each of its machines (Microsoft: "What is IP address 168.63.129.16?").
const AZURE: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(168, 63, 129, 16), 32);

const IPV4: [(Ipv4Net, &str); 17] = [
    (v4(0, 0, 0, 8), "this network"),            // RFC 791
    (v4(10, 0, 0, 8), "private"),                // RFC 1918
    (v4(100, 64, 0, 10), "carrier-grade NAT"),   // RFC 6598
    (v4(127, 0, 0, 8), "loopback"),              // RFC 1122
    (v4(169, 254, 0, 16), "link-local"),         // RFC 3927; the cloud's metadata service
    (AZURE, "cloud platform"),                   // global by the registry
    (v4(172, 16, 0, 12), "private"),             // RFC 1918
    (v4(192, 0, 0, 24), "protocol assignments"), // RFC 6890
    (v4(192, 0, 2, 24), "documentation"),        // RFC 5737, TEST-NET-1
    (v4(192, 88, 99, 24), "6to4 relay"),         // RFC 7526
    (v4(192, 168, 0, 16), "private"),            // RFC 1918
    (v4(198, 18, 0, 15), "benchmarking"),        // RFC 2544
    (v4(198, 51, 100, 24), "documentation"),     // RFC 5737, TEST-NET-2
    (v4(203, 0, 113, 24), "documentation"),      // RFC 5737, TEST-NET-3
    (v4(224, 0, 0, 4), "multicast"),             // RFC 5771
    (Ipv4Net::new_assert(Ipv4Addr::BROADCAST, 32), "broadcast"), // RFC 919
    (v4(240, 0, 0, 4), "reserved"),              // RFC 1112
];

/// The first match names the range.
const IPV6: [(Ipv6Net, &str); 16] = [
    (Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128), "unspecified"), // RFC 4291
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), "loopback"),      // RFC 4291
    (v6(0, 0, 0, 96), "IPv4-compatible"),                             // RFC 4291, withdrawn
    (v6(0x64, 0xff9b, 1, 48), "local NAT64"),                         // RFC 8215
    (v6(0x100, 0, 0, 64), "discard"),                                 // RFC 6666
    (v6(0x2001, 0, 0, 32), "Teredo"),                                 // RFC 4380
    (v6(0x2001, 0, 0, 23), "protocol assignments"),                   // RFC 2928
    (v6(0x2001, 0xdb8, 0, 32), "documentation"),                      // RFC 3849
    (v6(0x3fff, 0, 0, 20), "documentation"),                          // RFC 9637
    (v6(0xfc00, 0, 0, 7), "unique local"),                            // RFC 4193
    (v6(0xfe80, 0, 0, 10), "link-local"),                             // RFC 4291
    (v6(0xfec0, 0, 0, 10), "site-local"),                             // RFC 3879, withdrawn
    (v6(0xff00, 0, 0, 8), "multicast"),                               // RFC 4291
    // RFC 4291: 2000::/3 is all that was ever given out. The rest, in three pieces.
    (v6(0, 0, 0, 3), "not assigned"),
    (v6(0x4000, 0, 0, 2), "not assigned"),
    (v6(0x8000, 0, 0, 1), "not assigned"),
];

/// Ranges whose addresses carry an IPv4 address that the packet ends up at, and the first of the
/// two segments that hold it.
const CARRIERS: [(Ipv6Net, usize); 3] = [
    (Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96), 6), // RFC 4291, mapped
    (v6(0x64, 0xff9b, 0, 96), 6),                                             // RFC 6052, NAT64
    (v6(0x2002, 0, 0, 16), 1),                                                // RFC 3056, 6to4
];

/// Where a machine reaches itself, and what answers on its own link: on Lambda the runtime's own API.
const OWN: [IpNet; 7] = [
    IpNet::V4(v4(0, 0, 0, 8)),
    IpNet::V4(v4(127, 0, 0, 8)),
    IpNet::V4(v4(169, 254, 0, 16)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
    IpNet::V6(v6(0xfe80, 0, 0, 10)),
    // The same in IPv4-mapped form.
    IpNet::V6(CARRIERS[0].0),
];

/// Whether a network holds any of the machine's own addresses.
pub(super) fn holds_own(network: &IpNet) -> bool {
    OWN.iter().any(|own| own.contains(network) || network.contains(own))
}

/// The name of the range that makes an address not public.
pub(super) fn not_public(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(ip) => IPV4.iter().find(|(net, _)| net.contains(&ip)).map(|(_, name)| *name),
        IpAddr::V6(ip) => IPV6.iter().find(|(net, _)| net.contains(&ip)).map(|(_, name)| *name),
    }
}

/// The IPv4 address that an IPv6 address stands for.
pub(super) fn inner(ip: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(ip) = ip else { return None };
    let (_, at) = CARRIERS.iter().find(|(net, _)| net.contains(&ip))?;
    let [a, b] = [ip.segments()[*at], ip.segments()[*at + 1]];
    Some(Ipv4Addr::from((u32::from(a) << 16) | u32::from(b)))
}

const fn v4(a: u8, b: u8, c: u8, bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), bits)
}

const fn v6(a: u16, b: u16, c: u16, bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), bits)
}
