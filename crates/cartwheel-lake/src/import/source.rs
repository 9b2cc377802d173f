//! The files of a shop in the Instacart schema.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::import::error::ImportError;

/// Files of lines, most specific first.
const LINE_FILES: [&str; 3] =
    ["order_products__prior.csv", "order_products__train.csv", "order_products.csv"];

/// The files of a folder that an import reads, plain or gzip.
pub(super) struct ShopFiles {
    pub orders: PathBuf,
    /// One file, or two: prior and train.
    pub lines: Vec<PathBuf>,
    pub products: Option<PathBuf>,
    pub aisles: Option<PathBuf>,
    pub departments: Option<PathBuf>,
}

impl ShopFiles {
    /// Finds the files in `dir`. Orders and lines are required.
    pub(super) fn find(dir: &Path) -> Result<Self, ImportError> {
        let missing = |name: &str, content| ImportError::Missing { path: dir.join(name), content };
        let orders = find(dir, "orders.csv").ok_or_else(|| missing("orders.csv", "the orders"))?;
        let mut lines: Vec<PathBuf> =
            LINE_FILES.iter().filter_map(|name| find(dir, name)).collect();
        if lines.is_empty() {
            let content = "the order lines, which may also be in order_products__prior.csv and \
                           order_products__train.csv";
            return Err(missing("order_products.csv", content));
        }
        if lines.len() == LINE_FILES.len() {
            // The last file holds the lines of the other two.
            lines.truncate(2);
        }
        let [products, aisles, departments] =
            ["products.csv", "aisles.csv", "departments.csv"].map(|name| find(dir, name));
        Ok(Self { orders, lines, products, aisles, departments })
    }

    fn all(&self) -> impl Iterator<Item = &PathBuf> {
        let optional = [&self.products, &self.aisles, &self.departments].into_iter().flatten();
        std::iter::once(&self.orders).chain(&self.lines).chain(optional)
    }

    /// Bytes of all files.
    pub(super) fn total_bytes(&self) -> u64 {
        self.all().filter_map(|path| path.metadata().ok()).map(|metadata| metadata.len()).sum()
    }

    /// A hash of all files and of the option, which identifies the import.
    pub(super) fn digest(&self, as_of_ms: Option<i64>) -> io::Result<String> {
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        for path in self.all() {
            let mut file = File::open(path)?;
            hash.update(path.file_name().unwrap_or_default().as_encoded_bytes());
            hash.update(file.metadata()?.len().to_le_bytes());
            loop {
                let n = file.read(&mut buffer)?;
                if n == 0 {
                    break;
                }
                hash.update(&buffer[..n]);
            }
        }
        hash.update(format!("{as_of_ms:?}"));
        Ok(hex::encode(&hash.finalize()[..8]))
    }
}

/// The file of that name, or its gzip form.
fn find(dir: &Path, name: &str) -> Option<PathBuf> {
    [dir.join(name), dir.join(format!("{name}.gz"))].into_iter().find(|path| path.is_file())
}
