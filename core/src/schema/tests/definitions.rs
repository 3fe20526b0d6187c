//! The built-in definitions fit together, say what was asked for, and are what the page says.

use std::{env, fs, path::Path};

use crate::{
    ids::Part,
    schema::{
        EntityDefinition, Kind, Language, PicklistDefinition, Schema, Settle, StageType, Type,
        definition,
    },
    value::Money,
};

fn definitions() -> (Vec<EntityDefinition>, Vec<PicklistDefinition>) {
    definition::builtin().unwrap()
}

#[test]
fn the_embedded_definitions_fit_together() {
    let (entities, picklists) = definitions();
    if let Err(error) = Schema::new(1, entities, picklists) {
        panic!("{error}");
    }
}

#[test]
fn the_embedded_files_say_nothing_that_is_not_understood() {
    for entity in definitions().0 {
        assert!(entity.unknown.is_empty(), "{}: {:?}", entity.name, entity.unknown);
        for field in entity.fields.iter().flat_map(|f| f.columns.iter().chain([f])) {
            assert!(field.unknown.is_empty(), "{}.{}", entity.name, field.name);
        }
    }
}

#[test]
fn definitions_survive_json() {
    for entity in definitions().0 {
        let json = serde_json::to_string(&entity).unwrap();
        assert_eq!(serde_json::from_str::<EntityDefinition>(&json).unwrap(), entity);
    }
}

/// Changes the built-in definitions and expects the reason of the refusal.
fn check_refusal(change: impl Fn(&mut EntityDefinition), place: &str, problem: &str) {
    let (mut entities, picklists) = definitions();
    change(&mut entities[0]);
    let refusal = Schema::new(1, entities, picklists).unwrap_err();
    assert_eq!((refusal.place.as_str(), refusal.problem.as_str()), (place, problem));
}

#[test]
fn definitions_that_do_not_fit_are_refused() {
    let name = "customer.company_name";
    check_refusal(|e| e.fields[0].zh.clear(), name, "a label is empty");
    check_refusal(|e| e.fields[0].type_name = "colour".into(), name, "an unknown type");
    check_refusal(
        |e| e.fields[0].settle = Settle::OptOut,
        name,
        "its values cannot be settled in this way",
    );
    check_refusal(|e| e.fields[1].name = "select".into(), "customer.select", "not a name");
    check_refusal(|e| e.fields[1].name = "Name".into(), "customer.Name", "not a name");
    check_refusal(
        |e| e.fields[3].kind = Kind::Rows,
        "customer.short_name",
        "columns belong to rows and logs",
    );
    check_refusal(|e| e.title = "nothing".into(), "customer", "the title is no field");
    check_refusal(|e| e.family = "phone".into(), "customer", "the family is no link");
    check_refusal(|e| e.name = "contact".into(), "contact", "defined twice");
}

#[test]
fn every_entity_has_the_fields_of_the_seed() {
    for (entity, table, fields) in [
        (
            "customer",
            "客户信息表",
            "客户ID 公司名称 地址 电话号码 电子邮件 联系人 行业 公司规模 拜访次数 客户满意度",
        ),
        ("contact", "联系人表", "联系人ID 客户 姓名 职位 联系电话 电子邮件 社交媒体账号 决策角色"),
        (
            "opportunity",
            "销售机会表",
            "机会ID 客户 机会名称 机会描述 预计金额 预计关闭日期 销售阶段 责任销售人员",
        ),
        ("activity", "活动记录表", "活动ID 客户 活动类型 活动日期 活动内容 责任人"),
        (
            "contract",
            "合同表",
            "合同ID 客户 合同名称 合同金额 合同开始日期 合同结束日期 合同状态 合同附件 合同审核 回款计划",
        ),
        ("product", "产品表", "产品ID 产品名称 产品描述 产品类别 价格 库存数量 库存状态"),
        (
            "service_request",
            "服务请求表",
            "请求ID 客户 请求类型 请求描述 请求日期 处理状态 处理结果 解决方案",
        ),
        (
            "campaign",
            "营销活动表",
            "活动ID 活动名称 活动类型 开始日期 结束日期 活动预算 活动效果 参与人数",
        ),
        ("user", "用户权限表", "用户ID 用户角色 权限级别 可访问模块 操作权限"),
        ("sales_order", "销售订单表", "订单编号 客户信息 产品或服务 订单金额 发货状态"),
        ("interaction", "交互记录表", "内容 会议纪要 责任人"),
        ("report", "报告和分析表", "报告名称 分析定义"),
        (
            "visit",
            "拜访表",
            "计划时间 签到时间 签退时间 检查表 使用配件 照片 签名 拜访结果 现场位置",
        ),
    ] {
        let entity = Schema::builtin().entity(entity).unwrap();
        assert_eq!(entity.plural.get(Language::Zh), table);
        let fields_zh = entity.fields.iter().map(|field| &field.label.zh);
        let derived_zh = entity.derived.iter().map(|derived| &derived.label.zh);
        let rollups_zh = entity.rollups.iter().map(|rollup| &rollup.label.zh);
        let labels: Vec<_> =
            fields_zh.chain(derived_zh).chain(rollups_zh).chain([&entity.id_label.zh]).collect();
        for label in fields.split(' ') {
            assert!(labels.iter().any(|known| *known == label), "{table}: {label}");
        }
    }
}

#[test]
fn secrets_and_long_texts_have_parts_of_their_own() {
    let field = |entity, field| Schema::builtin().entity(entity).unwrap().field(field).unwrap();
    assert_eq!(field("product", "cost").part, Part::Restricted);
    assert_eq!(field("customer", "credit_limit").part, Part::Restricted);
    assert_eq!(field("interaction", "minutes").part, Part::Text("minutes".into()));
    for entity in Schema::builtin().entities() {
        assert_eq!(entity.parts()[0], Part::Main);
        for part in entity.parts() {
            assert_eq!(part.as_str().parse::<Part>().unwrap(), part);
        }
    }
}

#[test]
fn sales_stages_carry_what_the_forecast_needs() {
    let stages = Schema::builtin().picklist("sales_stage").unwrap();
    let forecast = Schema::builtin().picklist("forecast_category").unwrap();
    for stage in &stages.choices {
        assert!(forecast.choice(stage.forecast.as_deref().unwrap()).is_some());
        let keeps_probability = stage.stage_type.unwrap() == StageType::Hold;
        assert_eq!(stage.probability.is_none(), keeps_probability, "{}", stage.id);
    }
    assert_eq!(stages.find("赢单").unwrap().id, "won");
    assert_eq!(stages.find(" ＷＯＮ ").unwrap().id, "won");
    assert!(stages.find("Engaging").is_none());
}

#[test]
fn every_currency_to_choose_is_one_that_money_has() {
    for choice in &Schema::builtin().picklist("currency").unwrap().choices {
        assert_eq!(Money::new(&choice.id, 0).unwrap().currency(), choice.id);
    }
}

#[test]
fn every_record_has_the_envelope() {
    for entity in Schema::builtin().entities() {
        for name in [
            "created_at",
            "created_by",
            "owner_id",
            "team_id",
            "territory_id",
            "tags",
            "followers",
            "attachments",
            "external_id",
            "visibility",
            "legal_hold",
            "redirect_to",
            "archived",
        ] {
            assert!(entity.field(name).is_some(), "{}.{name}", entity.name);
        }
        assert_eq!(entity.field("created_at").unwrap().kind, Kind::Once);
        assert_eq!(entity.field("owner_id").unwrap().ty, Type::Link("user".into()));
    }
}

#[test]
fn data_model_page_is_what_the_definitions_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/DATA_MODEL.md");
    let page = Schema::builtin().to_markdown();
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/DATA_MODEL.md is old: run this test with UPDATE_DOCS=1");
}

/// A store looks at its tables again when the version of the definitions is another one, and only then.
#[test]
fn definitions_that_changed_have_another_version() {
    use sha2::{Digest as _, Sha256};

    use crate::ids::to_hex;

    let shape = format!("{:?}", definitions());
    let known = (3, "369e9abf236038a2");
    let found = to_hex(&Sha256::digest(shape).into_iter().take(8).collect::<Vec<u8>>());
    assert_eq!(
        (Schema::builtin().version, found.as_str()),
        known,
        "count BUILTIN_VERSION up, and write down version and digest here"
    );
}
