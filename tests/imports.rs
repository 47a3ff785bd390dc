//! Imports point downward: a module of `src/` imports those before it in this list alone.

use std::fs;
use std::path::Path;

/// The modules from the core to the command line.
const ORDER: [&str; 27] = [
    "error",
    "units",
    "tensor",
    "real",
    "exact_sum",
    "numbered_list",
    "memory",
    "huge_pages",
    "simd",
    "sha256",
    "atomic_file",
    "team",
    "comm",
    "report",
    "progress",
    "ionic",
    "mesh",
    "partition",
    "device",
    "eikonal",
    "monodomain",
    "inversion",
    "io",
    "plot",
    "config",
    "cli",
    "run",
];

fn height(module: &str) -> Option<usize> {
    ORDER.iter().position(|m| *m == module)
}

/// Modules that the code of a file imports, its tests left out.
fn imports(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let paths = lines.flat_map(|line| line.split("crate::").skip(1));
    let name = |path: &str| -> String {
        let is_part = |c: &char| c.is_alphanumeric() || *c == '_';
        path.chars().take_while(is_part).collect()
    };
    paths.map(name).collect()
}

/// Checks all files of `module` in `folder`; gives their number.
fn check(folder: &Path, module: Option<&str>) -> usize {
    let mut checked = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let module = module.unwrap_or(&stem);
        if path.is_dir() {
            if stem != "tests" {
                checked += check(&path, Some(module));
            }
            continue;
        }
        let is_code = path.extension().is_some_and(|e| e == "rs");
        if !is_code || stem == "tests" || ["lib", "main"].contains(&module) {
            continue;
        }
        let own = height(module).unwrap_or_else(|| panic!("{module} is not in the list"));
        for import in imports(&path) {
            let other = height(&import);
            assert!(
                other.is_some_and(|other| other <= own),
                "{} imports {import}, which is above {module}",
                path.display()
            );
        }
        checked += 1;
    }
    checked
}

#[test]
fn imports_point_downward() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    assert!(check(&source, None) > 250);
}
