//! The system calls of this program that change files, read the clock or ask for random numbers.
//!
//! The linker takes these functions instead of the C library's, for the standard library and every
//! crate, so that nothing of the product has to know that its disk is simulated. A call that concerns
//! the simulated disk's directory is reported to [`Disk`], which may refuse it; syncs go no further.
//! All other calls reach the system as they are.

#![allow(clippy::missing_safety_doc, reason = "the contracts are those of the C library")]

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use libc::{
    AT_FDCWD, c_char, c_int, c_uint, c_void, iovec, mode_t, off64_t, size_t, ssize_t, timespec,
};
use parking_lot::{Mutex, MutexGuard};

use crate::disk::{Disk, Handle};

/// Whether calls are simulated now.
static IS_ON: AtomicBool = AtomicBool::new(false);
static DISK: Mutex<Option<Disk>> = Mutex::new(None);
/// The simulated clock, UTC milliseconds.
static NOW_MS: AtomicI64 = AtomicI64::new(0);
static RANDOM: AtomicU64 = AtomicU64::new(1);

/// Starts a new disk, clock and source of random numbers.
pub fn begin(disk: Disk, now_ms: i64, seed: u64) {
    *DISK.lock() = Some(disk);
    NOW_MS.store(now_ms, Ordering::SeqCst);
    RANDOM.store(seed, Ordering::SeqCst);
    IS_ON.store(true, Ordering::SeqCst);
}

/// Ends the simulation of calls.
pub fn end() {
    IS_ON.store(false, Ordering::SeqCst);
}

/// Moves the clock.
pub fn advance(ms: i64) {
    NOW_MS.fetch_add(ms, Ordering::SeqCst);
}

/// The disk, which `work` may ask and set. It must not make system calls.
pub fn disk<T>(work: impl FnOnce(&mut Disk) -> T) -> T {
    let mut slot = DISK.lock();
    let Some(disk) = slot.as_mut() else { unreachable!("a simulation has begun") };
    work(disk)
}

/// The disk, for `work` that makes system calls of its own.
pub fn disk_outside<T>(work: impl FnOnce(&mut Disk) -> T) -> T {
    end();
    let done = disk(work);
    IS_ON.store(true, Ordering::SeqCst);
    done
}

fn simulated() -> Option<MutexGuard<'static, Option<Disk>>> {
    IS_ON.load(Ordering::SeqCst).then(|| DISK.lock())
}

/// The disk, and the part of the path below its directory.
unsafe fn concerned<T>(path: *const c_char, work: impl FnOnce(&mut Disk, &Path) -> T) -> Option<T> {
    let mut slot = simulated()?;
    let disk = slot.as_mut()?;
    let path = Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes()));
    let relative = disk.relative(path)?.to_owned();
    Some(work(disk, &relative))
}

fn fail(error: c_int) -> c_int {
    unsafe { *libc::__errno_location() = error };
    -1
}

/// Whether the log's second thread does this, which prepares segments. Its steps would come at any
/// time, so its work fails here, and the first thread does it when it needs the segment.
fn is_spare(path: &Path) -> bool {
    if !path.ends_with("new-segment") {
        return false;
    }
    let mut name = [0_u8; 16];
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    name.starts_with(b"log-spare\0")
}

unsafe fn open_at(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    let raw = || unsafe { libc::syscall(libc::SYS_openat, AT_FDCWD, path, flags, mode) } as c_int;
    let opened = unsafe {
        concerned(path, |disk, path| {
            if is_spare(path) {
                return fail(libc::EIO);
            }
            let is = |flag| flags & flag == flag;
            let truncates = is(libc::O_TRUNC);
            if let Err(error) = disk.before_open(path, is(libc::O_CREAT), truncates) {
                return fail(error);
            }
            let fd = raw();
            if fd >= 0 {
                disk.opened(fd, path, truncates, is(libc::O_APPEND));
            }
            fd
        })
    };
    opened.unwrap_or_else(raw)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    unsafe { open_at(path, flags, mode) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    unsafe { open_at(path, flags, mode) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn close(fd: c_int) -> c_int {
    let mut slot = simulated();
    if let Some(Some(disk)) = slot.as_deref_mut() {
        disk.closed(fd);
    }
    // Under the lock: the number may be given to another file at once.
    (unsafe { libc::syscall(libc::SYS_close, fd) }) as c_int
}

/// Writes at an offset, or where the descriptor is.
unsafe fn write_at(
    fd: c_int,
    data: *const c_void,
    count: size_t,
    offset: Option<off64_t>,
) -> ssize_t {
    let raw = || unsafe {
        match offset {
            Some(offset) => libc::syscall(libc::SYS_pwrite64, fd, data, count, offset) as ssize_t,
            None => libc::syscall(libc::SYS_write, fd, data, count) as ssize_t,
        }
    };
    let mut slot = simulated();
    if let Some(Some(disk)) = slot.as_deref_mut()
        && let Some(Handle::File(file, appends)) = disk.handle(fd)
    {
        let (file, appends) = (*file, *appends);
        let at = match offset {
            Some(offset) => offset as usize,
            None if appends => disk.length(file),
            None => (unsafe { libc::syscall(libc::SYS_lseek, fd, 0, libc::SEEK_CUR) }) as usize,
        };
        if let Err(error) = disk.before_write(file, at, count) {
            return fail(error) as ssize_t;
        }
        let written = raw();
        if written > 0 {
            let data = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), written as usize) };
            disk.written(file, at, data);
        }
        return written;
    }
    // Without the lock: a pipe may block.
    drop(slot);
    raw()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(fd: c_int, data: *const c_void, count: size_t) -> ssize_t {
    unsafe { write_at(fd, data, count, None) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(
    fd: c_int,
    data: *const c_void,
    count: size_t,
    offset: off64_t,
) -> ssize_t {
    unsafe { write_at(fd, data, count, Some(offset)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn writev(fd: c_int, parts: *const iovec, count: c_int) -> ssize_t {
    let mut total = 0;
    for part in unsafe { std::slice::from_raw_parts(parts, count as usize) } {
        let written = unsafe { write_at(fd, part.iov_base, part.iov_len, None) };
        if written < 0 {
            return if total > 0 { total } else { written };
        }
        total += written;
        if (written as usize) < part.iov_len {
            break;
        }
    }
    total
}

unsafe fn sync(fd: c_int, call: libc::c_long) -> c_int {
    let mut slot = simulated();
    if let Some(Some(disk)) = slot.as_deref_mut()
        && disk.handle(fd).is_some()
    {
        return disk.sync(fd).map_or_else(fail, |()| 0);
    }
    drop(slot);
    (unsafe { libc::syscall(call, fd) }) as c_int
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsync(fd: c_int) -> c_int {
    unsafe { sync(fd, libc::SYS_fsync) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdatasync(fd: c_int) -> c_int {
    unsafe { sync(fd, libc::SYS_fdatasync) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate64(fd: c_int, length: off64_t) -> c_int {
    let raw = || unsafe { libc::syscall(libc::SYS_ftruncate, fd, length) } as c_int;
    let mut slot = simulated();
    if let Some(Some(disk)) = slot.as_deref_mut()
        && let Some(Handle::File(file, _)) = disk.handle(fd)
    {
        let file = *file;
        if let Err(error) = disk.before_length(file, length as usize) {
            return fail(error);
        }
        let done = raw();
        if done == 0 {
            disk.set_length(file, length as usize);
        }
        return done;
    }
    raw()
}

/// A change of a name: asks, makes the call, and reports it.
unsafe fn named(
    path: *const c_char,
    adds: bool,
    raw: impl Fn() -> libc::c_long,
    report: impl FnOnce(&mut Disk, &Path),
) -> c_int {
    let done = unsafe {
        concerned(path, |disk, path| {
            if is_spare(path) {
                return fail(libc::ENOENT);
            }
            if let Err(error) = disk.before_rename(adds) {
                return fail(error);
            }
            let done = raw() as c_int;
            if done == 0 {
                report(disk, path);
            }
            done
        })
    };
    done.unwrap_or_else(|| raw() as c_int)
}

unsafe fn below(disk: &Disk, path: *const c_char) -> std::path::PathBuf {
    let path = Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes()));
    disk.relative(path).unwrap_or(path).to_owned()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    unsafe {
        let raw = || libc::syscall(libc::SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
        named(to, false, raw, |disk, to| {
            let from = below(disk, from);
            disk.moved(&from, to);
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn linkat(
    from_dir: c_int,
    from: *const c_char,
    to_dir: c_int,
    to: *const c_char,
    flags: c_int,
) -> c_int {
    unsafe {
        let raw = || libc::syscall(libc::SYS_linkat, from_dir, from, to_dir, to, flags);
        named(to, true, raw, |disk, to| {
            let from = below(disk, from);
            disk.linked(&from, to);
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    unsafe {
        let raw = || libc::syscall(libc::SYS_unlinkat, AT_FDCWD, path, 0);
        named(path, false, raw, |disk, path| disk.removed(path))
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmdir(path: *const c_char) -> c_int {
    unsafe {
        let raw = || libc::syscall(libc::SYS_unlinkat, AT_FDCWD, path, libc::AT_REMOVEDIR);
        named(path, false, raw, |disk, path| disk.removed(path))
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn mkdir(path: *const c_char, mode: mode_t) -> c_int {
    unsafe {
        let raw = || libc::syscall(libc::SYS_mkdirat, AT_FDCWD, path, mode);
        named(path, true, raw, |disk, path| disk.created_folder(path))
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut timespec) -> c_int {
    if clock == libc::CLOCK_REALTIME && IS_ON.load(Ordering::Relaxed) {
        let now = NOW_MS.load(Ordering::Relaxed);
        unsafe { *time = timespec { tv_sec: now / 1000, tv_nsec: now % 1000 * 1_000_000 } };
        return 0;
    }
    (unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) }) as c_int
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn getrandom(bytes: *mut c_void, count: size_t, flags: c_uint) -> ssize_t {
    if !IS_ON.load(Ordering::Relaxed) {
        return (unsafe { libc::syscall(libc::SYS_getrandom, bytes, count, flags) }) as ssize_t;
    }
    let out = unsafe { std::slice::from_raw_parts_mut(bytes.cast::<u8>(), count) };
    for piece in out.chunks_mut(8) {
        // SplitMix64 (Steele et al., OOPSLA 2014).
        let mut x = RANDOM.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        piece.copy_from_slice(&(x ^ (x >> 31)).to_le_bytes()[..piece.len()]);
    }
    count as ssize_t
}
