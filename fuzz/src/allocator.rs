//! An allocator that counts.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

use crate::watch;

/// Bytes that one input may take.
pub const MOST: usize = 1 << 30;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static BASE: AtomicUsize = AtomicUsize::new(0);
static COUNTED: AtomicBool = AtomicBool::new(false);

/// The system's allocator, with a count of what is taken. A test binary makes it the global one; an input that asks for more than
/// [`MOST`] bytes ends the process before the memory is taken, and is named.
pub struct Counting;

/// Begins to count anew.
pub(crate) fn begin() {
    BASE.store(LIVE.load(Relaxed), Relaxed);
    PEAK.store(0, Relaxed);
    COUNTED.store(true, Relaxed);
}

/// Ends counting: the most that was taken at once, in bytes; 0 where another allocator is the global one.
pub(crate) fn end() -> usize {
    COUNTED.store(false, Relaxed);
    PEAK.load(Relaxed)
}

fn taken(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Relaxed) + bytes;
    if COUNTED.load(Relaxed) {
        let here = live.saturating_sub(BASE.load(Relaxed));
        PEAK.fetch_max(here, Relaxed);
        if here > MOST {
            // What follows may allocate itself.
            COUNTED.store(false, Relaxed);
            watch::give_up(&format!("{here} bytes of memory at once; {MOST} are the most"));
        }
    }
}

// SAFETY: every call is handed on to the system's allocator as it is.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both may be there while the old is copied.
        taken(size);
        let new = unsafe { System.realloc(place, layout, size) };
        LIVE.fetch_sub(if new.is_null() { size } else { layout.size() }, Relaxed);
        new
    }
}
