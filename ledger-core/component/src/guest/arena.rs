//! The allocator: memory is handed out from one end to the other, and is free again when all of it has been given back.
//!
//! A call takes some large blocks and gives them back at its end, so looking for free ones between is work for nothing. The less
//! memory a call touches, and the more of it lies together, the less the host has to clean after it.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::{memory_grow, memory_size};
use core::cell::Cell;
use core::ptr;

const PAGE: usize = 65_536;

/// All memory behind the static data.
pub(super) struct Arena {
    /// Where the next block begins. 0: nothing was ever taken.
    next: Cell<usize>,
    /// Blocks that are not given back.
    taken: Cell<usize>,
}

// SAFETY: the component has one thread.
unsafe impl Sync for Arena {}

unsafe extern "C" {
    /// Where the linker ends the static data. Only its address means something.
    static __heap_base: u8;
}

impl Arena {
    pub(super) const fn new() -> Arena {
        Arena { next: Cell::new(0), taken: Cell::new(0) }
    }

    fn start() -> usize {
        (&raw const __heap_base).addr()
    }

    /// The address of `size` bytes, or `None` when the host gives no more memory.
    fn take(&self, size: usize, align: usize) -> Option<usize> {
        let at = self.next.get().max(Arena::start()).checked_next_multiple_of(align)?;
        let end = at.checked_add(size)?;
        let have = memory_size(0).saturating_mul(PAGE);
        if end > have && memory_grow(0, (end - have).div_ceil(PAGE)) == usize::MAX {
            return None;
        }
        self.next.set(end);
        Some(at)
    }
}

// SAFETY: blocks do not overlap, because `next` only moves forward while any of them is taken; it moves back over a block only when that one
// is the last and is given back or made smaller. What is handed out lies behind the static data and inside of the memory.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match self.take(layout.size(), layout.align()) {
            Some(at) => {
                self.taken.set(self.taken.get() + 1);
                ptr::with_exposed_provenance_mut(at)
            }
            None => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.taken.set(self.taken.get() - 1);
        if self.taken.get() == 0 {
            self.next.set(0);
        } else if block.addr() + layout.size() == self.next.get() {
            self.next.set(block.addr());
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if block.addr() + layout.size() == self.next.get() {
            // The last block grows and shrinks where it is.
            self.next.set(block.addr());
            return match self.take(size, layout.align()) {
                Some(_) => block,
                None => {
                    self.next.set(block.addr() + layout.size());
                    ptr::null_mut()
                }
            };
        }
        if size <= layout.size() {
            return block;
        }
        let Some(at) = self.take(size, layout.align()) else { return ptr::null_mut() };
        let new: *mut u8 = ptr::with_exposed_provenance_mut(at);
        // SAFETY: the caller says that the block has `layout.size()` bytes; the new one has more and does not overlap it.
        unsafe { ptr::copy_nonoverlapping(block, new, layout.size()) };
        new
    }
}
