//! Large arrays on huge pages, where the system leaves that to the program.

/// A vector of `len` times `value`, on huge pages where it is large: fewer entries of the table of
/// pages, whose cache long strides would overflow.
pub fn filled<T: Copy>(len: usize, value: T) -> Vec<T> {
    let mut values = Vec::with_capacity(len);
    #[cfg(target_os = "linux")]
    advise(&mut values);
    values.resize(len, value);
    values
}

/// Asks for huge pages behind a vector that nothing was written to yet.
#[cfg(target_os = "linux")]
fn advise<T>(values: &mut Vec<T>) {
    const HUGE: usize = 1 << 21;
    let memory = values.spare_capacity_mut();
    let first = memory.as_mut_ptr() as usize;
    let (start, end) = (
        first.next_multiple_of(HUGE),
        (first + size_of_val(memory)) / HUGE * HUGE,
    );
    if start < end {
        // SAFETY: whole pages of the vector's own memory; the advice changes no content. Its failure
        // (an old kernel) leaves ordinary pages.
        unsafe {
            libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_HUGEPAGE);
        }
    }
}
