//! The inverse of a symmetric positive definite matrix.

use rayon::prelude::*;

/// Rows that are eliminated together, and that a thread updates at a time: enough for the products of
/// matrices to be most of the work.
const BLOCK: usize = 192;
/// Numbers in a line of the cache.
const LINE: usize = 16;
/// Side of the squares in which a matrix is mirrored, so that a square's rows stay in the cache.
const TILE: usize = 64;

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
    fn row_mut(&mut self, at: usize) -> &mut [f32] {
        &mut self.cells[at * self.size..][..self.size]
    }

    /// All rows, in order. There is at least one column.
    pub(crate) fn par_rows_mut(&mut self) -> impl IndexedParallelIterator<Item = &mut [f32]> {
        self.cells.par_chunks_exact_mut(self.size.max(1))
    }

    /// Inverts the matrix, which has to be symmetric and positive definite, by sweeping its rows
    /// (Beaton, 1964) in blocks. A swept matrix stays symmetric, so that only its lower half is
    /// computed. The result does not depend on the number of threads.
    pub(crate) fn invert(&mut self) {
        for start in (0..self.size).step_by(BLOCK) {
            self.sweep(start, BLOCK.min(self.size - start));
        }
        // All rows swept, the lower half is that of the negated inverse.
        let (size, swept) = (self.size, std::mem::take(&mut self.cells));
        self.cells = vec![0.0; size * size];
        let tiles = self.cells.par_chunks_mut((TILE * size).max(1)).enumerate();
        tiles.for_each(|(tile, rows)| {
            for left in (0..size).step_by(TILE) {
                for (at, row) in (tile * TILE..).zip(rows.chunks_exact_mut(size)) {
                    for (column, cell) in (left..size.min(left + TILE)).zip(&mut row[left..]) {
                        *cell = -swept[at.max(column) * size + at.min(column)];
                    }
                }
            }
        });
    }

    /// Sweeps the rows `start..start + count`, which begin a block.
    ///
    /// With the block's own cells as K and those of its rows outside of it as R, the inverse P of K
    /// makes R of all others: they lose R' * P * R, R becomes P * R, and K becomes -P.
    fn sweep(&mut self, start: usize, count: usize) {
        let (n, end) = (self.size, start + count);
        let mut pivot = Self::zero(count);
        for at in 0..count {
            pivot.row_mut(at).copy_from_slice(&self.row(start + at)[start..end]);
        }
        pivot.invert_by_rows();

        let mut rows = vec![0.0; count * n];
        rows.par_chunks_mut(LINE * n).zip((start..end).into_par_iter().step_by(LINE)).for_each(
            |(lines, first)| {
                for (line, at) in lines.chunks_exact_mut(n).zip(first..) {
                    line[..start].copy_from_slice(&self.row(at)[..start]);
                }
                // Above the diagonal, only the mirrored cells are up to date.
                for at in end..n {
                    let mirrored = &self.row(at)[first..end];
                    for (line, cell) in lines.chunks_exact_mut(n).zip(mirrored) {
                        line[at] = *cell;
                    }
                }
            },
        );
        let mut swept = vec![0.0; count * n];
        let parts = swept.par_chunks_mut((count.div_ceil(2)) * n);
        parts.zip(pivot.cells.par_chunks(count.div_ceil(2) * count)).for_each(|(swept, pivot)| {
            let shape = [swept.len() / n, count, n];
            let operands = [Operand::rows(pivot, count), Operand::rows(&rows, n)];
            add_product(1.0, operands, swept, n, shape);
        });

        let blocks = self.cells.par_chunks_mut(BLOCK * n).enumerate().with_max_len(1);
        blocks.for_each(|(block, lines)| {
            let first = block * BLOCK;
            if first == start {
                for (at, line) in lines.chunks_exact_mut(n).enumerate() {
                    line[..start].copy_from_slice(&swept[at * n..][..start]);
                    let inverse = line[start..end].iter_mut().zip(pivot.row(at));
                    inverse.for_each(|(cell, pivot)| *cell = -pivot);
                }
                return;
            }
            let width = n.min(first + BLOCK);
            let shape = [lines.len() / n, count, width];
            let own = Operand { cells: &swept[first..], down: 1, right: n };
            add_product(-1.0, [own, Operand::rows(&rows, n)], lines, n, shape);
            if first > start {
                for (line, at) in lines.chunks_exact_mut(n).zip(first..) {
                    let own = swept[at..].iter().step_by(n);
                    line[start..end].iter_mut().zip(own).for_each(|(cell, swept)| *cell = *swept);
                }
            }
        });
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

/// A matrix in a slice.
#[derive(Clone, Copy)]
struct Operand<'a> {
    cells: &'a [f32],
    /// Steps to the next row.
    down: usize,
    /// Steps to the next column.
    right: usize,
}

impl<'a> Operand<'a> {
    /// A matrix whose rows, `columns` wide, follow one another.
    fn rows(cells: &'a [f32], columns: usize) -> Self {
        Self { cells, down: columns, right: 1 }
    }

    /// Whether it has all cells of a matrix of a size.
    fn holds(&self, rows: usize, columns: usize) -> bool {
        let last = rows.saturating_sub(1) * self.down + columns.saturating_sub(1) * self.right;
        rows == 0 || columns == 0 || last < self.cells.len()
    }
}

/// Adds `factor * a * b` to the first `n` of the `columns` columns of `sum`, whose rows follow one
/// another. The shapes of the operands are `m * k` and `k * n`.
fn add_product(
    factor: f32,
    [a, b]: [Operand<'_>; 2],
    sum: &mut [f32],
    columns: usize,
    [m, k, n]: [usize; 3],
) {
    assert!(a.holds(m, k) && b.holds(k, n) && sum.len() == m * columns && n <= columns);
    // SAFETY: the slices hold matrices of these shapes, as asserted, and `sum` is borrowed
    // exclusively.
    unsafe {
        matrixmultiply::sgemm(
            m,
            k,
            n,
            factor,
            a.cells.as_ptr(),
            a.down as isize,
            a.right as isize,
            b.cells.as_ptr(),
            b.down as isize,
            b.right as isize,
            1.0,
            sum.as_mut_ptr(),
            columns as isize,
            1,
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
            let matrix = definite(size, 200.0);
            let mut inverse = matrix.clone();
            inverse.invert();
            let mut product = vec![0.0; size * size];
            let shape = [size, size, size];
            let operands = [&matrix, &inverse].map(|of| Operand::rows(&of.cells, size));
            add_product(1.0, operands, &mut product, size, shape);
            for (at, cell) in product.iter().enumerate() {
                let expected = if at / size == at % size { 1.0 } else { 0.0 };
                assert!((cell - expected).abs() < 1e-3, "{size}: cell {at} is {cell}");
            }
        }
    }
}
