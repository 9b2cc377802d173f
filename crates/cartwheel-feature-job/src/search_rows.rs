//! The rows on which hyperparameters are searched: a bounded sample of the questions that a model
//! learns from, and of those that stop its training.

use cartwheel_features::{Example, stable_hash};
use cartwheel_recommend::FEATURES;

use crate::assemble::Labelled;

/// Most rows of a sample. A forest of some dozen trees takes a second for as many.
const MAX_ROWS: usize = 60_000;

/// A sample of whole questions.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    /// Their rows, in the order of all rows. Keys are left out.
    pub rows: Labelled,
    pub questions: u64,
}

/// Draws whole questions until there are [`MAX_ROWS`] rows. The same questions and `seed` give the
/// same sample. Questions without an answer among their rows are kept, as in training.
pub(crate) fn sample(data: &Labelled, examples: &[Example], seed: u64) -> Sample {
    bounded(data, examples, seed, MAX_ROWS)
}

fn bounded(data: &Labelled, examples: &[Example], seed: u64, most: usize) -> Sample {
    let mut sizes = vec![0_usize; examples.len()];
    data.keys.iter().for_each(|key| sizes[key.example as usize] += 1);
    let draw = |(at, example): (usize, &Example)| {
        let key = format!("search/{seed}/{}/{}/{at}", example.user_id, example.order_number);
        (stable_hash(key.as_bytes()), at)
    };
    let mut drawn: Vec<(u64, usize)> = examples.iter().enumerate().map(draw).collect();
    drawn.sort_unstable();
    let mut is_kept = vec![false; examples.len()];
    let (mut rows, mut questions) = (0, 0);
    for (_, at) in drawn.into_iter().filter(|(_, at)| sizes[*at] > 0) {
        rows += sizes[at];
        if rows > most {
            break;
        }
        is_kept[at] = true;
        questions += 1;
    }
    let mut kept = Labelled::default();
    let cells = data.rows.chunks_exact(FEATURES.len()).zip(&data.labels).zip(&data.keys);
    for ((row, label), _) in cells.filter(|(_, key)| is_kept[key.example as usize]) {
        kept.rows.extend_from_slice(row);
        kept.labels.push(*label);
    }
    Sample { rows: kept, questions }
}

#[cfg(test)]
mod tests {
    use cartwheel_features::{Context, UserState};

    use super::*;
    use crate::assemble::RowKey;

    /// Questions of 1, 2, 3, … rows; the first value of a row names its question.
    fn questions(count: usize) -> (Labelled, Vec<Example>) {
        let mut data = Labelled::default();
        let example = |at: usize| Example {
            user_id: format!("u{at}"),
            order_number: 2,
            state: UserState::default(),
            context: Context::default(),
            cart: None,
            basket: vec![0],
        };
        for at in 0..count {
            for product in 0..=at as u32 {
                data.rows.push(at as f32);
                data.rows.resize(data.rows.len() + FEATURES.len() - 1, 0.0);
                data.labels.push(f32::from(u8::from(product == 0)));
                data.keys.push(RowKey { example: at as u32, cart_size: 0, product });
            }
        }
        (data, (0..count).map(example).collect())
    }

    fn of(sample: &Sample) -> Vec<usize> {
        let mut of: Vec<usize> =
            sample.rows.rows.chunks_exact(FEATURES.len()).map(|row| row[0] as usize).collect();
        assert!(of.is_sorted() && of.len() == sample.rows.labels.len());
        let rows = of.len();
        of.dedup();
        assert_eq!(rows, of.iter().map(|at| at + 1).sum::<usize>(), "questions are whole");
        assert_eq!(of.len() as u64, sample.questions);
        of
    }

    #[test]
    fn a_sample_has_whole_questions_up_to_a_bound_and_depends_on_the_seed_alone() {
        let (data, examples) = questions(40);
        let all = bounded(&data, &examples, 1, data.labels.len());
        assert_eq!(of(&all).len(), 40);
        assert_eq!(all.rows.labels, data.labels);
        let part = bounded(&data, &examples, 1, 300);
        assert!((261..=300).contains(&part.rows.labels.len()), "{}", part.rows.labels.len());
        assert_eq!(of(&part), of(&bounded(&data, &examples, 1, 300)));
        assert_ne!(of(&part), of(&bounded(&data, &examples, 2, 300)));
        assert_eq!(bounded(&Labelled::default(), &[], 1, 300).questions, 0);
    }
}
