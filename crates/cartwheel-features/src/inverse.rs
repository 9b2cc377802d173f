//! The inverse of a symmetric positive definite matrix.

/// Rows that are eliminated together: enough for the products of matrices to be most of the work.
const BLOCK: usize = 96;

/// A square matrix, row-major.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Square {
    size: usize,
    cells: Vec<f32>,
}

impl Square {
    /// A matrix of zeros.
    pub(crate) fn zero(size: usize) -> Self {
        Self { size, cells: vec![0.0; size * size] }
    }

    /// A row.
    pub(crate) fn row(&self, at: usize) -> &[f32] {
        &self.cells[at * self.size..][..self.size]
    }

    /// A row.
    pub(crate) fn row_mut(&mut self, at: usize) -> &mut [f32] {
        &mut self.cells[at * self.size..][..self.size]
    }

    /// Inverts the matrix by Gauss–Jordan elimination in blocks, without exchanging rows: it has
    /// to be symmetric and positive definite.
    pub(crate) fn invert(&mut self) {
        for start in (0..self.size).step_by(BLOCK) {
            self.eliminate(start, BLOCK.min(self.size - start));
        }
    }

    /// Eliminates the rows `start..start + count`.
    fn eliminate(&mut self, start: usize, count: usize) {
        let n = self.size;
        let end = start + count;
        let mut pivot = Self::zero(count);
        for at in 0..count {
            pivot.row_mut(at).copy_from_slice(&self.row(start + at)[start..end]);
        }
        pivot.invert_by_rows();
        // With the columns of the block as C, outside of it, and its rows as R: the rest loses
        // C * pivot * R, the columns become -C * pivot, the rows pivot * R, the block pivot.
        let mut columns = vec![0.0; n * count];
        for at in (0..start).chain(end..n) {
            columns[at * count..][..count].copy_from_slice(&self.row(at)[start..end]);
        }
        let mut rows = vec![0.0; count * n];
        let block = &self.cells[start * n..end * n];
        add_product(1.0, &pivot.cells, block, &mut rows, [count, count, n]);
        for (at, row) in rows.chunks_exact_mut(n).enumerate() {
            row[start..end].copy_from_slice(pivot.row(at));
        }
        for at in 0..n {
            self.row_mut(at)[start..end].fill(0.0);
        }
        add_product(-1.0, &columns, &rows, &mut self.cells, [n, count, n]);
        self.cells[start * n..end * n].copy_from_slice(&rows);
    }

    /// Inverts a small matrix, one row at a time.
    fn invert_by_rows(&mut self) {
        for at in 0..self.size {
            let mut pivot = self.row(at).to_vec();
            let inverse = 1.0 / pivot[at];
            pivot.iter_mut().for_each(|cell| *cell *= inverse);
            pivot[at] = inverse;
            for other in (0..self.size).filter(|&other| other != at) {
                let row = self.row_mut(other);
                let factor = std::mem::take(&mut row[at]);
                row.iter_mut().zip(&pivot).for_each(|(cell, above)| *cell -= factor * above);
            }
            self.row_mut(at).copy_from_slice(&pivot);
        }
    }
}

/// Adds `factor * a * b` to `sum`. The shapes are `m * k`, `k * n` and `m * n`, row-major.
fn add_product(factor: f32, a: &[f32], b: &[f32], sum: &mut [f32], [m, k, n]: [usize; 3]) {
    assert!(a.len() == m * k && b.len() == k * n && sum.len() == m * n);
    let step = |columns: usize| (columns as isize, 1_isize);
    let ((a_row, a_column), (b_row, b_column), (row, column)) = (step(k), step(n), step(n));
    // SAFETY: the slices hold matrices of these shapes, as asserted, and `sum` is borrowed
    // exclusively.
    unsafe {
        matrixmultiply::sgemm(
            m,
            k,
            n,
            factor,
            a.as_ptr(),
            a_row,
            a_column,
            b.as_ptr(),
            b_row,
            b_column,
            1.0,
            sum.as_mut_ptr(),
            row,
            column,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A matrix `M * M' + lambda * I` of small numbers.
    fn definite(size: usize, lambda: f32) -> Square {
        let noise = |at: usize| (crate::stable_hash(&at.to_le_bytes()) % 17) as f32 / 17.0;
        let mut matrix = Square::zero(size);
        for row in 0..size {
            for column in 0..size {
                let product = |k: usize| noise(row * size + k) * noise(column * size + k);
                matrix.row_mut(row)[column] = (0..size).map(product).sum();
            }
            matrix.row_mut(row)[row] += lambda;
        }
        matrix
    }

    #[test]
    fn a_matrix_times_its_inverse_is_one() {
        for size in [0, 1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 30] {
            let matrix = definite(size, 20.0);
            let mut inverse = matrix.clone();
            inverse.invert();
            let mut product = vec![0.0; size * size];
            let shape = [size, size, size];
            add_product(1.0, &matrix.cells, &inverse.cells, &mut product, shape);
            for (at, cell) in product.iter().enumerate() {
                let expected = if at / size == at % size { 1.0 } else { 0.0 };
                assert!((cell - expected).abs() < 1e-3, "{size}: cell {at} is {cell}");
            }
        }
    }
}
