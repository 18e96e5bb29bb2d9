//! Where a policy is meant for.

/// Partition, region and account of ARNs; `*` where they are not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub(super) partition: String,
    pub(super) region: String,
    pub(super) account: String,
}

impl Place {
    /// As far as it is known. The partition follows from the region (AWS general reference, ARNs).
    #[must_use]
    pub fn new(region: Option<&str>, account: Option<&str>) -> Self {
        let partition = match region {
            Some(region) if region.starts_with("cn-") => "aws-cn",
            Some(region) if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        let or_any = |text: Option<&str>| text.unwrap_or("*").to_owned();
        Self { partition: partition.to_owned(), region: or_any(region), account: or_any(account) }
    }

    /// The region, if it is known.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        Some(self.region.as_str()).filter(|region| *region != "*")
    }

    /// The account, if it is known.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        Some(self.account.as_str()).filter(|account| *account != "*")
    }
}
