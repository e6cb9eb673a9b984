//! What was learned a moment ago, within bounds.

use std::collections::HashMap;
use std::hash::Hash;

/// A map of at most so many entries: two that take turns. When the young one is full, it becomes the old one and the old
/// one goes, so that eviction costs nothing.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    capacity: usize,
}

impl<K: Eq + Hash, V> Recent<K, V> {
    /// An empty map of at most `capacity` entries.
    pub(crate) fn of_capacity(capacity: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), capacity }
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    pub(crate) fn put(&mut self, key: K, value: V) {
        if self.young.len() >= self.capacity / 2 && !self.young.contains_key(&key) {
            self.turn();
        }
        self.young.insert(key, value);
    }

    pub(crate) fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    /// Lets what is old go, and what is young grow old.
    pub(crate) fn turn(&mut self) {
        self.old = std::mem::take(&mut self.young);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_kept_and_the_number_is_bounded() {
        let mut recent = Recent::of_capacity(8);
        for key in 0..100 {
            recent.put(key, key);
            assert!(recent.len() <= 8);
        }
        assert!((96..100).all(|key| recent.get(&key) == Some(&key)));
        assert_eq!(recent.get(&0), None);
        recent.remove(&99);
        assert_eq!(recent.get(&99), None);
    }
}
