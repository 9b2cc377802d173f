//! Full feeds of more than one request: which products their parts have named.
//!
//! A feed is in memory until another one needs its place. After a restart the server does not know
//! it, and refuses its next part, so that a feed whose beginning is lost hides nothing.

use std::collections::HashSet;

use cartwheel_events::ProductId;
use cartwheel_sessions::MAX_PRODUCTS;
use parking_lot::Mutex;

use crate::http::problem::{Kind, Problem};
use crate::http::request::Params;

/// Feeds that are remembered at once.
const MAX_FEEDS: usize = 2;
/// Most parts of a feed.
const MAX_PARTS: usize = 1_000_000;

/// The part of a feed that a request holds.
#[derive(Debug)]
pub(super) struct Part {
    feed: String,
    /// From 0.
    number: usize,
    pub(super) is_last: bool,
}

impl Part {
    /// Takes the parameters `feed`, `part` and `last`. `None` if the request is no part of a feed.
    pub(super) fn take(params: &mut Params) -> Result<Option<Self>, Problem> {
        let (feed, number) = (params.text("feed")?, params.text("part")?);
        let is_last = params.flag("last")?;
        match (feed, number) {
            (Some(feed), Some(number)) => {
                let number = number.parse().ok().filter(|number| *number <= MAX_PARTS);
                let expected = format!("a number from 0 to {MAX_PARTS}");
                let wrong = || Problem::field("part", "part is out of range.", expected);
                Ok(Some(Self { feed, number: number.ok_or_else(wrong)?, is_last }))
            }
            (Some(_), None) => {
                let detail = "part is missing beside feed.";
                Err(Problem::field("part", detail, "the number of the part, from 0"))
            }
            (None, number) if number.is_some() || is_last => {
                let detail = "feed is missing beside part and last.";
                Err(Problem::field("feed", detail, "an id of the feed that all its parts have"))
            }
            _ => Ok(None),
        }
    }
}

/// The feeds of which parts have come, the one with the newest part last.
#[derive(Debug, Default)]
pub(crate) struct FullFeeds(Mutex<Vec<FullFeed>>);

#[derive(Debug)]
struct FullFeed {
    id: String,
    /// The number of the next part.
    next: usize,
    named: HashSet<ProductId>,
    /// Products that were not stored.
    failed: HashSet<ProductId>,
    /// The parts with a product whose id cannot be read.
    unreadable: HashSet<usize>,
}

impl FullFeeds {
    /// Begins a part: the next one of its feed, the same one again, or the first of a new feed.
    /// `count` is the number of its products.
    pub(super) fn begin(&self, part: &Part, count: usize) -> Result<(), Problem> {
        let mut feeds = self.0.lock();
        let known = feeds.iter().position(|feed| feed.id == part.feed);
        let known = known.map(|at| feeds.remove(at));
        let feed = match known {
            _ if part.number == 0 => FullFeed {
                id: part.feed.clone(),
                next: 0,
                named: HashSet::new(),
                failed: HashSet::new(),
                unreadable: HashSet::new(),
            },
            Some(feed) if part.number == feed.next || part.number + 1 == feed.next => feed,
            Some(feed) => {
                let detail =
                    format!("Part {} of this feed is next, or the one before again.", feed.next);
                feeds.push(feed);
                return Err(Problem::new(Kind::Conflict, detail));
            }
            None => return Err(unknown()),
        };
        if feed.named.len() + count > MAX_PRODUCTS {
            feeds.push(feed);
            let detail = format!("The feed names more than {MAX_PRODUCTS} products.");
            return Err(Problem::new(Kind::Conflict, detail));
        }
        if feeds.len() == MAX_FEEDS {
            feeds.remove(0);
        }
        feeds.push(feed);
        Ok(())
    }

    /// The products of `offered` that no part of the feed has named.
    pub(super) fn lacking(
        &self,
        part: &Part,
        mut offered: Vec<ProductId>,
    ) -> Result<Vec<ProductId>, Problem> {
        let feeds = self.0.lock();
        let feed = feeds.iter().find(|feed| feed.id == part.feed).ok_or_else(unknown)?;
        offered.retain(|id| !feed.named.contains(id));
        Ok(offered)
    }

    /// Notes the products of a part, each with its id and whether it was stored. Returns whether
    /// all products of the feed are stored by now.
    pub(super) fn note<'a>(
        &self,
        part: &Part,
        products: impl Iterator<Item = (Option<&'a ProductId>, bool)>,
    ) -> Result<bool, Problem> {
        let mut feeds = self.0.lock();
        let feed = feeds.iter_mut().find(|feed| feed.id == part.feed).ok_or_else(unknown)?;
        // The same part again may be a corrected one.
        feed.unreadable.remove(&part.number);
        for (id, is_stored) in products {
            match id {
                None => drop(feed.unreadable.insert(part.number)),
                Some(id) if is_stored => {
                    feed.failed.remove(id);
                    feed.named.insert(id.clone());
                }
                Some(id) => {
                    feed.failed.insert(id.clone());
                    feed.named.insert(id.clone());
                }
            }
        }
        // An answer that was late does not set the feed back.
        feed.next = feed.next.max(part.number + 1);
        Ok(feed.failed.is_empty() && feed.unreadable.is_empty())
    }
}

fn unknown() -> Problem {
    let detail = "The earlier parts of this feed are not known: the server was restarted, or other \
                  feeds have come since. Send the feed again from part 0.";
    Problem::new(Kind::Conflict, detail)
}
