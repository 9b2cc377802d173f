//! The caller of a request, and the shoppers for whom the caller may act.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use cartwheel_events::{Event, UserId};

use crate::access::keys::{ApiKey, KeyHash};
use crate::http::problem::{Kind, Problem};

/// The least number of hexadecimal digits of an anonymous id that cannot be guessed: 128 bits.
const UNGUESSABLE_DIGITS: usize = 32;
/// The least number of different digits among them. Less than one of 10 million random ids has
/// fewer; a padded number does.
const DIFFERENT_DIGITS: u32 = 8;

/// The shoppers for whom a caller may act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shoppers {
    /// All of them.
    All,
    /// The shopper of a token.
    One(UserId),
    /// Guests with an unguessable anonymous id that the caller knows.
    Guests,
}

/// The sender of a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    key: Option<(Arc<str>, KeyHash)>,
    admin: bool,
    shoppers: Shoppers,
}

/// A shopper for whom the caller may act. Only [`Caller::permit`] makes it: what reads or writes
/// a shopper asks for it, so that no handler can leave the check out.
#[derive(Debug)]
pub(crate) struct Permitted(UserId);

impl Permitted {
    /// The shopper.
    pub(crate) fn id(&self) -> &UserId {
        &self.0
    }

    /// The shopper.
    pub(crate) fn into_id(self) -> UserId {
        self.0
    }
}

impl Caller {
    /// A caller that needs no key, because no key is required.
    pub(crate) fn anonymous() -> Self {
        Self { key: None, admin: true, shoppers: Shoppers::All }
    }

    /// A caller of an open route who brings no valid key although others need one.
    pub(crate) fn stranger() -> Self {
        Self { key: None, admin: false, shoppers: Shoppers::Guests }
    }

    /// Another product that has signed its request. It acts for every shopper, and has
    /// no key.
    pub(crate) fn signed() -> Self {
        Self { key: None, admin: false, shoppers: Shoppers::All }
    }

    /// A caller with that key, or with a token that the key has signed.
    pub(crate) fn new(key: &ApiKey, shoppers: Shoppers) -> Self {
        Self { key: Some((key.name.clone(), key.hash)), admin: false, shoppers }
    }

    /// A caller with the secret half of that admin key.
    pub(crate) fn admin(key: &ApiKey) -> Self {
        Self { admin: true, ..Self::new(key, Shoppers::All) }
    }

    /// The hash of the key; `None` for a caller without one.
    pub(crate) fn held(&self) -> Option<KeyHash> {
        self.key.as_ref().map(|(_, hash)| *hash)
    }

    /// Whether the caller may see how the server is: with an admin key, or while no key is needed.
    pub(crate) fn is_admin(&self) -> bool {
        self.admin
    }

    /// Checks that the caller is an admin, for what an admin alone may do on a route that others
    /// may call.
    ///
    /// # Errors
    /// 403 otherwise.
    pub(crate) fn permit_admin(&self, what: &str) -> Result<(), Problem> {
        match self.admin {
            true => Ok(()),
            false => {
                let detail = format!("{what} needs the secret half of a key with the scope admin.");
                Err(Problem::new(Kind::Forbidden, detail))
            }
        }
    }

    /// Checks that the caller may act for every shopper: with the secret half of a key, or while no
    /// key is needed.
    ///
    /// # Errors
    /// 403 otherwise.
    pub(crate) fn permit_every_shopper(&self, what: &str) -> Result<(), Problem> {
        if self.shoppers == Shoppers::All {
            return Ok(());
        }
        let detail = format!("{what} needs the secret half of a key.");
        Err(Problem::new(Kind::Forbidden, detail))
    }

    /// Whether the caller acts for guests alone, as a publishable key does.
    pub(crate) fn acts_for_guests(&self) -> bool {
        self.shoppers == Shoppers::Guests
    }

    /// The name of the key that limits this caller's requests.
    pub(crate) fn key_name(&self) -> Option<&Arc<str>> {
        self.key.as_ref().map(|(name, _)| name)
    }

    /// The name of the key, or `anonymous`.
    pub(crate) fn name(&self) -> &str {
        self.key.as_ref().map_or("anonymous", |(name, _)| name)
    }

    /// Checks that the caller may act for a shopper.
    ///
    /// # Errors
    /// 403 otherwise.
    pub(crate) fn permit(&self, shopper: UserId) -> Result<Permitted, Problem> {
        match &self.shoppers {
            Shoppers::All => {}
            Shoppers::One(own) if *own == shopper => {}
            Shoppers::One(_) => return Err(other("The shopper token is for another shopper.")),
            Shoppers::Guests => match shopper.anonymous_id() {
                Some(anonymous_id) => check_unguessable(anonymous_id)?,
                None => {
                    return Err(other(
                        "A publishable key acts for guests only, by their anonymous_id. For a \
                         user, add a shopper token as authorization: Bearer.",
                    ));
                }
            },
        }
        Ok(Permitted(shopper))
    }

    /// Checks that the caller may send an event.
    ///
    /// # Errors
    /// 403 otherwise.
    pub(crate) fn permit_event(&self, event: Event) -> Result<Event, Problem> {
        self.permit(event.user_id.clone())?;
        // A tie hands the guest's cart over to the user.
        if let (Some(guest), false) = (&event.guest, self.shoppers == Shoppers::All) {
            check_unguessable(guest.anonymous_id().unwrap_or_default())?;
        }
        Ok(event)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let missing = || Problem::new(Kind::Internal, "The request was not admitted.");
        parts.extensions.get::<Self>().cloned().ok_or_else(missing)
    }
}

fn other(detail: &str) -> Problem {
    Problem::new(Kind::OtherShopper, detail)
}

/// Checks that an id is long and varied enough to be random: a UUID, or at least 32 hexadecimal
/// digits.
fn check_unguessable(anonymous_id: &str) -> Result<(), Problem> {
    let digits = || anonymous_id.bytes().filter(|byte| *byte != b'-');
    let hexadecimal = digits().all(|byte| byte.is_ascii_hexdigit());
    let mut different = 0_u16;
    for digit in anonymous_id.chars().filter_map(|c| c.to_digit(16)) {
        different |= 1 << digit;
    }
    let varied = different.count_ones() >= DIFFERENT_DIGITS;
    if hexadecimal && varied && digits().count() >= UNGUESSABLE_DIGITS {
        return Ok(());
    }
    Err(Problem {
        field: Some("anonymous_id".to_owned()),
        expected: Some("a random UUID, or at least 32 random hexadecimal digits".to_owned()),
        ..other("The anonymous_id of a browser must be random: others could guess this one.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_random_ids_count_as_unguessable() {
        for id in [
            "9b1c3d2e-77aa-4c55-8f3e-2a6b4c8d0e1f",
            "0123456789abcdef0123456789ABCDEF",
            "0123456789abcdef0123456789abcdef0123456789abcdef",
        ] {
            assert!(check_unguessable(id).is_ok(), "{id}");
        }
        for id in [
            "",
            "7",
            "1032476589.1699000000",
            "00000000-0000-0000-0000-000000000042",
            "00000000-0000-4000-8000-000000012345",
            "customer-number-0123456789abcdef-0123456789abcdef",
            "9b1c3d2e-77aa-4c55-8f3e-2a6b4c8d0e1",
            "--------------------------------------------",
        ] {
            assert!(check_unguessable(id).is_err(), "{id}");
        }
    }
}
