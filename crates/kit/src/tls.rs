//! One TLS provider in the whole process: ring. With two linked, rustls cannot choose and panics at the first default
//! configuration, so the choice is made before anything else happens.

/// Makes ring the provider of this process. Safe to call again and from anywhere.
pub fn install() {
    // An error says that a provider is there already: ours, from an earlier call.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
