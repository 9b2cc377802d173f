//! Rebuilds the binary when the build of the web app has changed.

fn main() {
    println!("cargo:rerun-if-changed=../../webapp/dist");
}
