mod call;

pub(crate) use call::call;
