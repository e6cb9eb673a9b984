//! Blocks of addresses.

use std::fmt;
use std::net::IpAddr;

/// A block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressBlock {
    /// An address in it.
    pub address: IpAddr,
    /// How many leading bits the others share with it.
    pub prefix_bits: u8,
}

impl AddressBlock {
    /// Reads `10.0.0.0/8`, or an address, which is a block of one. IPv4 addresses in the form of IPv6 are IPv4 addresses.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) =
            text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits: u8 =
            prefix.map_or(Some(most), |prefix| prefix.parse().ok().filter(|bits| *bits <= most))?;
        let is_mapped = address.is_ipv6() && address.to_canonical().is_ipv4();
        let prefix_bits = if is_mapped { prefix_bits.checked_sub(96)? } else { prefix_bits };
        Some(Self { address: address.to_canonical(), prefix_bits })
    }

    /// Whether `address` lies in the block.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(block), IpAddr::V4(address)) => {
                shares_prefix(u32::from(block).into(), u32::from(address).into(), 32, self.prefix_bits)
            }
            (IpAddr::V6(block), IpAddr::V6(address)) => {
                shares_prefix(block.into(), address.into(), 128, self.prefix_bits)
            }
            _ => false,
        }
    }
}

fn shares_prefix(a: u128, b: u128, width: u32, prefix_bits: u8) -> bool {
    let ignored = width.saturating_sub(u32::from(prefix_bits));
    ignored >= 128 || (a ^ b) >> ignored == 0
}

/// As [`AddressBlock::parse`] reads it.
impl fmt::Display for AddressBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_block_in_the_form_of_ipv6_is_the_ipv4_block() {
        for (text, meant) in [
            ("::ffff:10.1.0.0/112", "10.1.0.0/16"),
            ("::ffff:10.1.2.3", "10.1.2.3/32"),
            ("::ffff:0.0.0.0/96", "0.0.0.0/0"),
            ("10.1.0.0/16", "10.1.0.0/16"),
            ("2001:db8::/32", "2001:db8::/32"),
        ] {
            assert_eq!(AddressBlock::parse(text).unwrap().to_string(), meant);
        }
        for text in ["10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0", "::ffff:10.0.0.0/95", ""]
        {
            assert_eq!(AddressBlock::parse(text), None, "{text}");
        }
    }
}
