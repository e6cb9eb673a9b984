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
    /// Reads `10.0.0.0/8`, or an address, which is a block of one.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) =
            text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits =
            prefix.map_or(Some(most), |prefix| prefix.parse().ok().filter(|bits| *bits <= most))?;
        Some(Self { address, prefix_bits })
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
