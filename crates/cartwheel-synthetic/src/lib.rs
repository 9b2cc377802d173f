//! cartwheel-synthetic.
