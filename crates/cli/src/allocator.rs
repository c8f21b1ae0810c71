//! The allocator: buffers that one training step frees, the next one takes again.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay`, which the bindings do not name.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Tells the allocator to keep freed pages and to ask for large ones, unless the environment says otherwise.
///
/// A step frees and takes the same gigabyte again; given back to the system, every page of it comes as a fault
/// (docs/decisions.md, record 6).
pub fn keep_pages() {
    // SAFETY: plain settings of integers, before any other thread exists; both numbers are options of the pinned version.
    #[allow(unsafe_code)]
    unsafe {
        libmimalloc_sys::mi_option_set_default(PURGE_DELAY, -1);
        libmimalloc_sys::mi_option_set_default(libmimalloc_sys::mi_option_large_os_pages, 1);
    }
}
