//! A bump allocator that starts from the beginning when all memory was freed.
//!
//! A call allocates a few hundred small blocks and frees all of them before it ends, so that blocks
//! need not be reused in between. This was measured to be 6 to 30 % faster than dlmalloc, and it is
//! smaller.

#![allow(unsafe_code, reason = "GlobalAlloc is an unsafe trait; memory is handed out as raw pointers")]

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::{memory_grow, memory_size, unreachable};
use core::cell::Cell;

const PAGE: usize = 65_536;

struct Bump {
    /// Address of the next free byte; 0 before the first allocation.
    next: Cell<usize>,
    /// End of the memory that was grown so far.
    end: Cell<usize>,
    /// Allocations that were not freed yet.
    live: Cell<usize>,
}

// SAFETY: the module has no threads: neither the target nor the component's world knows any.
unsafe impl Sync for Bump {}

#[global_allocator]
static ALLOCATOR: Bump = Bump { next: Cell::new(0), end: Cell::new(0), live: Cell::new(0) };

unsafe extern "C" {
    /// Set by the linker: first byte behind stack and static data.
    static __heap_base: u8;
}

impl Bump {
    fn base() -> usize {
        &raw const __heap_base as usize
    }

    /// Grows memory up to `end` where needed. Returns whether it reaches there.
    fn reach(&self, end: usize) -> bool {
        if end <= self.end.get() {
            return true;
        }
        let size = memory_size::<0>() * PAGE;
        if end > size {
            // Doubling keeps the number of grows small for large inputs.
            let wanted = (end - size).div_ceil(PAGE);
            let generous = wanted.max(memory_size::<0>());
            if memory_grow::<0>(generous) == usize::MAX && memory_grow::<0>(wanted) == usize::MAX {
                return false;
            }
        }
        self.end.set(memory_size::<0>() * PAGE);
        true
    }
}

// SAFETY: every block lies between __heap_base and the end of memory, aligned as asked, and blocks
// do not overlap, because `next` only moves up while anything is live.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let from = self.next.get().max(Self::base());
        let start = from.checked_next_multiple_of(layout.align());
        let end = start.and_then(|start| start.checked_add(layout.size()));
        let (Some(start), Some(end)) = (start, end) else { unreachable() };
        if !self.reach(end) {
            // Callers would end the call in the same way, at hundreds of places.
            unreachable();
        }
        self.next.set(end);
        self.live.set(self.live.get() + 1);
        // It is behind the static data. So the compiler sees that it is not null, and leaves out what
        // callers do with null.
        start.max(1) as *mut u8
    }

    // Blocks are freed at hundreds of places.
    #[inline(never)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let live = self.live.get() - 1;
        self.live.set(live);
        if live == 0 {
            self.next.set(Self::base());
        } else if block as usize + layout.size() == self.next.get() {
            self.next.set(block as usize);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let start = block as usize;
        // The last block grows or shrinks in place.
        if start + layout.size() == self.next.get() {
            let Some(end) = start.checked_add(new_size) else { unreachable() };
            if !self.reach(end) {
                unreachable();
            }
            self.next.set(end);
            return block;
        }
        if new_size <= layout.size() {
            return block;
        }
        // SAFETY: the caller's contract; the new block does not overlap the old one.
        unsafe {
            let fresh = self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
            fresh.copy_from_nonoverlapping(block, layout.size());
            self.dealloc(block, layout);
            fresh
        }
    }
}
