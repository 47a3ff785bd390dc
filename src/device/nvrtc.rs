//! From source to machine code with NVRTC, once for each source, architecture and version: what was compiled
//! is kept on disk.

use std::ffi::{CStr, CString};
use std::path::{Path, PathBuf};

use cudarc::nvrtc::{result, sys};

use super::Program;
use crate::atomic_file::write_atomic;
use crate::error::{Error, Result};
use crate::sha256;

/// Fused multiply-add only where it is written, so that the results are those of the CPU.
const OPTIONS: [&str; 2] = ["--std=c++17", "--fmad=false"];

/// Machine code of a program for an architecture (`sm_90`), by NVRTC of this version; from the folder
/// `cache` where it is there, and kept there where it was not.
///
/// # Errors
/// [`Error::Bug`] with NVRTC's messages where the source does not compile.
pub fn machine_code(
    program: &Program,
    architecture: &str,
    [major, minor]: [i32; 2],
    cache: Option<&Path>,
) -> Result<Vec<u8>> {
    let text = program.text();
    let options = options(architecture);
    let key = format!("{major}.{minor}\n{}\n{text}", options.join(" "));
    let key = sha256::of_bytes(key.as_bytes());
    let cached = cache.map(|folder| folder.join(format!("{}-{key}.cubin", program.name)));
    let read = cached.as_ref().and_then(|path| std::fs::read(path).ok());
    if let Some(code) = read.filter(|code| code.starts_with(b"\x7fELF")) {
        return Ok(code);
    }
    let code = compile(program.name, &text, &options, Form::MachineCode)?;
    if let Some(path) = cached
        && let Err(error) = keep(&path, &code)
    {
        // The next run compiles again.
        tracing::debug!("compiled kernels are not kept: {error}");
    }
    Ok(code)
}

/// The intermediate form of a program, which ptxas takes.
///
/// # Errors
/// As of [`machine_code`].
pub fn ptx(program: &Program, architecture: &str) -> Result<Vec<u8>> {
    let options = options(&architecture.replace("sm_", "compute_"));
    compile(program.name, &program.text(), &options, Form::Ptx)
}

/// Ranks of a node write under names of their own; the last of equal files stays.
fn keep(path: &Path, code: &[u8]) -> Result<()> {
    let io = |action: &'static str| move |e: std::io::Error| Error::io(path, action, &e);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(io("create the folder of"))?;
    }
    let own = path.with_extension(format!("{}.cubin", std::process::id()));
    write_atomic(&own, code)?;
    std::fs::rename(&own, path).map_err(io("write"))
}

/// Where compiled programs are kept: `$XDG_CACHE_HOME/isochrone`, or `~/.cache/isochrone`.
pub fn cache_folder() -> Option<PathBuf> {
    let folder = |name: &str| {
        let path = PathBuf::from(std::env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    let base = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))?;
    Some(base.join("isochrone"))
}

/// The options of NVRTC.
fn options(architecture: &str) -> Vec<String> {
    let mut options: Vec<String> = OPTIONS.iter().map(|o| o.to_string()).collect();
    options.push(format!("--gpu-architecture={architecture}"));
    options
}

#[derive(Clone, Copy)]
enum Form {
    Ptx,
    MachineCode,
}

fn compile(name: &str, text: &str, options: &[String], form: Form) -> Result<Vec<u8>> {
    let text = CString::new(text).map_err(|e| Error::Bug(format!("kernels of {name}: {e}")))?;
    let failed = |e: result::NvrtcError| Error::Bug(format!("NVRTC on {name}: {:?}", e.0));
    let program = result::create_program(&text, None).map_err(failed)?;
    // SAFETY: the program is destroyed once, after its last use; `text` lives longer.
    let compiled = unsafe { result::compile_program(program, options) }.map_err(|e| {
        // SAFETY: as above.
        let log = unsafe { result::get_program_log(program) }.unwrap_or_default();
        let log: Vec<u8> = log.iter().map(|c| *c as u8).collect();
        let log = CStr::from_bytes_until_nul(&log).unwrap_or_default();
        Error::Bug(format!(
            "NVRTC on {name}: {:?}\n{}",
            e.0,
            log.to_string_lossy()
        ))
    });
    let code = compiled.and_then(|()| match form {
        // SAFETY: as above.
        Form::Ptx => unsafe { result::get_ptx(program) }
            .map(|ptx| ptx.iter().map(|c| *c as u8).collect())
            .map_err(failed),
        Form::MachineCode => {
            let mut size = 0;
            // SAFETY: as above.
            unsafe { sys::nvrtcGetCUBINSize(program, &mut size) }
                .result()
                .map_err(failed)?;
            let mut code = vec![0u8; size];
            // SAFETY: as above; the buffer is as long as NVRTC says.
            unsafe { sys::nvrtcGetCUBIN(program, code.as_mut_ptr().cast()) }
                .result()
                .map_err(failed)?;
            Ok(code)
        }
    });
    // SAFETY: as above.
    let _ = unsafe { result::destroy_program(program) };
    code
}
