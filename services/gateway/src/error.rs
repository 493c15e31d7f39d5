//! Every way in which the gateway itself refuses, once for machines and once for people.

kit::error_codes! {
    /// Every code of the gateway's own.
    pub static CODES;

    /// The path can be read in two ways.
    AMBIGUOUS_PATH = "ambiguous_path", 400, "The path can be read in two ways";
    /// A preflight from an origin that is not on the list.
    ORIGIN_NOT_ALLOWED = "origin_not_allowed", 403, "Browsers may not call from this origin";
    /// The route belongs to a service that was left out of this installation.
    SERVICE_NOT_DEPLOYED = "service_not_deployed", 404, "This installation does not have the service behind this route";
    /// `Upgrade` to another protocol.
    UPGRADE_NOT_SUPPORTED = "upgrade_not_supported", 501, "Protocol upgrades are not supported here";
    /// The service closed the connection early, or answered something that is not HTTP.
    UPSTREAM_FAILED = "upstream_failed", 502, "The service behind this route failed";
    /// No replica of the service could be reached.
    UPSTREAM_UNAVAILABLE = "upstream_unavailable", 503, "The service behind this route is unavailable";
    /// The service did not answer in time.
    UPSTREAM_TIMEOUT = "upstream_timeout", 504, "The service behind this route took too long";
}
