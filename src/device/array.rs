//! An array in a device's memory.

use std::marker::PhantomData;

use bytemuck::Pod;

use super::{Argument, Arriving, Device, Memory};
use crate::error::Result;

/// `len` values of type `V` on a device. Its methods take the device that made it.
#[derive(Debug)]
pub struct Array<V> {
    memory: Memory,
    len: usize,
    values: PhantomData<V>,
}

impl<V: Pod> Array<V> {
    /// Zeros.
    ///
    /// # Errors
    /// Those of [`Device::allocate`].
    pub fn zeros(device: &dyn Device, len: usize) -> Result<Self> {
        Ok(Self {
            memory: device.allocate(len * size_of::<V>())?,
            len,
            values: PhantomData,
        })
    }

    /// A copy of `values`.
    ///
    /// # Errors
    /// Those of [`zeros`](Self::zeros) and [`write`](Self::write).
    pub fn of(device: &dyn Device, values: &[V]) -> Result<Self> {
        let array = Self::zeros(device, values.len())?;
        array.write(device, values)?;
        Ok(array)
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Replaces the first values.
    pub fn write(&self, device: &dyn Device, values: &[V]) -> Result<()> {
        self.write_at(device, 0, values)
    }

    /// Replaces the values from position `at` on.
    ///
    /// # Errors
    /// Those of the device.
    pub fn write_at(&self, device: &dyn Device, at: usize, values: &[V]) -> Result<()> {
        assert!(at + values.len() <= self.len, "beyond the array");
        if values.is_empty() {
            return Ok(());
        }
        device.write(self.address(at), bytemuck::cast_slice(values))
    }

    /// Copies the first values into `values`.
    ///
    /// # Errors
    /// Those of the device, also of work that it did before.
    pub fn read(&self, device: &dyn Device, values: &mut [V]) -> Result<()> {
        assert!(values.len() <= self.len, "beyond the array");
        if values.is_empty() {
            return Ok(());
        }
        device.read(self.address(0), bytemuck::cast_slice_mut(values))
    }

    /// Begins to copy all values.
    pub fn read_later(&self, device: &dyn Device) -> Result<Box<dyn Arriving>> {
        device.read_later(self.address(0), self.len * size_of::<V>())
    }

    /// All values.
    pub fn to_vec(&self, device: &dyn Device) -> Result<Vec<V>> {
        let mut values = vec![V::zeroed(); self.len];
        self.read(device, &mut values)?;
        Ok(values)
    }

    /// Copies the values of another array of this length, on the device.
    pub fn copy_from(&self, device: &dyn Device, other: &Array<V>) -> Result<()> {
        assert_eq!(self.len, other.len, "arrays of two lengths");
        device.copy(other.address(0), self.address(0), self.len * size_of::<V>())
    }

    /// Address of a value.
    pub fn address(&self, at: usize) -> u64 {
        self.memory.address + (at * size_of::<V>()) as u64
    }

    /// The array as a kernel's argument.
    pub fn argument(&self) -> Argument {
        Argument::of(self.address(0))
    }
}
