//! A GPU through the CUDA driver: one context, one stream in the order of which all is done, and one
//! for copies that nothing waits for.

use std::ffi::{CString, c_void};
use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::{DriverError, result, sys};

use super::probe::DeviceInfo;
use super::{
    Argument, Arriving, Device, Kernel, Kernels, Launch, Memory, Program, Recording, Release,
};
use super::{nvrtc, too_little};
use crate::error::{Error, Result};

/// A CUDA device with a stream of its own.
pub struct Cuda {
    info: DeviceInfo,
    handles: Arc<Handles>,
    loaded: Mutex<Vec<(Program, Arc<Kernels>)>>,
}

struct Handles {
    device: sys::CUdevice,
    context: sys::CUcontext,
    stream: sys::CUstream,
    copies: sys::CUstream,
}

// SAFETY: the driver lets any thread use a context and a stream; every call makes the context
// current first.
unsafe impl Send for Handles {}
unsafe impl Sync for Handles {}

impl Drop for Handles {
    fn drop(&mut self) {
        if self.enter().is_ok() {
            // SAFETY: the stream and the context are ours and not used again.
            unsafe {
                let _ = result::stream::destroy(self.stream);
                let _ = result::stream::destroy(self.copies);
                let _ = result::primary_ctx::release(self.device);
            }
        }
    }
}

impl Handles {
    /// Makes the context that of this thread.
    fn enter(&self) -> Result<()> {
        // SAFETY: the context is retained as long as this lives.
        unsafe { result::ctx::set_current(self.context) }.map_err(failed("enter the context"))
    }
}

impl Release for Handles {
    fn release(&self, address: u64) {
        if self.enter().is_ok() {
            // SAFETY: allocated here and not used again. The driver waits for work that uses it.
            let _ = unsafe { result::free_sync(address) };
        }
    }
}

/// The error of a call that the driver refused.
fn failed(action: &'static str) -> impl Fn(DriverError) -> Error {
    move |e| Error::Device {
        problem: format!("could not {action}: {:?}", e.0),
        remedy: "look at the device with nvidia-smi, or compute with --device cpu".into(),
    }
}

impl Cuda {
    /// Opens a device that the probe found.
    ///
    /// # Errors
    /// [`Error::Device`] where the driver refuses.
    pub fn open(info: &DeviceInfo) -> Result<Self> {
        let device = result::device::get(info.ordinal).map_err(failed("find the device"))?;
        // SAFETY: a device that the driver gave; released when the handles are dropped.
        let context =
            unsafe { result::primary_ctx::retain(device) }.map_err(failed("open the device"))?;
        // SAFETY: retained just now.
        unsafe { result::ctx::set_current(context) }.map_err(failed("enter the context"))?;
        let stream = || {
            result::stream::create(result::stream::StreamKind::NonBlocking)
                .map_err(failed("make a stream"))
        };
        let (stream, copies) = (stream()?, stream()?);
        Ok(Self {
            info: info.clone(),
            handles: Arc::new(Handles {
                device,
                context,
                stream,
                copies,
            }),
            loaded: Mutex::new(Vec::new()),
        })
    }

    fn enter(&self) -> Result<sys::CUstream> {
        self.handles.enter()?;
        Ok(self.handles.stream)
    }

    fn compile(&self, program: &Program) -> Result<Kernels> {
        let [major, minor] = self.info.capability;
        let architecture = format!("sm_{major}{minor}");
        let cache = nvrtc::cache_folder();
        let code = nvrtc::machine_code(program, &architecture, self.info.nvrtc, cache.as_deref())?;
        self.enter()?;
        // SAFETY: the code is whole; the driver copies it. Modules stay loaded with the context.
        let module = unsafe { result::module::load_data(code.as_ptr().cast()) }
            .map_err(failed("load the kernels"))?;
        let mut kernels = Kernels::default();
        for name in program.kernels {
            let text = CString::new(*name).map_err(|e| Error::Bug(e.to_string()))?;
            // SAFETY: the module was loaded just now.
            let function = unsafe { result::module::get_function(module, text) }
                .map_err(failed("find a kernel"))?;
            kernels.by_name.insert(*name, Kernel(function as u64));
        }
        Ok(kernels)
    }
}

impl Device for Cuda {
    fn name(&self) -> String {
        self.info.name.clone()
    }

    fn free_memory(&self) -> Result<usize> {
        self.enter()?;
        let (free, _) = result::mem_get_info().map_err(failed("ask for its memory"))?;
        Ok(free)
    }

    fn allocate(&self, bytes: usize) -> Result<Memory> {
        let stream = self.enter()?;
        let owner = Arc::clone(&self.handles) as Arc<dyn Release>;
        if bytes == 0 {
            return Ok(Memory::new(0, 0, owner));
        }
        // SAFETY: freed when the memory is dropped.
        let address = match unsafe { result::malloc_sync(bytes) } {
            Ok(address) => address,
            Err(DriverError(sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY)) => {
                let free = self.free_memory().ok();
                return Err(too_little(&self.info.name, "the next array", bytes, free));
            }
            Err(e) => return Err(failed("allocate memory")(e)),
        };
        let memory = Memory::new(address, bytes, owner);
        // SAFETY: within the memory just allocated.
        unsafe { result::memset_d8_async(address, 0, bytes, stream) }
            .map_err(failed("clear memory"))?;
        Ok(memory)
    }

    fn write(&self, to: u64, bytes: &[u8]) -> Result<()> {
        let stream = self.enter()?;
        // SAFETY: arrays check their bounds. From pageable memory the call returns when the bytes
        // have been taken.
        unsafe { result::memcpy_htod_async(to, bytes, stream) }.map_err(failed("copy to it"))
    }

    fn read(&self, from: u64, bytes: &mut [u8]) -> Result<()> {
        let stream = self.enter()?;
        // SAFETY: arrays check their bounds; the bytes are there once the stream is done.
        unsafe { result::memcpy_dtoh_async(bytes, from, stream) }
            .map_err(failed("copy from it"))?;
        self.wait()
    }

    fn read_later(&self, from: u64, bytes: usize) -> Result<Box<dyn Arriving>> {
        let stream = self.enter()?;
        let copies = self.handles.copies;
        let action = "copy from it meanwhile";
        // SAFETY: freed when the copy is dropped, after its end.
        let host = unsafe { result::malloc_host(bytes.max(1), 0) }.map_err(failed(action))?;
        let event = || result::event::create(sys::CUevent_flags::CU_EVENT_DISABLE_TIMING);
        let mut arriving = PinnedCopy {
            handles: Arc::clone(&self.handles),
            host,
            bytes,
            events: [std::ptr::null_mut(); 2],
        };
        arriving.events = [
            event().map_err(failed(action))?,
            event().map_err(failed(action))?,
        ];
        let [begin, end] = arriving.events;
        // SAFETY: streams and events live; the host memory is as long as the copy; it begins after all
        // work so far and is waited for before it is read or freed.
        unsafe {
            let host = std::slice::from_raw_parts_mut(host.cast::<u8>(), bytes);
            result::event::record(begin, stream).map_err(failed(action))?;
            let flags = sys::CUevent_wait_flags::CU_EVENT_WAIT_DEFAULT;
            result::stream::wait_event(copies, begin, flags).map_err(failed(action))?;
            result::memcpy_dtoh_async(host, from, copies).map_err(failed(action))?;
            result::event::record(end, copies).map_err(failed(action))?;
        }
        Ok(Box::new(arriving))
    }

    fn copy(&self, from: u64, to: u64, bytes: usize) -> Result<()> {
        let stream = self.enter()?;
        // SAFETY: arrays check their bounds.
        unsafe { result::memcpy_dtod_async(to, from, bytes, stream) }.map_err(failed("copy on it"))
    }

    fn load(&self, program: &Program) -> Result<Arc<Kernels>> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, kernels)) = loaded.iter().find(|(p, _)| p == program) {
            return Ok(Arc::clone(kernels));
        }
        let kernels = Arc::new(self.compile(program)?);
        loaded.push((program.clone(), Arc::clone(&kernels)));
        Ok(kernels)
    }

    fn launch(&self, launch: Launch, arguments: &[Argument]) -> Result<()> {
        let stream = self.enter()?;
        let function = launch.kernel.0 as sys::CUfunction;
        let mut pointers: Vec<*mut c_void> = arguments
            .iter()
            .map(|a| a.as_ptr().cast_mut().cast())
            .collect();
        let [gx, gy, gz] = launch.grid;
        let [bx, by, bz] = launch.block;
        // SAFETY: a kernel of a module that stays loaded, with the arguments of its signature
        // (which the test that runs all kernels on the host checks in number and size).
        unsafe {
            result::launch_kernel(
                function,
                (gx, gy, gz),
                (bx, by, bz),
                launch.shared,
                stream,
                &mut pointers,
            )
        }
        .map_err(failed("start a kernel"))
    }

    fn record(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<Box<dyn Recording>> {
        let stream = self.enter()?;
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        // SAFETY: the stream is ours; what is begun is ended below.
        unsafe { result::stream::begin_capture(stream, mode) }
            .map_err(failed("record launches"))?;
        let worked = work();
        // SAFETY: as above.
        let graph = unsafe { result::stream::end_capture(stream) };
        worked?;
        let graph = graph.map_err(failed("record launches"))?;
        // SAFETY: the graph was made just now; it is not needed once there is an executable one.
        let ready = unsafe { result::graph::instantiate(graph, sys::CUgraphInstantiate_flags(0)) };
        let _ = unsafe { result::graph::destroy(graph) };
        Ok(Box::new(Graph {
            graph: ready.map_err(failed("record launches"))?,
            handles: Arc::clone(&self.handles),
        }))
    }

    fn wait(&self) -> Result<()> {
        let stream = self.enter()?;
        // SAFETY: the stream is ours.
        unsafe { result::stream::synchronize(stream) }.map_err(failed("finish its work"))
    }
}

/// A copy to memory that the device reaches by itself.
struct PinnedCopy {
    handles: Arc<Handles>,
    host: *mut c_void,
    bytes: usize,
    /// Its begin and end; null where they could not be made.
    events: [sys::CUevent; 2],
}

// SAFETY: as for the handles; the memory is its own.
unsafe impl Send for PinnedCopy {}
unsafe impl Sync for PinnedCopy {}

impl Arriving for PinnedCopy {
    fn take(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.handles.enter()?;
        // SAFETY: the event was recorded after the copy.
        unsafe { result::event::synchronize(self.events[1]) }.map_err(failed("finish a copy"))?;
        let count = self.bytes.min(bytes.len());
        // SAFETY: the memory has so many bytes, and the copy has ended.
        let arrived = unsafe { std::slice::from_raw_parts(self.host.cast::<u8>(), count) };
        bytes[..count].copy_from_slice(arrived);
        Ok(())
    }
}

impl Drop for PinnedCopy {
    fn drop(&mut self) {
        if self.handles.enter().is_ok() {
            // SAFETY: the copy has ended before its memory is freed.
            unsafe {
                let _ = result::stream::synchronize(self.handles.copies);
                for event in self.events.into_iter().filter(|event| !event.is_null()) {
                    let _ = result::event::destroy(event);
                }
                let _ = result::free_host(self.host);
            }
        }
    }
}

/// Launches that the driver starts at once.
struct Graph {
    graph: sys::CUgraphExec,
    handles: Arc<Handles>,
}

// SAFETY: as for the handles.
unsafe impl Send for Graph {}
unsafe impl Sync for Graph {}

impl Recording for Graph {
    fn replay(&self) -> Result<()> {
        self.handles.enter()?;
        // SAFETY: graph and stream live as long as this.
        unsafe { result::graph::launch(self.graph, self.handles.stream) }
            .map_err(failed("replay launches"))
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        if self.handles.enter().is_ok() {
            // SAFETY: not used again.
            let _ = unsafe { result::graph::exec_destroy(self.graph) };
        }
    }
}
