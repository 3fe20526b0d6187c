//! Apps and servers of several versions, in one process.
//!
//! The oldest app has the definitions that come with the program; each later version adds fields, the
//! last one also an entity. A server is of the version between, or of the newest. Before anything of a
//! device or of the server is called the thread [enters](Schema::enter) its version.

use std::sync::OnceLock;

use outrider_core::schema::{BUILTIN_VERSION, Schema};

use crate::{Failure, dice::Dice};

/// What the second version added.
const SECOND: &str = r#"
name = "customer"
label = { en = "Customer", zh = "客户" }
plural = { en = "Customers", zh = "客户信息表" }
title = "company_name"
family = "itself"
fields = [
  { name = "favourite_tea", en = "Favourite tea", zh = "喜欢的茶", max = 100 },
  { name = "cups", en = "Cups", zh = "杯数", kind = "counter", type = "integer" },
]
"#;

/// What the third version added.
const THIRD: &str = r#"
name = "customer"
label = { en = "Customer", zh = "客户" }
plural = { en = "Customers", zh = "客户信息表" }
title = "company_name"
family = "itself"
fields = [
  { name = "favourite_cake", en = "Favourite cake", zh = "喜欢的蛋糕", max = 100 },
  { name = "gifts", en = "Gifts", zh = "礼品", kind = "rows", columns = [
    { name = "what", en = "What", zh = "礼品", max = 100 },
    { name = "given_on", en = "Given on", zh = "赠送日期", type = "date" },
  ] },
]
"#;

/// An entity of the third version.
const MACHINE: &str = r#"
name = "machine"
label = { en = "Machine", zh = "设备" }
plural = { en = "Machines", zh = "设备表" }
title = "name"
family = "customer_id"
fields = [
  { name = "name", en = "Name", zh = "名称", required = true },
  { name = "customer_id", en = "Customer", zh = "客户", type = "link", to = "customer", settle = "person", indexed = true },
  { name = "hours", en = "Hours", zh = "运行小时", kind = "counter", type = "integer", min = 0 },
  { name = "labels", en = "Labels", zh = "标识", kind = "set", max = 64 },
  { name = "report", en = "Report", zh = "报告", kind = "text", max = 80000 },
]
"#;

/// The version of an app or of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    /// That which comes with the program.
    First,
    /// One more.
    Second,
    /// The newest.
    Third,
}

impl Version {
    /// Its definitions.
    pub(crate) fn schema(self) -> &'static Schema {
        static SECOND_ONE: OnceLock<Schema> = OnceLock::new();
        static THIRD_ONE: OnceLock<Schema> = OnceLock::new();
        let extended = |more: u32, files: &[&str]| {
            Schema::extended(BUILTIN_VERSION + more, files).expect("the tests read the definitions")
        };
        match self {
            Self::First => Schema::builtin(),
            Self::Second => SECOND_ONE.get_or_init(|| extended(1, &[SECOND])),
            Self::Third => THIRD_ONE.get_or_init(|| extended(2, &[SECOND, THIRD, MACHINE])),
        }
    }

    /// From here on this thread is of this version.
    pub(crate) fn enter(self) {
        Schema::enter(self.schema());
    }

    /// That of an app where versions are mixed.
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        *dice.pick(&[Self::First, Self::Second, Self::Second, Self::Third]).unwrap_or(&Self::First)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::First => "the first version",
            Self::Second => "the second version",
            Self::Third => "the third version",
        }
    }
}

/// Members that a message has, at most, before those that an older program does not know.
const MEMBERS_MAX: u8 = 22;

/// A message as a newer program writes it: with a member more, which older ones skip.
///
/// Messages are arrays of CBOR, one place for each member.
pub(crate) fn with_more(packed: &[u8]) -> Result<Vec<u8>, Failure> {
    const ARRAY: u8 = 0x80;
    const NULL: u8 = 0xf6;
    const TRUE: u8 = 0xf5;
    let mut plain = zstd::decode_all(packed)?;
    let Some(first) = plain.first_mut() else { return Ok(packed.to_vec()) };
    let Some(count) = first.checked_sub(ARRAY).filter(|count| *count <= MEMBERS_MAX) else {
        return Ok(packed.to_vec());
    };
    *first = ARRAY + MEMBERS_MAX + 1;
    plain.extend((count..MEMBERS_MAX).map(|_| NULL));
    plain.push(TRUE);
    Ok(zstd::bulk::compress(&plain, 0)?)
}

/// The definitions of the newest version: what any replica may know.
pub(crate) fn newest() -> &'static Schema {
    Version::Third.schema()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_knows_more() {
        let count = |version: Version| {
            version.schema().entities().map(|entity| entity.fields.len()).sum::<usize>()
        };
        assert!(count(Version::First) < count(Version::Second));
        assert!(count(Version::Second) < count(Version::Third));
        Version::Third.enter();
        assert!(Schema::current().entity("machine").is_some());
        Version::First.enter();
        assert!(Schema::current().entity("machine").is_none());
    }
}
