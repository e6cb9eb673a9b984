//! Addresses that do not mean a host on the internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::origin::AddressBlock;

const fn v4(a: u8, b: u8, c: u8, prefix_bits: u8) -> AddressBlock {
    AddressBlock { address: IpAddr::V4(Ipv4Addr::new(a, b, c, 0)), prefix_bits }
}

const fn v6(a: u16, b: u16, c: u16, prefix_bits: u8) -> AddressBlock {
    AddressBlock { address: IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)), prefix_bits }
}

/// IANA's registries of special-purpose addresses for IPv4 and IPv6, multicast, and what is reserved. Those that only lead
/// to IPv4 addresses by another way are among them, since what they lead to is not checked.
const SPECIAL: [AddressBlock; 29] = [
    v4(0, 0, 0, 8),
    v4(10, 0, 0, 8),
    v4(100, 64, 0, 10),
    v4(127, 0, 0, 8),
    v4(169, 254, 0, 16),
    v4(172, 16, 0, 12),
    v4(192, 0, 0, 24),
    v4(192, 0, 2, 24),
    v4(192, 31, 196, 24),
    v4(192, 52, 193, 24),
    v4(192, 88, 99, 24),
    v4(192, 168, 0, 16),
    v4(192, 175, 48, 24),
    v4(198, 18, 0, 15),
    v4(198, 51, 100, 24),
    v4(203, 0, 113, 24),
    v4(224, 0, 0, 4),
    v4(240, 0, 0, 4),
    // The unspecified address, loopback, and IPv4 addresses in two obsolete forms.
    v6(0, 0, 0, 64),
    v6(0x64, 0xff9b, 0, 32),
    v6(0x100, 0, 0, 32),
    v6(0x2001, 0, 0, 23),
    v6(0x2001, 0xdb8, 0, 32),
    v6(0x2002, 0, 0, 16),
    v6(0x3fff, 0, 0, 20),
    v6(0x5f00, 0, 0, 16),
    v6(0xfc00, 0, 0, 7),
    // Link-local and site-local.
    v6(0xfe80, 0, 0, 9),
    v6(0xff00, 0, 0, 8),
];

/// The block with a special purpose that the address lies in.
pub(super) fn special_block(address: IpAddr) -> Option<AddressBlock> {
    SPECIAL.into_iter().find(|block| block.contains(address))
}
