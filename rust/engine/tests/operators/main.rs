//! What every operator makes of a value and a target, one family a file.
#[path = "../support/mod.rs"]
mod support;

mod arrays;
mod equality;
mod id_lists;
mod numbers;
mod regexes;
mod strings;
mod times;
mod versions;
