//! Files with seeded damage: refused, or as good as any other model.

use cartwheel_forest::Forest;

use crate::fixtures::{MODELS, bytes};
use crate::model::Numbers;

/// Damages a file in one to four places.
fn damage(file: &mut Vec<u8>, numbers: &mut Numbers) {
    for _ in 0..=numbers.below(4) {
        if file.is_empty() {
            return;
        }
        let at = numbers.below(file.len());
        let end = (at + 1 + numbers.below(24)).min(file.len());
        match numbers.below(8) {
            0 => file[at] ^= 1 << numbers.below(8),
            1 => file[at] = numbers.next() as u8,
            2 => file[at..end].fill(if numbers.below(2) == 0 { 0xff } else { 0 }),
            3 => drop(file.drain(at..end)),
            4 => {
                let copy = file[at..end].to_vec();
                let to = numbers.below(file.len());
                file.splice(to..to, copy);
            }
            // Another digit keeps JSON readable, and the damage goes deeper.
            5 | 6 => {
                if let Some(digit) = file[at..].iter_mut().find(|b| b.is_ascii_digit()) {
                    *digit = b'0' + numbers.below(10) as u8;
                }
            }
            _ => file.truncate(at),
        }
    }
}

/// Whether the forest explains a row; if it does, in finite numbers.
fn explain(forest: &Forest, row: &[f32]) -> bool {
    let mut out = vec![0.0; row.len()];
    let Ok(expected) = forest.contributions(row, &mut out) else {
        return false;
    };
    assert!(expected.is_finite() && out.iter().all(|value| value.is_finite()), "{out:?}");
    assert!(forest.importance().is_ok());
    true
}

#[test]
fn damaged_files_are_refused_or_evaluate_to_finite_numbers() {
    let mut numbers = Numbers(20_260_101);
    let (mut refused, mut accepted, mut explained) = (0, 0, 0);
    for model in MODELS {
        for format in ["json", "ubj"] {
            let whole = bytes(&format!("{model}.{format}"));
            for _ in 0..750 {
                let mut file = whole.clone();
                damage(&mut file, &mut numbers);
                let Ok(forest) = Forest::from_bytes(&file) else {
                    refused += 1;
                    continue;
                };
                accepted += 1;
                // A damaged header may make the rows very wide.
                let count = if forest.features() > 1000 { 1 } else { 19 };
                let rows: Vec<f32> = (0..count * forest.features())
                    .map(|_| if numbers.below(4) == 0 { f32::NAN } else { 3.0 * numbers.value() })
                    .collect();
                let mut out = vec![f32::NAN; count];
                forest.margins(&rows, &mut out);
                assert!(out.iter().all(|margin| margin.is_finite()), "{out:?}");
                forest.probabilities(&rows, &mut out);
                assert!(out.iter().all(|score| score.is_finite()), "{out:?}");
                explained += usize::from(explain(&forest, &rows[..forest.features()]));
            }
        }
    }
    // Were all of one kind, the damage would be too blunt or too mild to tell.
    println!("{refused} refused, {accepted} accepted, {explained} explained");
    assert!(explained > 250 && explained < accepted, "{explained} explained");
    assert!(refused > 2000 && accepted > 500, "{refused} refused, {accepted} accepted");
}
