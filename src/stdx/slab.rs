//! Values under keys that are never mistaken for the keys of values that are gone.

/// Slot in the lower half, the slot's generation in the upper: a key outlives its value without meaning another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlabKey(pub u64);

/// Invariants: `free` holds exactly the empty slots.
#[derive(Debug)]
pub struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    pub fn insert(&mut self, value: T) -> SlabKey {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, value: None });
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 values are under way")
        });
        let slot = &mut self.slots[index as usize];
        slot.value = Some(value);
        SlabKey(u64::from(slot.generation) << 32 | u64::from(index))
    }

    #[must_use]
    pub fn get(&self, key: SlabKey) -> Option<&T> {
        self.slots.get(index_of(key)).filter(|slot| slot.generation == generation_of(key))?.value.as_ref()
    }

    pub fn get_mut(&mut self, key: SlabKey) -> Option<&mut T> {
        let slot = self.slots.get_mut(index_of(key)).filter(|slot| slot.generation == generation_of(key))?;
        slot.value.as_mut()
    }

    pub fn remove(&mut self, key: SlabKey) -> Option<T> {
        let slot = self.slots.get_mut(index_of(key)).filter(|slot| slot.generation == generation_of(key))?;
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(key.0 as u32);
        Some(value)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn keys(&self) -> impl Iterator<Item = SlabKey> + '_ {
        self.slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.value.is_some())
            .map(|(index, slot)| SlabKey(u64::from(slot.generation) << 32 | index as u64))
    }
}

fn index_of(key: SlabKey) -> usize {
    (key.0 as u32) as usize
}

fn generation_of(key: SlabKey) -> u32 {
    (key.0 >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_outlives_its_value_without_meaning_another() {
        let mut slab = Slab::default();
        let (a, b) = (slab.insert("a"), slab.insert("b"));
        assert_eq!(slab.remove(a), Some("a"));
        let c = slab.insert("c");
        assert_eq!((slab.get(a), slab.get(b), slab.get(c)), (None, Some(&"b"), Some(&"c")));
        assert_eq!((slab.remove(a), slab.len()), (None, 2));
        assert_eq!(slab.keys().count(), 2);
    }
}
