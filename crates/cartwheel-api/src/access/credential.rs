//! The key or token of a request.

use axum::http::{HeaderMap, Uri, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::access::caller::{Caller, Shoppers};
use crate::access::keys::{ApiKey, Half, Keys};
use crate::access::scope::{Audience, Scope};
use crate::access::token::{Claims, TokenError, UncheckedToken};
use crate::http::problem::{Kind, Problem};

/// The only route that takes a key in its query: the Measurement Protocol has no other place.
const COLLECT: &str = "/mp/collect";

/// A key, or a token that a key has signed.
#[derive(Debug)]
pub(crate) struct Credential {
    /// The key.
    pub(crate) key: ApiKey,
    bearer: Bearer,
}

#[derive(Debug)]
enum Bearer {
    Key,
    Token(Claims),
    Publishable,
}

/// Why a request has no credential.
#[derive(Debug)]
pub(crate) enum NoCredential {
    /// It brings nothing.
    Missing,
    /// It brings a key or a signature that is wrong, and may be guessing.
    Wrong(Problem),
    /// It brings a token that is signed but not valid now.
    Expired(Problem),
}

impl Credential {
    /// Finds the credential in `x-api-key`, or in `authorization` as `Bearer` or as the user name
    /// of `Basic`; `in_query` is that of the address, if the route takes one there. A token decides
    /// alone, whichever key stands beside it.
    pub(crate) fn find(
        keys: &Keys,
        headers: &HeaderMap,
        in_query: Option<&str>,
        now_ms: i64,
    ) -> Result<Self, NoCredential> {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let authorization = header(header::AUTHORIZATION.as_str()).unwrap_or_default();
        let basic = user_name(authorization);
        let bearer = authorization.strip_prefix("Bearer ").or(basic.as_deref());
        if let Some(token) = bearer.filter(|bearer| UncheckedToken::is_token(bearer)) {
            return Self::from_token(keys, token, now_ms);
        }
        let given = header("x-api-key").or(bearer).or(in_query).unwrap_or_default();
        Self::from_text(keys, given, now_ms)
    }

    /// Finds the credential that a text is: a token, or a half of a key.
    pub(crate) fn from_text(keys: &Keys, given: &str, now_ms: i64) -> Result<Self, NoCredential> {
        if given.is_empty() {
            return Err(NoCredential::Missing);
        }
        if UncheckedToken::is_token(given) {
            return Self::from_token(keys, given, now_ms);
        }
        match keys.find(given) {
            Some((key, Half::Secret)) => Ok(Self { key, bearer: Bearer::Key }),
            Some((key, Half::Publishable)) => Ok(Self { key, bearer: Bearer::Publishable }),
            None => {
                let problem = Problem::new(Kind::Unauthorized, "The API key is unknown.");
                Err(NoCredential::Wrong(problem))
            }
        }
    }

    fn from_token(keys: &Keys, token: &str, now_ms: i64) -> Result<Self, NoCredential> {
        let problem = |error: TokenError| Problem::new(Kind::InvalidToken, error.to_string());
        let wrong = |error| NoCredential::Wrong(problem(error));
        let token = UncheckedToken::parse(token).map_err(wrong)?;
        let key = keys.signer(&token).ok_or_else(|| wrong(TokenError::Signature))?;
        let claims = token.into_claims();
        claims.check_time(now_ms).map_err(|error| NoCredential::Expired(problem(error)))?;
        Ok(Self { key, bearer: Bearer::Token(claims) })
    }

    /// The caller on an open route, where only an admin is told more than others.
    pub(crate) fn on_open_route(self) -> Caller {
        self.admit(Scope::Admin, Audience::Keys).unwrap_or_else(|_| Caller::stranger())
    }

    /// Checks that the credential may call a route, and returns the caller.
    ///
    /// # Errors
    /// 403 otherwise.
    pub(crate) fn admit(self, scope: Scope, audience: Audience) -> Result<Caller, Problem> {
        let forbidden = |detail: String| Err(Problem::new(Kind::Forbidden, detail));
        if !self.key.may(scope) {
            return forbidden(format!("The API key lacks the scope {scope}."));
        }
        let shoppers = match self.bearer {
            Bearer::Key if self.key.may(Scope::Admin) => return Ok(Caller::admin(&self.key)),
            Bearer::Key => Shoppers::All,
            Bearer::Token(_) if audience < Audience::Tokens => {
                return forbidden("A shopper token cannot call this route.".to_owned());
            }
            Bearer::Token(claims) if !claims.grants(scope) => {
                return forbidden(format!("The shopper token lacks the scope {scope}."));
            }
            Bearer::Token(claims) => Shoppers::One(claims.sub),
            Bearer::Publishable if audience < Audience::Guests => {
                return forbidden(
                    "A publishable key without a shopper token cannot call this route.".to_owned(),
                );
            }
            Bearer::Publishable => Shoppers::Guests,
        };
        Ok(Caller::new(&self.key, shoppers))
    }
}

/// The user name of HTTP's Basic scheme, where clients of other products put their key. There is
/// no password.
fn user_name(authorization: &str) -> Option<String> {
    let coded = authorization.strip_prefix("Basic ")?;
    let text = String::from_utf8(BASE64.decode(coded.trim()).ok()?).ok()?;
    text.split_once(':').map(|(name, _)| name.to_owned())
}

/// The key in the query of a request to the Measurement Protocol's address. Keys need no escapes.
pub(crate) fn key_in_query<'a>(route: Option<&str>, uri: &'a Uri) -> Option<&'a str> {
    let query = uri.query().filter(|_| route == Some(COLLECT))?;
    query.split('&').find_map(|pair| pair.strip_prefix("api_secret="))
}
