//! `score MODEL ROWS OUT N...` prints, for each number of rows, the microseconds of scoring as many
//! of the rows in a file, which are `f32` in little-endian order. The margins of all rows go to OUT.
//!
//! `bench/forest_peers.py` runs it beside other libraries on the same model and rows.

use std::time::{Duration, Instant};

use cartwheel_forest::Forest;

/// Repetitions, of which the median is printed.
const REPETITIONS: usize = 7;
/// Time of a repetition.
const TIME: Duration = Duration::from_millis(150);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, rows, out, counts @ ..] = &arguments[..] else {
        return Err("usage: score MODEL ROWS OUT N...".into());
    };
    let forest = Forest::from_bytes(&std::fs::read(model)?)?;
    let bytes = std::fs::read(rows)?;
    let (values, _) = bytes.as_chunks::<4>();
    let values: Vec<f32> = values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let width = forest.features();
    let mut margins = vec![0.0; values.len() / width];
    forest.margins(&values, &mut margins);
    std::fs::write(
        out,
        margins.iter().flat_map(|margin| margin.to_le_bytes()).collect::<Vec<_>>(),
    )?;
    for count in counts {
        let count: usize = count.parse()?;
        let (values, margins) = (&values[..count * width], &mut margins[..count]);
        let mut times: Vec<f64> =
            (0..REPETITIONS).map(|_| per_call(&forest, values, margins)).collect();
        times.sort_by(f64::total_cmp);
        println!("{count} {}", times[REPETITIONS / 2] * 1e6);
    }
    Ok(())
}

/// Seconds of a call, the mean over [`TIME`].
#[expect(clippy::disallowed_methods, reason = "the time that is measured is the machine's")]
fn per_call(forest: &Forest, values: &[f32], margins: &mut [f32]) -> f64 {
    let (start, mut calls) = (Instant::now(), 0u32);
    while start.elapsed() < TIME {
        forest.margins(std::hint::black_box(values), margins);
        calls += 1;
    }
    start.elapsed().as_secs_f64() / f64::from(calls)
}
