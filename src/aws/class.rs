//! Error code on the wire → what it means for the next move.
//!
//! Codes as the botocore service models and the services' common error lists give them. ElastiCache drops "Fault" or
//! "Exception" from some codes and keeps it on others; MemoryDB sends full shape names.

use crate::engine::Class;

/// Codes that the AWS SDKs retry as throttling.
const THROTTLED: &[&str] = &[
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "SlowDown",
    "PriorRequestNotComplete",
    "TooManyUpdates",
];

const TRANSIENT: &[&str] = &[
    "InternalFailure",
    "InternalError",
    "InternalServerError",
    "InternalServiceError",
    "InternalServiceErrorException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "RequestTimeout",
    "RequestTimeoutException",
    "TransactionInProgressException",
];

/// "RequestExpired" is the Query services' word for it (their common errors list).
const EXPIRED: &[&str] = &["ExpiredToken", "ExpiredTokenException", "RequestExpired"];

const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "AuthFailure",
    "AuthorizationError",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "MissingAuthenticationToken",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
    "InvalidCredentialsException",
];

/// Codes that sound like a state which passes and stand for one that somebody must mend: the subnets or their routes
/// (ElastiCache and MemoryDB API references), an archived object (S3 API reference, GetObject). And one that sounds like
/// a resource which is gone: the service-linked role that a service needs before it does anything.
const PERMANENT: &[&str] = &[
    "InvalidVPCNetworkStateFault",
    "InvalidVPCNetworkState",
    "InvalidObjectState",
    "ServiceLinkedRoleNotFoundFault",
];

/// What `code` means. `mutating` tells whether the call could have changed something: then a server fault is ambiguous.
/// Codes nobody has heard of are judged by the HTTP status: 5xx is a passing fault, everything else fatal.
#[must_use]
pub fn class_of(code: &str, status: Option<u16>, mutating: bool) -> Class {
    let fault = if mutating { Class::Ambiguous } else { Class::Transient };
    if THROTTLED.contains(&code) {
        Class::Throttled
    } else if EXPIRED.contains(&code) {
        Class::Expired
    } else if DENIED.contains(&code) {
        Class::Denied
    } else if TRANSIENT.contains(&code) {
        fault
    } else if code.starts_with("Insufficient") && code.contains("Capacity") {
        Class::Capacity
    } else if code.contains("QuotaExceeded")
        || code.contains("QuotaForC")
        || code.starts_with("APICallRateForCustomerExceeded")
        || code == "LimitExceededException"
        || code == "ParameterMaxVersionLimitExceeded"
    {
        Class::Quota
    } else if code.contains("AlreadyExists") || code == "ResourceExistsException" {
        Class::Conflict
    } else if PERMANENT.contains(&code) {
        Class::Fatal
    } else if code == "SubnetGroupInUseFault" {
        // The cluster that used it is on its way out.
        Class::Busy
    } else if code.starts_with("Invalid")
        && (code.ends_with("State") || code.ends_with("StateFault"))
    {
        Class::Busy
    } else if code.contains("NotFound") || code.starts_with("NoSuch") {
        Class::NotFound
    } else if status.is_some_and(|s| s >= 500) {
        fault
    } else if status == Some(429) {
        Class::Throttled
    } else if status == Some(403) {
        // S3 answers a HEAD without a body, and so without a code.
        Class::Denied
    } else {
        Class::Fatal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_follows_from_the_wire_code() {
        for (code, mutating, class) in [
            ("Throttling", true, Class::Throttled),
            ("PriorRequestNotComplete", true, Class::Throttled),
            ("InternalFailure", true, Class::Ambiguous),
            ("InternalFailure", false, Class::Transient),
            ("InvalidSnapshotState", true, Class::Busy),
            ("InvalidReplicationGroupState", true, Class::Busy),
            ("InvalidClusterStateFault", true, Class::Busy),
            ("InvalidServerlessCacheStateFault", true, Class::Busy),
            ("InvalidServerlessCacheSnapshotStateFault", true, Class::Busy),
            ("ServerlessCacheSnapshotAlreadyExistsFault", true, Class::Conflict),
            ("ServerlessCacheSnapshotNotFoundFault", false, Class::NotFound),
            ("ServerlessCacheSnapshotQuotaExceededFault", true, Class::Quota),
            ("ServiceLinkedRoleNotFoundFault", false, Class::Fatal),
            ("InvalidVPCNetworkStateFault", true, Class::Fatal),
            ("InvalidObjectState", false, Class::Fatal),
            ("InvalidParameterValue", true, Class::Fatal),
            ("InvalidParameterCombinationException", true, Class::Fatal),
            ("SnapshotAlreadyExistsFault", true, Class::Conflict),
            ("ClusterAlreadyExistsFault", true, Class::Conflict),
            ("ParameterAlreadyExists", true, Class::Conflict),
            ("SnapshotNotFoundFault", false, Class::NotFound),
            ("CacheClusterNotFound", false, Class::NotFound),
            ("NoSuchHostedZone", false, Class::NotFound),
            ("NoSuchKey", false, Class::NotFound),
            ("SnapshotQuotaExceededFault", true, Class::Quota),
            ("NodeQuotaForCustomerExceededFault", true, Class::Quota),
            ("ClusterQuotaForCustomerExceeded", true, Class::Quota),
            ("APICallRateForCustomerExceeded", true, Class::Quota),
            ("InsufficientClusterCapacityFault", true, Class::Capacity),
            ("InsufficientCacheClusterCapacity", true, Class::Capacity),
            ("AccessDenied", true, Class::Denied),
            ("ExpiredToken", false, Class::Expired),
        ] {
            assert_eq!(class_of(code, Some(400), mutating), class, "{code}");
        }
        assert_eq!(class_of("Unheard", Some(503), true), Class::Ambiguous);
        assert_eq!(class_of("Unheard", Some(503), false), Class::Transient);
        assert_eq!(class_of("Unheard", Some(400), true), Class::Fatal);
        assert_eq!(class_of("an error without a code", Some(403), false), Class::Denied);
    }

    #[test]
    fn every_code_of_the_lists_has_the_class_of_its_list_whatever_the_status() {
        for (codes, reading, changing) in [
            (THROTTLED, Class::Throttled, Class::Throttled),
            (TRANSIENT, Class::Transient, Class::Ambiguous),
            (EXPIRED, Class::Expired, Class::Expired),
            (DENIED, Class::Denied, Class::Denied),
            (PERMANENT, Class::Fatal, Class::Fatal),
        ] {
            for code in codes {
                for status in [None, Some(400), Some(500)] {
                    assert_eq!(class_of(code, status, false), reading, "{code}");
                    assert_eq!(class_of(code, status, true), changing, "{code}");
                }
            }
        }
    }

    #[test]
    fn half_of_a_word_is_not_the_word() {
        for (code, class) in [
            ("LimitExceededException", Class::Quota),
            ("ParameterMaxVersionLimitExceeded", Class::Quota),
            ("APICallRateForCustomerExceededFault", Class::Quota),
            ("ResourceExistsException", Class::Conflict),
            ("InsufficientPermissionsFault", Class::Fatal),
            ("CapacityIsFine", Class::Fatal),
            ("InvalidSnapshotStateFault", Class::Busy),
            ("SnapshotState", Class::Fatal),
            ("SnapshotStateFault", Class::Fatal),
            ("InvalidStateOfMind", Class::Fatal),
        ] {
            assert_eq!(class_of(code, Some(400), true), class, "{code}");
        }
    }

    #[test]
    fn a_code_that_nobody_has_heard_of_is_judged_by_the_status() {
        for (status, reading, changing) in [
            (None, Class::Fatal, Class::Fatal),
            (Some(403), Class::Denied, Class::Denied),
            (Some(404), Class::Fatal, Class::Fatal),
            (Some(429), Class::Throttled, Class::Throttled),
            (Some(499), Class::Fatal, Class::Fatal),
            (Some(500), Class::Transient, Class::Ambiguous),
            (Some(599), Class::Transient, Class::Ambiguous),
        ] {
            assert_eq!(class_of("Unheard", status, false), reading, "{status:?}");
            assert_eq!(class_of("Unheard", status, true), changing, "{status:?}");
        }
    }
}
