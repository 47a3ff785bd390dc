//! Where a rank computes beside its processors: a device with memory of its own, and kernels.
//!
//! Solvers see the trait [`Device`] alone. [`cuda`] is the GPU through its driver; a test has another
//! that runs the same kernels, compiled as host C++, thread by thread: so all that a solver does
//! with a device, but for the speed, is tested on machines without one.

mod array;
pub mod choose;
#[cfg(feature = "cuda")]
pub mod cuda;
#[cfg(feature = "cuda")]
pub mod nvrtc;
#[cfg(feature = "cuda")]
pub mod probe;
pub mod program;

use std::collections::HashMap;
use std::sync::Arc;

pub use array::Array;
pub use choose::DeviceChoice;
pub use program::Program;

use crate::error::{Error, Result};

/// Threads of a block where kernels do not ask for a number.
pub const BLOCK: u32 = 128;

/// A device of this rank. Work is done in the order in which it is asked for; only
/// [`read`](Self::read) and [`wait`](Self::wait) wait for it.
pub trait Device: Send + Sync {
    /// Name for people: "NVIDIA H200".
    fn name(&self) -> String;

    /// Bytes that can be allocated still.
    fn free_memory(&self) -> Result<usize>;

    /// Memory filled with zeros.
    ///
    /// # Errors
    /// [`Error::BadData`] where there is not so much.
    fn allocate(&self, bytes: usize) -> Result<Memory>;

    /// Copies to the device, at an address in memory that it allocated.
    fn write(&self, to: u64, bytes: &[u8]) -> Result<()>;

    /// Copies from the device, after all work so far.
    fn read(&self, from: u64, bytes: &mut [u8]) -> Result<()>;

    /// Begins a copy from the device, of what is there after all work so far; what is asked for later
    /// does not wait for it and must leave the memory alone.
    fn read_later(&self, from: u64, bytes: usize) -> Result<Box<dyn Arriving>>;

    /// Copies on the device.
    fn copy(&self, from: u64, to: u64, bytes: usize) -> Result<()>;

    /// The kernels of a program, by name; compiled at the first time.
    fn load(&self, program: &Program) -> Result<Arc<Kernels>>;

    /// Starts a kernel. `arguments` are those of its signature, in order and size.
    fn launch(&self, launch: Launch, arguments: &[Argument]) -> Result<()>;

    /// Notes the launches of `work` instead of starting them, for [`replay`](Self::replay) at less
    /// cost than launches one by one.
    fn record(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<Box<dyn Recording>>;

    /// Waits for all work so far.
    fn wait(&self) -> Result<()>;
}

/// Bytes on their way from a device.
pub trait Arriving: Send + Sync {
    /// Waits for them.
    fn take(&mut self, bytes: &mut [u8]) -> Result<()>;
}

/// Launches that were noted.
pub trait Recording: Send + Sync {
    /// Starts them all.
    fn replay(&self) -> Result<()>;
}

/// A kernel as its device knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel(pub u64);

/// The kernels of a program.
#[derive(Debug, Default)]
pub struct Kernels {
    pub by_name: HashMap<&'static str, Kernel>,
}

impl Kernels {
    /// The kernel of that name.
    ///
    /// # Errors
    /// [`Error::Bug`]: the program has none.
    pub fn get(&self, name: &str) -> Result<Kernel> {
        let kernel = self.by_name.get(name).copied();
        kernel.ok_or_else(|| Error::Bug(format!("no kernel {name}")))
    }
}

/// What is started: a grid of blocks of threads, with columns first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Launch {
    pub kernel: Kernel,
    pub grid: [u32; 3],
    pub block: [u32; 3],
    /// Bytes of shared memory of a block.
    pub shared: u32,
}

impl Launch {
    /// A thread for each of `count` items, in blocks of [`BLOCK`].
    pub fn over(kernel: Kernel, count: usize) -> Self {
        let blocks = count.div_ceil(BLOCK as usize).max(1);
        Self {
            kernel,
            grid: [blocks as u32, 1, 1],
            block: [BLOCK, 1, 1],
            shared: 0,
        }
    }
}

/// An argument of a kernel: its bytes, aligned for any type.
#[derive(Debug, Clone, PartialEq)]
pub struct Argument {
    words: Vec<u64>,
    bytes: usize,
}

impl Argument {
    /// A number or a structure, by value.
    pub fn of<V: bytemuck::NoUninit>(value: V) -> Self {
        Self::from_bytes(bytemuck::bytes_of(&value))
    }

    /// Those of a structure, as they lie in memory.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut words = vec![0u64; bytes.len().div_ceil(8)];
        bytemuck::cast_slice_mut(&mut words)[..bytes.len()].copy_from_slice(bytes);
        Self {
            words,
            bytes: bytes.len(),
        }
    }

    /// Where it lies.
    pub fn as_ptr(&self) -> *const u64 {
        self.words.as_ptr()
    }

    /// Its size.
    pub fn size(&self) -> usize {
        self.bytes
    }
}

/// Frees memory of a device.
pub trait Release: Send + Sync {
    fn release(&self, address: u64);
}

/// Memory of a device, freed when dropped.
pub struct Memory {
    pub address: u64,
    pub bytes: usize,
    owner: Arc<dyn Release>,
}

impl Memory {
    pub fn new(address: u64, bytes: usize, owner: Arc<dyn Release>) -> Self {
        Self {
            address,
            bytes,
            owner,
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.owner.release(self.address);
        }
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes at {:#x}", self.bytes, self.address)
    }
}

/// Refuses what will not fit, before a long set-up.
///
/// # Errors
/// [`Error::BadData`] with what is needed, what there is, and the remedy.
pub fn check_memory(device: &dyn Device, what: &str, needed: usize) -> Result<()> {
    let free = device.free_memory()?;
    if needed <= free {
        return Ok(());
    }
    Err(too_little(&device.name(), what, needed, Some(free)))
}

/// The error of an allocation that does not fit.
pub fn too_little(device: &str, what: &str, needed: usize, free: Option<usize>) -> Error {
    let gib = |bytes: usize| bytes as f64 / (1u64 << 30) as f64;
    let free = free.map_or(String::new(), |free| {
        format!(", and {:.2} GiB are free on it", gib(free))
    });
    Error::bad_data(
        format!("memory of the device {device}"),
        format!("{what} needs {:.2} GiB{free}", gib(needed)),
        "use more ranks with a device each, precision = \"f32\", or run.device = \"cpu\"",
    )
}
