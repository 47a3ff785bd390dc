//! Mesh files: THE list of formats, one file each.
