//! The pages about error codes are embedded; a page that is added or changed must rebuild the crate.

fn main() {
    println!("cargo:rerun-if-changed=../../docs/errors");
}
