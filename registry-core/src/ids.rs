//! Ids: compact ones, given out in blocks so that no counter is written for each, and random ones that clients see.

use std::sync::{Mutex, PoisonError};

use crate::Error;
use crate::metadata::{Growth, Lane, Metadata, Rows};
use crate::model::tables::SYSTEM;

/// Declares an id that is a random UUID (RFC 9562, version 4), as clients see it.
macro_rules! random_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub(crate) [u8; 16]);

        impl $name {
            /// The id made of these random bytes.
            pub fn from_random(bytes: [u8; 16]) -> Self {
                Self(uuid::Builder::from_random_bytes(bytes).into_uuid().into_bytes())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                uuid::Uuid::from_bytes(self.0).hyphenated().fmt(f)
            }
        }
    };
}
pub(crate) use random_id;

/// Ids in a block. What is left of a block is lost when the process ends; ids are never given out twice.
const BLOCK: u64 = 4096;

/// The block that ids are being given out from. Namespaces, repositories and events draw from the same.
#[derive(Debug, Default)]
pub(crate) struct Ids(Mutex<std::ops::Range<u64>>);

impl Ids {
    /// An id that was never given out.
    pub(crate) fn fresh(&self, metadata: &Metadata) -> Result<u64, Error> {
        self.fresh_run(metadata, 1)
    }

    /// The first of `count` ids in a row that were never given out.
    pub(crate) fn fresh_run(&self, metadata: &Metadata, count: u64) -> Result<u64, Error> {
        let mut block = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if block.end - block.start < count {
            let len = BLOCK.max(count);
            let start = reserve_block(metadata, len)?;
            *block = start..start + len;
        }
        let id = block.start;
        block.start += count;
        Ok(id)
    }
}

fn reserve_block(metadata: &Metadata, len: u64) -> Result<u64, Error> {
    let key = "next id".to_owned();
    metadata.write_in(Lane::Foreground, Growth::MayUseReserve, |txn| {
        let start = match txn.get(&SYSTEM, &key)? {
            Some(next) => u64::from_be_bytes(next.try_into().map_err(|_| Error::Corrupt("system"))?),
            None => 1,
        };
        txn.put(&SYSTEM, &key, &(start + len).to_be_bytes().to_vec());
        Ok(start)
    })
}
