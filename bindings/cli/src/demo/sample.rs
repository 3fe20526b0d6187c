//! The demo's company: customers, contacts, products, users, opportunities and interactions, as
//! CSV files with the mappings that import them, the way a real company would begin.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    dice::Dice,
    names::{
        BRANDS_EN, BRANDS_ZH, CITIES_EN, FAMILIES_EN, FAMILIES_ZH, GIVEN_EN, GIVEN_ZH, PLACES_ZH,
        PRODUCTS, SUBJECTS, TITLES, TRADES_EN, TRADES_ZH,
    },
};

/// Customers of the demo.
pub(super) const CUSTOMERS: usize = 240;
const CONTACTS: usize = 360;
const OPPORTUNITIES: usize = 320;
const INTERACTIONS: usize = 220;
const STAGES: &[&str] =
    &["prospecting", "qualification", "needs_analysis", "proposal", "negotiation", "won", "lost"];

/// One file with its mapping.
#[derive(Debug)]
pub(super) struct Import {
    /// What it holds, for people.
    pub(super) entity: &'static str,
    pub(super) file: PathBuf,
    pub(super) mapping: PathBuf,
}

/// Writes all files into `folder`, in the order in which they are imported.
pub(super) fn write(folder: &Path, seed: u64) -> io::Result<Vec<Import>> {
    fs::create_dir_all(folder)?;
    let mut dice = Dice::new(seed);
    let files = [
        ("user", users(), USER_MAPPING),
        ("product", products(), PRODUCT_MAPPING),
        ("customer", customers(&mut dice), CUSTOMER_MAPPING),
        ("contact", contacts(&mut dice), CONTACT_MAPPING),
        ("opportunity", opportunities(&mut dice), OPPORTUNITY_MAPPING),
        ("interaction", interactions(&mut dice), INTERACTION_MAPPING),
    ];
    let mut imports = Vec::new();
    for (entity, rows, mapping) in files {
        let import = Import {
            entity,
            file: folder.join(format!("{entity}.csv")),
            mapping: folder.join(format!("{entity}.toml")),
        };
        fs::write(&import.file, rows)?;
        fs::write(&import.mapping, mapping)?;
        imports.push(import);
    }
    Ok(imports)
}

/// Adds a line; no value of this file has a comma, a quote or a line break.
fn line(rows: &mut String, cells: &[&str]) {
    // Writing to a string cannot fail.
    let _ = writeln!(rows, "{}", cells.join(","));
}

fn users() -> String {
    let mut rows = "编号,姓名,区域,email\n".to_owned();
    let people = [
        ("lin", "林晓", "华东"),
        ("anna", "Anna Foster", "Overseas"),
        ("wei", "魏强", "华东"),
        ("zhou", "周敏", "华南"),
    ];
    for (key, name, region) in people {
        line(&mut rows, &[key, name, region, &format!("{key}@outrider.example")]);
    }
    rows
}

fn products() -> String {
    let mut rows = "货号,产品名称,类别,价格,单位\n".to_owned();
    for (number, (name, category, price, unit)) in (1..).zip(PRODUCTS) {
        let sku: i32 = 1000 + number;
        line(&mut rows, &[&format!("OR-{sku}"), name, category, &price.to_string(), unit]);
    }
    rows
}

fn customers(dice: &mut Dice) -> String {
    let mut rows = "编号,公司名称,行业,电话,国家,省,城市,员工人数,年营业额,等级\n".to_owned();
    for number in 1..=CUSTOMERS {
        let key = format!("C{number:04}");
        let employees = (5 + dice.below(2_000)).to_string();
        let revenue = ((1 + dice.below(900)) * 100_000).to_string();
        let tier = dice.word(&["a", "b", "c"]);
        if number.is_multiple_of(3) {
            let (trade, industry) = dice.pick(TRADES_EN).copied().unwrap_or_default();
            let (city, country) = dice.pick(CITIES_EN).copied().unwrap_or_default();
            let name = format!("{} {trade} {number} Ltd", dice.word(BRANDS_EN));
            let phone = format!("+44 113 496 {number:04}");
            line(
                &mut rows,
                &[&key, &name, industry, &phone, country, "", city, &employees, &revenue, tier],
            );
        } else {
            let (trade, industry) = dice.pick(TRADES_ZH).copied().unwrap_or_default();
            let (city, province, _) = dice.pick(PLACES_ZH).copied().unwrap_or_default();
            let name = format!("{city}{}{trade}{number}有限公司", dice.word(BRANDS_ZH));
            let phone = format!("+86 21 5555 {number:04}");
            line(
                &mut rows,
                &[
                    &key, &name, industry, &phone, "中国", province, city, &employees, &revenue,
                    tier,
                ],
            );
        }
    }
    rows
}

fn contacts(dice: &mut Dice) -> String {
    let mut rows = "编号,客户编号,姓名,职位,手机,邮箱\n".to_owned();
    for number in 1..=CONTACTS {
        let customer = 1 + (number - 1) % CUSTOMERS;
        let (title_zh, title_en) = dice.pick(TITLES).copied().unwrap_or_default();
        let (name, title) = if customer.is_multiple_of(3) {
            (format!("{} {}", dice.word(GIVEN_EN), dice.word(FAMILIES_EN)), title_en)
        } else {
            (format!("{}{}", dice.word(FAMILIES_ZH), dice.word(GIVEN_ZH)), title_zh)
        };
        let cells = [
            format!("P{number:04}"),
            format!("C{customer:04}"),
            name,
            title.to_owned(),
            format!("+86 138 0000 {number:04}"),
            format!("p{number}@customer.example"),
        ];
        line(&mut rows, &cells.each_ref().map(String::as_str));
    }
    rows
}

fn opportunities(dice: &mut Dice) -> String {
    let mut rows = "编号,机会名称,客户编号,产品,预计金额,预计关闭日期,销售阶段,负责人\n".to_owned();
    for number in 1..=OPPORTUNITIES {
        let customer = 1 + dice.below(CUSTOMERS);
        let (product, _, price, _) = dice.pick(PRODUCTS).copied().unwrap_or_default();
        let amount = price as usize * (1 + dice.below(12));
        let cells = [
            format!("O{number:04}"),
            format!("{product} × {customer}"),
            format!("C{customer:04}"),
            product.to_owned(),
            amount.to_string(),
            format!("2027年{}月{}日", 1 + dice.below(12), 1 + dice.below(28)),
            dice.word(STAGES).to_owned(),
            dice.word(&["lin", "anna", "zhou"]).to_owned(),
        ];
        line(&mut rows, &cells.each_ref().map(String::as_str));
    }
    rows
}

fn interactions(dice: &mut Dice) -> String {
    let mut rows = "编号,客户编号,方式,时间,内容\n".to_owned();
    for number in 1..=INTERACTIONS {
        let customer = 1 + dice.below(CUSTOMERS);
        let (zh, en) = dice.pick(SUBJECTS).copied().unwrap_or_default();
        let cells = [
            format!("I{number:04}"),
            format!("C{customer:04}"),
            dice.word(&["call", "meeting", "email", "wechat"]).to_owned(),
            format!("2026-{:02}-{:02}", 1 + dice.below(10), 1 + dice.below(28)),
            (if customer.is_multiple_of(3) { en } else { zh }).to_owned(),
        ];
        line(&mut rows, &cells.each_ref().map(String::as_str));
    }
    rows
}

const USER_MAPPING: &str = r#"entity = "user"
source = "demo"
key = "编号"

[fields]
name = { column = "姓名" }
regional_office = { column = "区域" }
email = { column = "email" }
"#;

const PRODUCT_MAPPING: &str = r#"entity = "product"
source = "demo"
key = "货号"
currency = "CNY"

[fields]
sku = { column = "货号" }
name = { column = "产品名称" }
category = { column = "类别" }
price = { column = "价格" }
unit = { column = "单位" }
"#;

const CUSTOMER_MAPPING: &str = r#"entity = "customer"
source = "demo"
key = "编号"
currency = "CNY"

[fields]
company_name = { column = "公司名称" }
industry = { column = "行业" }
phone = { column = "电话" }
"address.country" = { column = "国家" }
"address.province" = { column = "省" }
"address.city" = { column = "城市" }
employees = { column = "员工人数" }
annual_revenue = { column = "年营业额" }
tier = { column = "等级" }
"#;

const CONTACT_MAPPING: &str = r#"entity = "contact"
source = "demo"
key = "编号"

[fields]
customer_id = { column = "客户编号", ref = { by = "key" } }
name = { column = "姓名" }
job_title = { column = "职位" }
mobile = { column = "手机" }
email = { column = "邮箱" }
"#;

const OPPORTUNITY_MAPPING: &str = r#"entity = "opportunity"
source = "demo"
key = "编号"
currency = "CNY"
date_order = "ymd"

[fields]
name = { column = "机会名称" }
customer_id = { column = "客户编号", ref = { by = "key" } }
product_id = { column = "产品", ref = { by = "name" } }
expected_amount = { column = "预计金额" }
expected_close_date = { column = "预计关闭日期" }
sales_stage = { column = "销售阶段" }
owner_id = { column = "负责人", ref = { by = "key" } }
"#;

const INTERACTION_MAPPING: &str = r#"entity = "interaction"
source = "demo"
key = "编号"

[fields]
customer_id = { column = "客户编号", ref = { by = "key" } }
channel = { column = "方式" }
occurred_at = { column = "时间" }
summary = { column = "内容" }
"#;
