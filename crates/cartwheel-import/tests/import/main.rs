//! Imports of whole files, through the interface that the command line uses.

#[cfg(test)]
mod feeds;
#[cfg(test)]
mod formats;
#[cfg(test)]
mod recipes;
#[cfg(test)]
mod same_as_live;
#[cfg(test)]
mod shop;
#[cfg(test)]
mod whole_or_not;
