//! A device that runs the kernels as host C++, compiled by g++: the whole path of the GPU but for
//! the driver, thread by thread.

use std::collections::HashMap;
use std::ffi::{CString, c_void};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use isochrone::device::cuda::Cuda;
use isochrone::device::{
    Argument, Arriving, Device, Kernel, Kernels, Launch, Memory, Program, Recording, Release,
};
use isochrone::error::{Error, Result};
use isochrone::sha256;
use libloading::Library;

/// Programs that were compiled, for all tests of the process.
static LIBRARIES: Mutex<Option<HashMap<String, &'static HostProgram>>> = Mutex::new(None);

struct HostProgram {
    library: Library,
    /// Kernels use variables of the library: one launch at a time.
    busy: Mutex<()>,
}

/// Launches a kernel or notes its sizes.
struct HostKernel {
    program: &'static HostProgram,
    launch: unsafe extern "C" fn(*const HostLaunch, *mut *mut c_void),
    sizes: Vec<usize>,
    name: &'static str,
}

#[repr(C)]
struct HostLaunch {
    grid: [u32; 3],
    block: [u32; 3],
    shared: u32,
}

/// The device; `reversed`: threads and blocks take their turns the other way round.
pub struct HostDevice {
    pub reversed: bool,
    /// Bytes that it pretends to have.
    pub memory: usize,
    recorded: Mutex<Option<Vec<Launched>>>,
}

/// A launch with its arguments.
type Launched = (Launch, Vec<Argument>);

impl HostDevice {
    pub fn open(reversed: bool) -> Arc<dyn Device> {
        Arc::new(Self::with_memory(reversed, 1 << 30))
    }

    pub fn with_memory(reversed: bool, memory: usize) -> Self {
        Self {
            reversed,
            memory,
            recorded: Mutex::new(None),
        }
    }
}

/// Opens a device anew.
pub type Open = Box<dyn Fn() -> Arc<dyn Device> + Sync>;

/// The devices that kernels are tested on: the host with threads in two orders, and a GPU where there
/// is one.
pub fn devices() -> Vec<(&'static str, Open)> {
    let mut all: Vec<(&'static str, Open)> = Vec::new();
    let told = Command::new(compiler()).arg("--version").output();
    if told.is_ok_and(|output| output.status.success()) {
        all.push(("host", Box::new(|| HostDevice::open(false))));
        all.push(("host, reversed", Box::new(|| HostDevice::open(true))));
    } else {
        eprintln!("SKIPPED on the host: there is no {}", compiler());
    }
    if let Ok(found) = isochrone::device::probe::devices() {
        let gpu = move || Arc::new(Cuda::open(&found[0]).unwrap()) as Arc<dyn Device>;
        all.push(("GPU", Box::new(gpu)));
    }
    assert!(!all.is_empty(), "neither a C++ compiler nor a GPU");
    all
}

fn compiler() -> String {
    std::env::var("CXX").unwrap_or("g++".into())
}

/// What makes the kernels host C++.
const SHIM: &str = include_str!("host.hpp");

/// Folder of the compiled libraries; where the test runs on another machine than it was built on, one
/// for temporary files.
fn folder() -> PathBuf {
    let built = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let base = if built.is_dir() {
        built.to_owned()
    } else {
        std::env::temp_dir()
    };
    base.join("cuda-host")
}

fn compile(program: &Program) -> &'static HostProgram {
    let text = program.text();
    let key = sha256::of_bytes(&[text.as_bytes(), SHIM.as_bytes()].concat());
    let mut all = LIBRARIES.lock().unwrap_or_else(PoisonError::into_inner);
    let all = all.get_or_insert_default();
    if let Some(known) = all.get(&key) {
        return known;
    }
    std::fs::create_dir_all(folder()).unwrap();
    let own = std::process::id();
    let include = folder().join(format!("{key}-{own}"));
    let source = include.join("kernels.cpp");
    let library = folder().join(format!("{key}.so"));
    if !library.exists() {
        std::fs::create_dir_all(&include).unwrap();
        std::fs::write(include.join("host.hpp"), SHIM).unwrap();
        std::fs::write(&source, &text).unwrap();
        let built = include.join("kernels.so");
        let output = Command::new(compiler())
            .args(["-std=c++17", "-O2", "-shared", "-fPIC", "-w"])
            .args(["-march=native", "-ffp-contract=off", "-fno-strict-aliasing"])
            .arg("-I")
            .arg(&include)
            .arg("-o")
            .arg(&built)
            .arg(&source)
            .output()
            .expect("a C++ compiler is needed for this test");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        std::fs::rename(&built, &library).unwrap();
        std::fs::remove_dir_all(&include).unwrap();
    }
    // SAFETY: the library was made here and has no initialisers that matter.
    let library = unsafe { Library::new(&library) }.unwrap();
    let program: &'static HostProgram = Box::leak(Box::new(HostProgram {
        library,
        busy: Mutex::new(()),
    }));
    all.insert(key, program);
    program
}

/// Pages with one that cannot be touched before and behind. An array ends at the page behind it or,
/// `reversed`, begins at the page before it: a kernel that goes beyond its memory ends the test.
struct Pages;

const PAGE: usize = 4096;

impl Pages {
    /// Start and length of the mapping that has `bytes` from `address` on.
    fn around(address: u64, bytes: usize) -> (usize, usize) {
        let inside = bytes.next_multiple_of(PAGE);
        (address as usize / PAGE * PAGE - PAGE, inside + 2 * PAGE)
    }

    fn allocate(bytes: usize, reversed: bool) -> u64 {
        let inside = bytes.next_multiple_of(PAGE);
        let (none, both) = (libc::PROT_NONE, libc::PROT_READ | libc::PROT_WRITE);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: new pages of our own, of which those within are made accessible.
        let within = unsafe {
            let start = libc::mmap(std::ptr::null_mut(), inside + 2 * PAGE, none, flags, -1, 0);
            assert_ne!(start, libc::MAP_FAILED);
            let within = start.byte_add(PAGE);
            assert_eq!(libc::mprotect(within, inside, both), 0);
            within as u64
        };
        if reversed {
            within
        } else {
            within + (inside - bytes.next_multiple_of(8)) as u64
        }
    }
}

impl Release for Pages {
    fn release(&self, address: u64) {
        let bytes = SIZES
            .lock()
            .unwrap()
            .as_mut()
            .and_then(|sizes| sizes.remove(&address));
        let (start, len) = Self::around(address, bytes.unwrap());
        // SAFETY: the mapping that `allocate` made.
        unsafe { libc::munmap(start as *mut c_void, len) };
    }
}

/// Bytes at each address.
static SIZES: Mutex<Option<HashMap<u64, usize>>> = Mutex::new(None);

impl Device for HostDevice {
    fn name(&self) -> String {
        "host".into()
    }

    fn free_memory(&self) -> Result<usize> {
        Ok(self.memory)
    }

    fn allocate(&self, bytes: usize) -> Result<Memory> {
        let owner = Arc::new(Pages) as Arc<dyn Release>;
        if bytes == 0 {
            return Ok(Memory::new(0, 0, owner));
        }
        let address = Pages::allocate(bytes, self.reversed);
        let mut sizes = SIZES.lock().unwrap();
        sizes.get_or_insert_default().insert(address, bytes);
        Ok(Memory::new(address, bytes, owner))
    }

    fn write(&self, to: u64, bytes: &[u8]) -> Result<()> {
        // SAFETY: arrays check their bounds.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to as *mut u8, bytes.len()) };
        Ok(())
    }

    fn read(&self, from: u64, bytes: &mut [u8]) -> Result<()> {
        // SAFETY: arrays check their bounds.
        unsafe {
            std::ptr::copy_nonoverlapping(from as *const u8, bytes.as_mut_ptr(), bytes.len());
        }
        Ok(())
    }

    fn read_later(&self, from: u64, bytes: usize) -> Result<Box<dyn Arriving>> {
        let mut arrived = vec![0; bytes];
        self.read(from, &mut arrived)?;
        Ok(Box::new(Arrived(arrived)))
    }

    fn copy(&self, from: u64, to: u64, bytes: usize) -> Result<()> {
        // SAFETY: arrays check their bounds.
        unsafe { std::ptr::copy(from as *const u8, to as *mut u8, bytes) };
        Ok(())
    }

    fn load(&self, program: &Program) -> Result<Arc<Kernels>> {
        let compiled = compile(program);
        let mut kernels = Kernels::default();
        for &name in program.kernels {
            let symbol = |prefix: &str| CString::new(format!("{prefix}_{name}")).unwrap();
            // SAFETY: the shim declares these symbols with these types.
            let kernel = unsafe {
                let sizes: unsafe extern "C" fn(*mut u32) -> i32 = *compiled
                    .library
                    .get(symbol("sizes").as_bytes_with_nul())
                    .unwrap();
                let mut of = [0u32; 64];
                let count = sizes(of.as_mut_ptr()) as usize;
                HostKernel {
                    program: compiled,
                    launch: *compiled
                        .library
                        .get(symbol("launch").as_bytes_with_nul())
                        .unwrap(),
                    sizes: of[..count].iter().map(|n| *n as usize).collect(),
                    name,
                }
            };
            let kernel: &'static HostKernel = Box::leak(Box::new(kernel));
            kernels
                .by_name
                .insert(name, Kernel(std::ptr::from_ref(kernel) as u64));
        }
        Ok(Arc::new(kernels))
    }

    fn launch(&self, launch: Launch, arguments: &[Argument]) -> Result<()> {
        if let Some(recorded) = &mut *self.recorded.lock().unwrap() {
            recorded.push((launch, arguments.to_vec()));
            return Ok(());
        }
        start(self.reversed, launch, arguments);
        Ok(())
    }

    fn record(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<Box<dyn Recording>> {
        *self.recorded.lock().unwrap() = Some(Vec::new());
        let worked = work();
        let launches = self.recorded.lock().unwrap().take();
        worked?;
        Ok(Box::new(Recorded {
            reversed: self.reversed,
            launches: launches.ok_or_else(|| Error::Bug("nothing recorded".into()))?,
        }))
    }

    fn wait(&self) -> Result<()> {
        Ok(())
    }
}

fn start(reversed: bool, launch: Launch, arguments: &[Argument]) {
    // SAFETY: `load` made it from a kernel that is never freed.
    let kernel = unsafe { &*(launch.kernel.0 as *const HostKernel) };
    let sizes: Vec<usize> = arguments.iter().map(Argument::size).collect();
    assert_eq!(sizes, kernel.sizes, "arguments of {}", kernel.name);
    let [x, y, z] = launch.block;
    assert!(x * y * z <= 1024, "block of {}", kernel.name);
    assert!(
        launch.grid[1] <= 65_535 && launch.grid[2] <= 65_535,
        "grid of {}",
        kernel.name
    );
    assert!(
        launch.shared <= 48 << 10,
        "shared memory of {}",
        kernel.name
    );
    let mut pointers: Vec<*mut c_void> = arguments
        .iter()
        .map(|a| a.as_ptr().cast_mut().cast())
        .collect();
    let parameters = HostLaunch {
        grid: launch.grid,
        block: launch.block,
        shared: launch.shared,
    };
    let _alone = kernel
        .program
        .busy
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    // SAFETY: the sizes are those of the kernel's parameters.
    unsafe {
        let reverse: unsafe extern "C" fn(i32) =
            *kernel.program.library.get(b"host_reversed\0").unwrap();
        reverse(i32::from(reversed));
        (kernel.launch)(&parameters, pointers.as_mut_ptr());
    }
}

/// Bytes that were there at once.
struct Arrived(Vec<u8>);

impl Arriving for Arrived {
    fn take(&mut self, bytes: &mut [u8]) -> Result<()> {
        bytes.copy_from_slice(&self.0);
        Ok(())
    }
}

struct Recorded {
    reversed: bool,
    launches: Vec<Launched>,
}

impl Recording for Recorded {
    fn replay(&self) -> Result<()> {
        for (launch, arguments) in &self.launches {
            start(self.reversed, *launch, arguments);
        }
        Ok(())
    }
}
