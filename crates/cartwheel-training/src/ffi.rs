//! Bindings to the functions of libxgboost's C API that training needs.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Once;

use libloading::Library;

/// Why training failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// libxgboost is in none of the searched places.
    #[error(
        "libxgboost was not found in {0}: run `make setup`, or set CARTWHEEL_TRAIN_LIBRARY to its \
         path"
    )]
    NotFound(String),
    /// The library cannot be loaded, is too old, or is not libxgboost.
    #[error("cannot use {0} as libxgboost: {1}")]
    Library(PathBuf, String),
    /// libxgboost returned an error.
    #[error("xgboost: {0}")]
    Xgboost(String),
    /// Rows, labels, names, weights and groups do not fit together.
    #[error("training data: {0}")]
    Data(&'static str),
}

pub(crate) type Handle = *mut c_void;

macro_rules! functions {
    ($($name:ident: fn($($argument:ty),*);)*) => {
        /// The functions, valid while the library is loaded.
        #[allow(non_snake_case)]
        pub(crate) struct Functions {
            $(pub $name: unsafe extern "C" fn($($argument),*) -> c_int,)*
        }

        impl Functions {
            fn load(library: &Library) -> Result<Self, libloading::Error> {
                // SAFETY: the signatures are those of xgboost/c_api.h, unchanged
                // from 1.7 to 3.x.
                unsafe {
                    Ok(Self {
                        $($name: *library.get(concat!(stringify!($name), "\0").as_bytes())?,)*
                    })
                }
            }
        }
    };
}

functions! {
    XGDMatrixCreateFromMat: fn(*const f32, u64, u64, f32, *mut Handle);
    XGDMatrixSetInfoFromInterface: fn(Handle, *const c_char, *const c_char);
    XGDMatrixSetStrFeatureInfo: fn(Handle, *const c_char, *const *const c_char, u64);
    XGDMatrixFree: fn(Handle);
    XGBoosterCreate: fn(*const Handle, u64, *mut Handle);
    XGBoosterFree: fn(Handle);
    XGBoosterSetParam: fn(Handle, *const c_char, *const c_char);
    XGBoosterSetStrFeatureInfo: fn(Handle, *const c_char, *const *const c_char, u64);
    XGBoosterUpdateOneIter: fn(Handle, c_int, Handle);
    XGBoosterEvalOneIter: fn(Handle, c_int, *const Handle, *const *const c_char, u64, *mut *const c_char);
    XGBoosterSlice: fn(Handle, c_int, c_int, c_int, *mut Handle);
    XGBoosterSaveModelToBuffer: fn(Handle, *const c_char, *mut u64, *mut *const c_char);
    XGBoosterLoadModelFromBuffer: fn(Handle, *const c_void, u64);
    XGBoosterPredictFromDMatrix: fn(Handle, Handle, *const c_char, *mut *const u64, *mut u64, *mut *const f32);
}

/// The loaded library.
pub struct Xgboost {
    pub(crate) functions: Functions,
    last_error: unsafe extern "C" fn() -> *const c_char,
    version: (i32, i32, i32),
    // Keeps the functions valid, so it must be dropped last.
    _library: Library,
}

impl Xgboost {
    /// Loads the library at `explicit`, or the system's library if that is `None`.
    ///
    /// # Errors
    /// When there is no library, or it is older than 1.7. An explicit path is never replaced
    /// by another library.
    pub fn load(explicit: Option<&Path>) -> Result<Self, TrainingError> {
        match explicit {
            Some(path) if path.is_file() => Self::open_file(path),
            Some(path) => Err(TrainingError::NotFound(path.display().to_string())),
            None => Self::search(&[]),
        }
    }

    /// Loads the first library that exists among `paths`, or else the system's library.
    ///
    /// # Errors
    /// When there is no library, or the one found is older than 1.7.
    pub fn search(paths: &[PathBuf]) -> Result<Self, TrainingError> {
        if let Some(path) = paths.iter().find(|p| p.is_file()) {
            return Self::open_file(path);
        }
        const SYSTEM: [&str; 2] = ["libxgboost.so.0", "libxgboost.so"];
        for name in SYSTEM {
            if let Ok(found) = Self::open(Path::new(name)) {
                return Ok(found);
            }
        }
        let own = paths.iter().map(|p| p.display().to_string());
        let searched: Vec<String> = own.chain(SYSTEM.map(str::to_owned)).collect();
        Err(TrainingError::NotFound(searched.join(", ")))
    }

    /// Loads a file, which may be a link: its own libraries are beside the file itself.
    fn open_file(path: &Path) -> Result<Self, TrainingError> {
        match path.canonicalize() {
            Ok(file) => Self::open(&file),
            Err(error) => Err(TrainingError::Library(path.into(), error.to_string())),
        }
    }

    fn open(path: &Path) -> Result<Self, TrainingError> {
        let_idle_threads_sleep();
        let bad = |e: &dyn std::fmt::Display| TrainingError::Library(path.into(), e.to_string());
        // SAFETY: libxgboost's initialisers have no preconditions.
        let library = unsafe { Library::new(path) }.map_err(|e| bad(&e))?;
        let functions = Functions::load(&library).map_err(|e| bad(&e))?;
        // SAFETY: signatures as in xgboost/c_api.h.
        let (last_error, version) = unsafe {
            let last_error = *library.get(b"XGBGetLastError\0").map_err(|e| bad(&e))?;
            let version: unsafe extern "C" fn(*mut c_int, *mut c_int, *mut c_int) =
                *library.get(b"XGBoostVersion\0").map_err(|e| bad(&e))?;
            let (mut major, mut minor, mut patch) = (0, 0, 0);
            version(&mut major, &mut minor, &mut patch);
            (last_error, (major, minor, patch))
        };
        if version < (1, 7, 0) {
            let (major, minor, patch) = version;
            return Err(bad(&format!("version {major}.{minor}.{patch} is older than 1.7")));
        }
        Ok(Self { functions, last_error, version, _library: library })
    }

    /// Returns the version: major, minor, patch.
    pub fn version(&self) -> (i32, i32, i32) {
        self.version
    }

    /// Converts a return code into a result.
    pub(crate) fn check(&self, code: c_int) -> Result<(), TrainingError> {
        if code == 0 {
            return Ok(());
        }
        // SAFETY: the text belongs to this thread until its next failing call.
        let text = unsafe { CStr::from_ptr((self.last_error)()) };
        let text = text.to_string_lossy();
        // The rest of the text is a stack trace of libxgboost.
        let message = text.split("Stack trace:").next().unwrap_or_default();
        Err(TrainingError::Xgboost(message.split_whitespace().collect::<Vec<_>>().join(" ")))
    }
}

/// Makes idle OpenMP threads sleep. By default they spin between two parallel loops, which
/// makes training two to three times slower on a machine with other load. The setting must
/// precede loading the library.
fn let_idle_threads_sleep() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if std::env::var_os("OMP_WAIT_POLICY").is_none() {
            // SAFETY: the standard library locks its own reads of the environment against this
            // write. The only foreign code that reads it is OpenMP, when it is loaded, which
            // happens later in this thread.
            unsafe { std::env::set_var("OMP_WAIT_POLICY", "passive") };
        }
    });
}

pub(crate) fn c_string(text: &str) -> Result<CString, TrainingError> {
    CString::new(text).map_err(|_| TrainingError::Data("a text contains a NUL character"))
}

/// A DMatrix; freed on drop.
pub(crate) struct Matrix<'a> {
    xgboost: &'a Xgboost,
    pub handle: Handle,
}

impl<'a> Matrix<'a> {
    pub(crate) fn new(
        xgboost: &'a Xgboost,
        rows: &[f32],
        columns: usize,
    ) -> Result<Self, TrainingError> {
        if columns == 0 || rows.is_empty() || !rows.len().is_multiple_of(columns) {
            return Err(TrainingError::Data("there are no rows, or rows of uneven width"));
        }
        let mut handle = ptr::null_mut();
        let n = (rows.len() / columns) as u64;
        // SAFETY: `rows` holds n × columns floats, which the call copies.
        xgboost.check(unsafe {
            (xgboost.functions.XGDMatrixCreateFromMat)(
                rows.as_ptr(),
                n,
                columns as u64,
                f32::NAN,
                &mut handle,
            )
        })?;
        Ok(Self { xgboost, handle })
    }

    /// Sets the field `label` or `weight`.
    pub(crate) fn floats(&self, field: &CStr, values: &[f32]) -> Result<(), TrainingError> {
        // SAFETY: `<f4` describes the little-endian floats of an `f32` slice.
        unsafe { self.info(field, values, "<f4") }
    }

    /// Sets the sizes of the groups.
    pub(crate) fn groups(&self, sizes: &[u32]) -> Result<(), TrainingError> {
        // SAFETY: `<u4` describes the little-endian integers of a `u32` slice.
        unsafe { self.info(c"group", sizes, "<u4") }
    }

    /// # Safety
    /// `kind` must be the array interface's name for `T`.
    unsafe fn info<T>(&self, field: &CStr, values: &[T], kind: &str) -> Result<(), TrainingError> {
        let array = c_string(&format!(
            r#"{{"data": [{}, true], "shape": [{}], "typestr": "{kind}", "version": 3}}"#,
            values.as_ptr() as usize,
            values.len(),
        ))?;
        // SAFETY: the handle is live; the array describes the live memory of `values`, which
        // the call copies.
        self.xgboost.check(unsafe {
            (self.xgboost.functions.XGDMatrixSetInfoFromInterface)(
                self.handle,
                field.as_ptr(),
                array.as_ptr(),
            )
        })
    }

    pub(crate) fn names(&self, names: &[String]) -> Result<(), TrainingError> {
        with_names(names, |pointers, length| {
            // SAFETY: the handle is live; the strings live until the call has copied them.
            self.xgboost.check(unsafe {
                (self.xgboost.functions.XGDMatrixSetStrFeatureInfo)(
                    self.handle,
                    c"feature_name".as_ptr(),
                    pointers,
                    length,
                )
            })
        })
    }
}

/// Passes names to `call` as an array of C strings.
fn with_names(
    names: &[String],
    call: impl FnOnce(*const *const c_char, u64) -> Result<(), TrainingError>,
) -> Result<(), TrainingError> {
    let names: Vec<CString> = names.iter().map(|n| c_string(n)).collect::<Result<_, _>>()?;
    let pointers: Vec<*const c_char> = names.iter().map(|n| n.as_ptr()).collect();
    call(pointers.as_ptr(), pointers.len() as u64)
}

/// Copies memory that libxgboost owns.
///
/// # Safety
/// `start` must be null, or point to `length` values that are not written during the call.
pub(crate) unsafe fn copied<T: Copy>(start: *const T, length: u64) -> Vec<T> {
    if start.is_null() {
        return Vec::new();
    }
    // SAFETY: guaranteed by the caller.
    unsafe { std::slice::from_raw_parts(start, length as usize) }.to_vec()
}

impl Drop for Matrix<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle is live and is not used again.
        unsafe { (self.xgboost.functions.XGDMatrixFree)(self.handle) };
    }
}

/// A booster; freed on drop.
pub(crate) struct Booster<'a> {
    xgboost: &'a Xgboost,
    pub handle: Handle,
}

impl<'a> Booster<'a> {
    pub(crate) fn new(xgboost: &'a Xgboost, matrices: &[Handle]) -> Result<Self, TrainingError> {
        let mut handle = ptr::null_mut();
        // SAFETY: the matrices are live handles.
        xgboost.check(unsafe {
            (xgboost.functions.XGBoosterCreate)(
                matrices.as_ptr(),
                matrices.len() as u64,
                &mut handle,
            )
        })?;
        Ok(Self { xgboost, handle })
    }

    pub(crate) fn set(&self, name: &str, value: &str) -> Result<(), TrainingError> {
        let (name, value) = (c_string(name)?, c_string(value)?);
        // SAFETY: the handle is live; the strings outlive the call.
        self.xgboost.check(unsafe {
            (self.xgboost.functions.XGBoosterSetParam)(self.handle, name.as_ptr(), value.as_ptr())
        })
    }

    /// Names the features in the model file, which does not take the names of a matrix.
    pub(crate) fn names(&self, names: &[String]) -> Result<(), TrainingError> {
        with_names(names, |pointers, length| {
            // SAFETY: the handle is live; the strings live until the call has copied them.
            self.xgboost.check(unsafe {
                (self.xgboost.functions.XGBoosterSetStrFeatureInfo)(
                    self.handle,
                    c"feature_name".as_ptr(),
                    pointers,
                    length,
                )
            })
        })
    }

    /// Returns the first `rounds` rounds as a new booster.
    pub(crate) fn slice(&self, rounds: c_int) -> Result<Self, TrainingError> {
        let mut handle = ptr::null_mut();
        // SAFETY: the handle is live; rounds 0 to `rounds` exist.
        self.xgboost.check(unsafe {
            (self.xgboost.functions.XGBoosterSlice)(self.handle, 0, rounds, 1, &mut handle)
        })?;
        Ok(Self { xgboost: self.xgboost, handle })
    }

    pub(crate) fn save(&self, format: &str) -> Result<Vec<u8>, TrainingError> {
        let config = c_string(&format!("{{\"format\": \"{format}\"}}"))?;
        let (mut length, mut bytes) = (0, ptr::null());
        // SAFETY: the buffer belongs to the booster until its next call; copied here.
        unsafe {
            self.xgboost.check((self.xgboost.functions.XGBoosterSaveModelToBuffer)(
                self.handle,
                config.as_ptr(),
                &mut length,
                &mut bytes,
            ))?;
            Ok(copied(bytes.cast(), length))
        }
    }
}

impl Drop for Booster<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle is live and is not used again.
        unsafe { (self.xgboost.functions.XGBoosterFree)(self.handle) };
    }
}
