//! Whether there is a CUDA device, its driver and NVRTC; cudarc panics where a library or a function
//! of it is missing, so nothing of it is called before all are known to be there.

use std::fmt;

use cudarc::driver::{result, sys};
use cudarc::nvrtc;
use libloading::Library;

/// Names of the libraries, as cudarc looks for them.
const DRIVER: &[&str] = &["libcuda.so", "libcuda.so.1", "nvcuda.dll"];
const NVRTC: &[&str] = &["libnvrtc.so", "libnvrtc.so.12"];

/// File of NVRTC, where it lies outside the loader's path.
pub const NVRTC_PATH: &str = "ISOCHRONE_NVRTC";

/// Oldest driver, as `cuDriverGetVersion` counts: 12.0.
const OLDEST_DRIVER: i32 = 12_000;

/// All functions of the driver that are called: a driver without one is too old.
pub const DRIVER_FUNCTIONS: &[&str] = &[
    "cuInit",
    "cuDriverGetVersion",
    "cuGetErrorName",
    "cuGetErrorString",
    "cuDeviceGet",
    "cuDeviceGetCount",
    "cuDeviceGetName",
    "cuDeviceGetAttribute",
    "cuDeviceTotalMem_v2",
    "cuDevicePrimaryCtxRetain",
    "cuDevicePrimaryCtxRelease_v2",
    "cuCtxSetCurrent",
    "cuMemGetInfo_v2",
    "cuMemAlloc_v2",
    "cuMemFree_v2",
    "cuMemsetD8Async",
    "cuMemcpyHtoDAsync_v2",
    "cuMemcpyDtoHAsync_v2",
    "cuMemcpyDtoDAsync_v2",
    "cuStreamCreate",
    "cuStreamSynchronize",
    "cuStreamDestroy_v2",
    "cuStreamWaitEvent",
    "cuEventCreate",
    "cuEventRecord",
    "cuEventSynchronize",
    "cuEventDestroy_v2",
    "cuMemHostAlloc",
    "cuMemFreeHost",
    "cuStreamBeginCapture_v2",
    "cuStreamEndCapture",
    "cuGraphInstantiateWithFlags",
    "cuGraphLaunch",
    "cuGraphExecDestroy",
    "cuGraphDestroy",
    "cuModuleLoadData",
    "cuModuleGetFunction",
    "cuFuncSetAttribute",
    "cuLaunchKernel",
];

const NVRTC_FUNCTIONS: &[&str] = &[
    "nvrtcVersion",
    "nvrtcCreateProgram",
    "nvrtcCompileProgram",
    "nvrtcGetPTXSize",
    "nvrtcGetPTX",
    "nvrtcGetCUBINSize",
    "nvrtcGetCUBIN",
    "nvrtcGetProgramLogSize",
    "nvrtcGetProgramLog",
    "nvrtcDestroyProgram",
];

/// A CUDA device.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceInfo {
    pub ordinal: i32,
    pub name: String,
    /// Compute capability, major and minor.
    pub capability: [i32; 2],
    pub memory: usize,
    /// CUDA version of the driver: 12080 for 12.8.
    pub driver: i32,
    /// Version of NVRTC.
    pub nvrtc: [i32; 2],
}

impl fmt::Display for DeviceInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor] = self.capability;
        write!(
            f,
            "cuda:{} {}, compute capability {major}.{minor}, {:.1} GiB, driver for CUDA {}.{}, NVRTC {}.{}",
            self.ordinal,
            self.name,
            self.memory as f64 / (1u64 << 30) as f64,
            self.driver / 1000,
            self.driver % 1000 / 10,
            self.nvrtc[0],
            self.nvrtc[1],
        )
    }
}

/// Whether a driver is installed, be it of use or not.
pub fn has_driver() -> bool {
    library("the CUDA driver", DRIVER, &[]).is_ok()
}

/// The devices of this machine, at least one; else why there is none.
pub fn devices() -> Result<Vec<DeviceInfo>, String> {
    // The driver first: NVRTC matters only where there is a device.
    library("the CUDA driver", DRIVER, DRIVER_FUNCTIONS)?;
    let told = |e: cudarc::driver::DriverError| format!("the CUDA driver says {:?}", e.0);
    result::init().map_err(told)?;
    let mut driver = 0;
    // SAFETY: the function is there, and writes one integer.
    unsafe { sys::cuDriverGetVersion(&mut driver) }
        .result()
        .map_err(told)?;
    if driver < OLDEST_DRIVER {
        return Err(format!(
            "the driver is for CUDA {}.{}, 12.0 is needed",
            driver / 1000,
            driver % 1000 / 10
        ));
    }
    let count = result::device::get_count().map_err(told)?;
    if count == 0 {
        return Err("the CUDA driver knows no device".into());
    }
    let nvrtc = nvrtc_version()?;
    (0..count)
        .map(|ordinal| {
            let device = result::device::get(ordinal).map_err(told)?;
            let attribute = |which| {
                // SAFETY: a device that the driver gave.
                unsafe { result::device::get_attribute(device, which) }.map_err(told)
            };
            use sys::CUdevice_attribute as Attribute;
            Ok(DeviceInfo {
                ordinal,
                name: result::device::get_name(device).map_err(told)?,
                capability: [
                    attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
                    attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
                ],
                // SAFETY: a device that the driver gave.
                memory: unsafe { result::device::total_mem(device) }.map_err(told)?,
                driver,
                nvrtc,
            })
        })
        .collect()
}

/// The version of NVRTC, which is there; else why it is not.
pub fn nvrtc_version() -> Result<[i32; 2], String> {
    let given = std::env::var(NVRTC_PATH).ok();
    // Once it is loaded from its path, the loader finds it by its name, and so does cudarc.
    let names: Vec<&str> = given
        .iter()
        .map(String::as_str)
        .chain(NVRTC.iter().copied())
        .collect();
    library("NVRTC", &names, NVRTC_FUNCTIONS)?;
    let mut version = [0; 2];
    let [major, minor] = &mut version;
    // SAFETY: the function is there, and writes two integers.
    let told = unsafe { nvrtc::sys::nvrtcVersion(major, minor) };
    told.result().map_err(|e| format!("NVRTC says {:?}", e.0))?;
    if version[0] < 12 {
        let [major, minor] = version;
        return Err(format!("NVRTC is of CUDA {major}.{minor}, 12.0 is needed"));
    }
    Ok(version)
}

/// Loads a library for good, if it has all `functions`.
fn library(what: &str, names: &[&str], functions: &[&str]) -> Result<(), String> {
    // SAFETY: libraries of the vendor, whose initialisers do no harm; they are never unloaded.
    let library = names
        .iter()
        .find_map(|name| unsafe { Library::new(*name) }.ok());
    let Some(library) = library else {
        return Err(format!("{what} is not installed ({})", names.join(", ")));
    };
    for function in functions {
        // SAFETY: the symbol is looked up, not called.
        if unsafe { library.get::<unsafe extern "C" fn()>(function.as_bytes()) }.is_err() {
            return Err(format!("{what} is too old: it has no {function}"));
        }
    }
    std::mem::forget(library);
    Ok(())
}
