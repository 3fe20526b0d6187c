//! The same suite over a company's own definitions: an entity with every kind and type, and a
//! field more of an entity that comes with the program. Nothing here says how they are to behave.

use std::{collections::BTreeSet, env};

use outrider_conformance::suite;
use outrider_core::schema::{BUILTIN_VERSION, Kind, Schema};

const SEED: u64 = 42;

/// Machines at customers' sites: every kind of field, every type, every rule.
const MACHINE: &str = r#"
name = "machine"
label = { en = "Machine", zh = "设备" }
plural = { en = "Machines", zh = "设备表" }
title = "name"
family = "customer_id"
fields = [
  { name = "name", en = "Name", zh = "名称", required = true, settle = "person" },
  { name = "customer_id", en = "Customer", zh = "客户", type = "link", to = "customer", settle = "person", indexed = true },
  { name = "serial_no", en = "Serial number", zh = "序列号", kind = "once", max = 40 },
  { name = "built_on", en = "Built on", zh = "制造日期", kind = "once", type = "date" },
  { name = "inspection_no", en = "Inspection number", zh = "检验编号", kind = "office", max = 40 },
  { name = "price_paid", en = "Price paid", zh = "购买价格", kind = "office", type = "money" },
  { name = "hours", en = "Hours", zh = "运行小时", kind = "counter", type = "integer", min = 0 },
  { name = "labels", en = "Labels", zh = "标识", kind = "set", max = 64 },
  { name = "spare_parts", en = "Spare parts", zh = "备件", kind = "set", type = "link", to = "product" },
  { name = "allowed", en = "Allowed", zh = "允许操作", kind = "set", type = "picklist", of = "operation" },
  { name = "readings", en = "Readings", zh = "读数", kind = "log", columns = [
    { name = "what", en = "What", zh = "项目", max = 40 },
    { name = "reading", en = "Reading", zh = "读数", type = "integer" },
    { name = "at", en = "At", zh = "时间", type = "date_time" },
  ] },
  { name = "defects", en = "Defects", zh = "缺陷", kind = "rows", columns = [
    { name = "what", en = "What", zh = "内容", max = 200 },
    { name = "is_repaired", en = "Repaired", zh = "已修复", type = "bool", settle = "done" },
    { name = "cost", en = "Cost", zh = "费用", type = "money", settle = "person" },
    { name = "severity", en = "Severity", zh = "严重程度", type = "integer", min = 0, max = 10, settle = "higher" },
    { name = "found_on", en = "Found on", zh = "发现日期", type = "date" },
  ] },
  { name = "report", en = "Report", zh = "报告", kind = "text", max = 80000 },
  { name = "power_kw", en = "Power in kW", zh = "功率（千瓦）", type = "decimal", scale = 3, min = 0 },
  { name = "speed", en = "Speed", zh = "转速", type = "integer", min = 0, max = 100000 },
  { name = "insured_for", en = "Insured for", zh = "保险金额", type = "money", settle = "person" },
  { name = "is_leased", en = "Leased", zh = "租赁", type = "bool" },
  { name = "do_not_move", en = "Do not move", zh = "请勿移动", type = "bool", settle = "opt_out" },
  { name = "is_scrapped", en = "Scrapped", zh = "已报废", type = "bool", settle = "done" },
  { name = "urgency", en = "Urgency", zh = "紧急程度", type = "integer", min = 0, max = 9, settle = "higher" },
  { name = "phase", en = "Phase", zh = "阶段", type = "picklist", of = "order_status", settle = "stage_rank" },
  { name = "branch", en = "Branch", zh = "行业", type = "picklist", of = "industry" },
  { name = "checked_on", en = "Checked on", zh = "检查日期", type = "date" },
  { name = "started_at", en = "Started at", zh = "启动时间", type = "date_time" },
  { name = "warranty", en = "Warranty", zh = "保修期", type = "period", settle = "person" },
  { name = "keeper_email", en = "Keeper's e-mail", zh = "保管人邮箱", type = "email" },
  { name = "keeper_phone", en = "Keeper's phone", zh = "保管人电话", type = "phone" },
  { name = "manual", en = "Manual", zh = "说明书", type = "url" },
  { name = "site", en = "Site", zh = "安装地址", type = "address" },
  { name = "keeper", en = "Keeper", zh = "保管人", type = "person_name" },
  { name = "place", en = "Place", zh = "位置", type = "geo" },
  { name = "shift", en = "Shift", zh = "班次", type = "time_span" },
  { name = "drawing", en = "Drawing", zh = "图纸", type = "sha256" },
  { name = "settings", en = "Settings", zh = "设置", type = "json" },
  { name = "margin", en = "Margin", zh = "毛利", type = "money", part = "restricted", settle = "person" },
  { name = "rating", en = "Rating", zh = "评级", max = 20, part = "restricted" },
]
"#;

/// A field more for customers.
const CUSTOMER: &str = r#"
name = "customer"
label = { en = "Customer", zh = "客户" }
plural = { en = "Customers", zh = "客户信息表" }
title = "company_name"
family = "itself"
fields = [
  { name = "favourite_tea", en = "Favourite tea", zh = "喜欢的茶", max = 100 },
  { name = "gifts", en = "Gifts", zh = "礼品", kind = "rows", columns = [
    { name = "what", en = "What", zh = "礼品", max = 100 },
    { name = "given_on", en = "Given on", zh = "赠送日期", type = "date" },
  ] },
]
"#;

#[test]
fn own_entities_and_fields_pass_without_a_test() {
    let schema = Schema::extended(BUILTIN_VERSION + 1, &[MACHINE, CUSTOMER]).unwrap();
    Schema::install(schema).unwrap();
    let machine = Schema::current().entity("machine").unwrap();
    let kinds: BTreeSet<&str> = machine.fields.iter().map(|field| field.kind.name()).collect();
    assert_eq!(kinds.len(), 8, "a kind is missing: {kinds:?}");
    let all = Schema::current().entities().flat_map(|entity| &entity.fields);
    let all: BTreeSet<&str> = all.map(|field| field.ty.name()).collect();
    let types: BTreeSet<&str> = machine.fields.iter().map(|field| field.ty.name()).collect();
    let missing: Vec<_> = all.difference(&types).collect();
    assert!(missing.is_empty(), "types that no field of the machine has: {missing:?}");

    let seed = env::var("OUTRIDER_SEED").map_or(SEED, |seed| seed.parse().unwrap());
    eprintln!("OUTRIDER_SEED={seed}");
    let report = suite::run(seed).unwrap();
    assert!(report.wrong.is_empty(), "{} wrong:\n{}", report.wrong.len(), report.wrong.join("\n"));
    let conflicts: BTreeSet<&str> = report.conflicts.keys().copied().collect();
    let expected = [Kind::Register, Kind::Counter, Kind::Set, Kind::Rows, Kind::Log, Kind::Text];
    assert_eq!(conflicts, expected.iter().map(|kind| kind.name()).collect());
}
