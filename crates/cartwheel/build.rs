//! Builds the binary again when the web app was.

fn main() {
    println!("cargo:rerun-if-changed=../../webapp/dist");
}
