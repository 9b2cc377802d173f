//! Many short lists in one piece of memory: they are read much faster than one allocation each.

/// Lists of numbers, one after another.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    numbers: Vec<u32>,
    /// Where each list ends.
    ends: Vec<usize>,
}

impl Lists {
    /// Appends a list.
    pub(crate) fn push(&mut self, list: &[u32]) {
        self.numbers.extend_from_slice(list);
        self.ends.push(self.numbers.len());
    }

    /// Returns the number of lists.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns a list.
    ///
    /// # Panics
    /// If there is no such list.
    pub(crate) fn get(&self, at: usize) -> &[u32] {
        let begin = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.numbers[begin..self.ends[at]]
    }

    /// Lists for each number below `count` the places of the lists that contain it, in order. All
    /// numbers are below `count`.
    pub(crate) fn inverted(&self, count: usize) -> Self {
        let mut ends = vec![0; count];
        self.numbers.iter().for_each(|&number| ends[number as usize] += 1);
        let mut sum = 0;
        // First where each list begins, and in the end where it ends.
        for end in &mut ends {
            sum += std::mem::replace(end, sum);
        }
        let mut numbers = vec![0; sum];
        for at in 0..self.len() {
            for &number in self.get(at) {
                let end = &mut ends[number as usize];
                numbers[*end] = at as u32;
                *end += 1;
            }
        }
        Self { numbers, ends }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverted_lists_name_the_lists_that_contain_a_number() {
        let mut lists = Lists::default();
        for list in [&[1, 4][..], &[], &[0, 1], &[4]] {
            lists.push(list);
        }
        let inverted = lists.inverted(6);
        let all: Vec<&[u32]> = (0..inverted.len()).map(|at| inverted.get(at)).collect();
        assert_eq!(all, [&[2][..], &[0, 2], &[], &[], &[0, 3], &[]]);
        assert_eq!(Lists::default().inverted(0).len(), 0);
    }
}
