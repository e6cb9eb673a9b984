//! Compact ids, given out in blocks so that no counter is written for each.

use std::sync::{Mutex, PoisonError};

use crate::Error;
use crate::metadata::{Growth, Lane, Metadata, Rows};
use crate::model::tables::SYSTEM;

/// Ids in a block. What is left of a block is lost when the process ends; ids are never given out twice.
const BLOCK: u64 = 4096;

/// The block that ids are being given out from. Namespaces and repositories draw from the same.
#[derive(Debug, Default)]
pub(crate) struct Ids(Mutex<std::ops::Range<u64>>);

impl Ids {
    /// An id that was never given out.
    pub(crate) fn fresh(&self, metadata: &Metadata) -> Result<u64, Error> {
        let mut block = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if block.is_empty() {
            let start = reserve_block(metadata)?;
            *block = start..start + BLOCK;
        }
        let id = block.start;
        block.start += 1;
        Ok(id)
    }
}

fn reserve_block(metadata: &Metadata) -> Result<u64, Error> {
    let key = "next id".to_owned();
    metadata.write_in(Lane::Foreground, Growth::MayUseReserve, |txn| {
        let start = match txn.get(&SYSTEM, &key)? {
            Some(next) => u64::from_be_bytes(next.try_into().map_err(|_| Error::Corrupt("system"))?),
            None => 1,
        };
        txn.put(&SYSTEM, &key, &(start + BLOCK).to_be_bytes().to_vec());
        Ok(start)
    })
}
