//! Values that many entries share, kept once and named by a small number.

use std::{borrow::ToOwned, collections::HashMap, hash::Hash, sync::Arc};

/// Distinct values, numbered from 0 in the order in which they came.
pub(super) struct Interned<T: ?Sized> {
    numbers: HashMap<Arc<T>, u32>,
    values: Vec<Arc<T>>,
}

impl<T: ?Sized> Default for Interned<T> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), values: Vec::new() }
    }
}

impl<T: ?Sized + Eq + Hash + ToOwned> Interned<T>
where
    Arc<T>: From<T::Owned>,
{
    /// The number of a value, a new one if it was not known.
    pub fn number(&mut self, value: &T) -> u32 {
        if let Some(number) = self.get(value) {
            return number;
        }
        self.add(Arc::from(value.to_owned()))
    }

    /// The number of a value that is not contained.
    fn add(&mut self, value: Arc<T>) -> u32 {
        let number = super::number(self.values.len());
        self.values.push(Arc::clone(&value));
        self.numbers.insert(value, number);
        number
    }

    pub fn get(&self, value: &T) -> Option<u32> {
        self.numbers.get(value).copied()
    }

    pub fn values(&self) -> &[Arc<T>] {
        &self.values
    }

    /// The value of a number that [`number`](Self::number) gave.
    pub fn value(&self, number: u32) -> &T {
        &self.values[number as usize]
    }
}

/// Takes over from an old table what is still used.
pub(super) struct Renewed<'a, T: ?Sized> {
    old: &'a Interned<T>,
    new: Interned<T>,
    /// New numbers by old ones.
    numbers: Vec<Option<u32>>,
}

impl<'a, T: ?Sized + Eq + Hash + ToOwned> Renewed<'a, T>
where
    Arc<T>: From<T::Owned>,
{
    pub fn new(old: &'a Interned<T>) -> Self {
        Self { old, new: Interned::default(), numbers: vec![None; old.values.len()] }
    }

    /// The new number of an old one.
    pub fn number(&mut self, old: u32) -> u32 {
        self.number_with(old, Arc::clone)
    }

    /// The new number of an old one, whose value is changed; different values have to stay different.
    pub fn number_with(&mut self, old: u32, change: impl FnOnce(&Arc<T>) -> Arc<T>) -> u32 {
        let number = &mut self.numbers[old as usize];
        *number.get_or_insert_with(|| self.new.add(change(&self.old.values[old as usize])))
    }

    pub fn finish(self) -> Interned<T> {
        self.new
    }
}
