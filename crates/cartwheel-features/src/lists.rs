//! Many short lists in one piece of memory: they are read much faster than one allocation each.

/// Lists, one after another.
#[derive(Debug, Clone, PartialEq)]
pub struct Lists<T> {
    items: Vec<T>,
    /// Where each list ends.
    ends: Vec<usize>,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self { items: Vec::new(), ends: Vec::new() }
    }
}

impl<T> Lists<T> {
    /// Takes the items of all lists, and where each list ends among them. Returns `None` if the ends do
    /// not ascend up to the number of items.
    pub fn from_parts(items: Vec<T>, ends: Vec<usize>) -> Option<Self> {
        let fits = ends.is_sorted() && ends.last().copied().unwrap_or(0) == items.len();
        fits.then_some(Self { items, ends })
    }

    /// The items of all lists.
    pub fn items(&self) -> &[T] {
        &self.items
    }

    /// Where each list ends among the items.
    pub fn ends(&self) -> &[usize] {
        &self.ends
    }

    /// Returns the number of lists.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no lists.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns the list of a product, empty if there are fewer lists.
    pub fn of(&self, product: u32) -> &[T] {
        if (product as usize) < self.len() { self.get(product as usize) } else { &[] }
    }

    /// Returns a list.
    ///
    /// # Panics
    /// If there is no such list.
    pub(crate) fn get(&self, at: usize) -> &[T] {
        let begin = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.items[begin..self.ends[at]]
    }
}

impl<T: Clone> Lists<T> {
    /// Appends a list.
    pub fn push(&mut self, list: &[T]) {
        self.items.extend_from_slice(list);
        self.ends.push(self.items.len());
    }
}

impl<T: Clone> FromIterator<Vec<T>> for Lists<T> {
    fn from_iter<I: IntoIterator<Item = Vec<T>>>(lists: I) -> Self {
        let mut all = Self::default();
        lists.into_iter().for_each(|list| all.push(&list));
        all
    }
}

impl Lists<u32> {
    /// Lists for each number below `count` the places of the lists that contain it, in order. All
    /// numbers are below `count`.
    pub(crate) fn inverted(&self, count: usize) -> Self {
        let mut ends = vec![0; count];
        self.items.iter().for_each(|&number| ends[number as usize] += 1);
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
        Self { items: numbers, ends }
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
        assert_eq!((lists.of(3), lists.of(4)), (&[4][..], &[][..]));
    }
}
