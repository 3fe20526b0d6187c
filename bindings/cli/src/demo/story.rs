//! The story: a company, three people without a network, and how their work comes together.

use std::{fs, path::PathBuf};

use outrider_core::ids::RecordId;
use serde_json::{Value as Json, json};

use super::{
    DemoArgs,
    device::{DemoError, Device},
    dice::Dice,
    edits::{Trace, Typed, Work, add_random, customer, imported},
    field::Morning,
    link::{Link, Signal},
    rules, sample,
    say::Voice,
    server::Server,
    verify::{Verdict, verify},
};

/// Attempts of one device to come through, at most.
const ATTEMPTS_MAX: u32 = 60;
/// Rounds of syncing until everybody has everything.
const ROUNDS: usize = 2;

/// How the story ended.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) converged: bool,
    pub(super) lost: usize,
    /// Whether the chapter on access went as it should.
    pub(super) is_ruled: bool,
}

/// The records that the story is about.
struct Cast {
    /// Both reps change its phone: two values of one field.
    phone: RecordId,
    /// Each changes another field: both stay.
    fields: RecordId,
    /// Tags, visits and notes from everybody.
    shared: RecordId,
    /// Two amounts: a person must settle.
    deal: RecordId,
    /// Two stages: the higher rank counts.
    staged: RecordId,
    /// An order with lines that two people change.
    order: RecordId,
    /// Archived by one while another works on it.
    archived: RecordId,
    /// A technician's visit, and the people around it.
    morning: Morning,
}

/// Tells the story.
pub(super) fn tell(voice: &Voice, args: &DemoArgs) -> Result<Outcome, DemoError> {
    let folder = make_folder(args)?;
    let mut dice = Dice::new(args.seed);

    voice.step("The office starts its server.", "办公室启动服务器。");
    let mut server = Server::start(&folder)?;
    let link = Link::start(server.address).map_err(DemoError::io("starting the link"))?;
    voice.line(
        &format!("http://{} with its data in {}", server.address, server.data.display()),
        &format!("http://{}，数据在 {}", server.address, server.data.display()),
    );
    let devices = enrol(voice, &folder, &server, &link)?;
    let [lin, _, _] = devices.as_slice() else {
        return Ok(Outcome { converged: false, lost: 0, is_ruled: false });
    };
    import(voice, &folder, lin, args.seed)?;
    let cast = prepare(lin)?;
    sync_all(&devices)?;
    let before = verify(&devices, &server.data, &[])?;
    voice.line(
        &format!("{} records on each of {} devices", before.records, devices.len()),
        &format!("{} 台设备上各有 {} 条记录", devices.len(), before.records),
    );

    let typed = work_offline(voice, &devices, &link, &cast, args, &mut dice)?;
    come_back(voice, &devices, &link, &mut dice)?;
    let mut after = verify(&devices, &server.data, &typed)?;
    for device in &devices {
        after.lost.extend(cast.morning.faults(device)?);
    }
    report(voice, &after, &typed);
    show_merges(voice, lin, &cast)?;
    let settled = settle(voice, &devices, &cast)?;
    let last = verify(&devices, &server.data, &[])?;
    export(voice, lin, &cast, &folder)?;
    let chapter = rules::tell(voice, &server, &devices, cast.fields, !args.no_serve)?;

    let converged = after.is_converged && last.is_converged && settled;
    let lost = after.lost.len();
    voice.result(&json!({
        "records": last.records,
        "devices": devices.len(),
        "edits_offline": typed.len(),
        "conflicts": after.conflicts,
        "conflicts_left": last.conflicts,
        "connections_cut": link.cuts(),
        "converged": converged,
        "lost": lost,
        "access": chapter.to_json(),
        "seed": args.seed,
        "folder": folder.display().to_string(),
    }));
    if !args.no_serve {
        go_on(voice, &mut server, &devices, &cast);
    }
    Ok(Outcome { converged, lost, is_ruled: chapter.is_good() })
}

fn make_folder(args: &DemoArgs) -> Result<PathBuf, DemoError> {
    let folder = match &args.dir {
        Some(folder) => folder.clone(),
        None => {
            let name = format!("outrider-demo-{}-{}", args.seed, std::process::id());
            std::env::temp_dir().join(name)
        }
    };
    let doing = || format!("making the demo's folder {}", folder.display());
    if folder.join("server").exists() {
        let error = std::io::Error::new(
            std::io::ErrorKind::AlreadyExists,
            "it holds an earlier demo; name another folder with --dir",
        );
        return Err(DemoError::io(doing())(error));
    }
    fs::create_dir_all(&folder).map_err(DemoError::io(doing()))?;
    Ok(folder)
}

fn enrol(
    voice: &Voice,
    folder: &std::path::Path,
    server: &Server,
    link: &Link,
) -> Result<Vec<Device>, DemoError> {
    voice.step("Three devices enrol, each with a one-time code.", "三台设备各用一次性验证码注册。");
    let people = [("lin", "林晓"), ("anna", "Anna Foster"), ("wei", "魏强")];
    let mut devices = Vec::new();
    for (key, user) in people {
        let device = Device::new(folder, key, user);
        device.json(&["init"])?;
        let code = server.code(user)?;
        device.json(&["enroll", &link.url(), &code, "--name", key])?;
        voice.line(&format!("{user}: device `{key}`"), &format!("{user}：设备 {key}"));
        devices.push(device);
    }
    Ok(devices)
}

fn import(
    voice: &Voice,
    folder: &std::path::Path,
    device: &Device,
    seed: u64,
) -> Result<(), DemoError> {
    voice.step("林晓 imports the company's old spreadsheets.", "林晓导入公司原有的表格。");
    let imports = sample::write(&folder.join("sample"), seed)
        .map_err(DemoError::io("writing the sample files"))?;
    for one in imports {
        let (file, mapping) = (one.file.to_string_lossy(), one.mapping.to_string_lossy());
        let report = device.json(&["import", &file, "--mapping", &mapping])?;
        let count = |name: &str| report.get(name).and_then(Json::as_u64).unwrap_or(0);
        let (rows, created, rejected) = (count("rows"), count("created"), count("rejected"));
        let entity = one.entity;
        voice.line(
            &format!("{entity}: {rows} rows, {created} records made, {rejected} rejected"),
            &format!("{entity}：{rows} 行，新建 {created} 条，拒绝 {rejected} 行"),
        );
    }
    Ok(())
}

/// Makes the order that the story is about.
fn prepare(device: &Device) -> Result<Cast, DemoError> {
    let order = RecordId::derived(customer(1), "order");
    let lines = json!([
        {"id": "line000001", "name": "离心泵 P-100", "qty": "2", "unit": "台",
         "unit_price": "12800 CNY", "position": "1"},
        {"id": "line000002", "name": "备件包 A", "qty": "4", "unit": "套",
         "unit_price": "980 CNY", "position": "2"},
    ]);
    device.batch(&[json!({
        "do": "create", "entity": "sales_order", "id": order.to_string(),
        "fields": {
            "customer_id": customer(1).to_string(), "status": "draft", "currency": "CNY",
            "po_number": "PO-2026-117", "lines": lines,
        },
    })])?;
    let morning = Morning::new();
    morning.plan(device)?;
    Ok(Cast {
        morning,
        phone: customer(2),
        fields: customer(3),
        shared: customer(4),
        deal: imported("opportunity", "O0301"),
        staged: imported("opportunity", "O0302"),
        order,
        archived: customer(5),
    })
}

fn sync_all(devices: &[Device]) -> Result<(), DemoError> {
    for _ in 0..ROUNDS {
        for device in devices {
            device.json(&["sync"])?;
        }
    }
    Ok(())
}

fn work_offline(
    voice: &Voice,
    devices: &[Device],
    link: &Link,
    cast: &Cast,
    args: &DemoArgs,
    dice: &mut Dice,
) -> Result<Vec<Typed>, DemoError> {
    voice.step("The network is gone. Everybody works on.", "网络断了，大家照常工作。");
    link.set(Signal::None);
    let [lin, ..] = devices else { return Ok(Vec::new()) };
    let output = lin.attempt(&["sync"])?;
    let words = String::from_utf8_lossy(&output.stderr);
    let code = output.status.code().unwrap_or(-1);
    voice.line(
        &format!("`outrider sync` ends with code {code}: {}", words.trim()),
        &format!("`outrider sync` 以代码 {code} 结束：{}", words.trim()),
    );
    let mut typed = Vec::new();
    for (place, device) in devices.iter().enumerate() {
        let mut work = Work::default();
        act(&mut work, place, device.user, cast);
        cast.morning.edit(&mut work, place, device.user);
        add_random(&mut work, device.key, args.edits, dice);
        device.batch(&work.commands)?;
        cast.morning.tap(device, place)?;
        let waiting = device.json(&["status"])?;
        let waiting = waiting.get("waiting").and_then(Json::as_u64).unwrap_or(0);
        voice.line(
            &format!("{}: {} edits, {waiting} changes wait", device.user, work.commands.len()),
            &format!("{}：{} 次编辑，{waiting} 个变更待发送", device.user, work.commands.len()),
        );
        typed.extend(work.typed);
    }
    // Every visit counts once: 1 + 2 + 3.
    let total = Trace::Sum { field: "visits".to_owned(), total: 6 };
    typed.push(Typed { record: cast.shared, trace: total });
    Ok(typed)
}

/// What each person does in the story.
fn act(work: &mut Work, place: usize, user: &str, cast: &Cast) {
    let visits = place + 1;
    let tag = format!("from-{place}");
    let words = format!("{user} was here ({visits}).");
    work.edit(
        cast.shared,
        &json!({ "visits": {"add": visits}, "tags": {"add": [tag, "key-account"]}, "notes": words }),
        vec![
            Trace::Member { field: "tags".to_owned(), member: tag },
            Trace::Member { field: "tags".to_owned(), member: "key-account".to_owned() },
            Trace::Words { field: "notes".to_owned(), words },
        ],
    );
    let cell = |column: &str, value: Json| Trace::Cell {
        field: "lines".to_owned(),
        column: column.to_owned(),
        value,
    };
    match place {
        0 => {
            work.set(cast.phone, "phone", &json!("+86 21 6000 1111"));
            work.set(cast.fields, "short_name", &json!("老客户"));
            work.set(cast.deal, "expected_amount", &json!("180000.00 CNY"));
            stage(work, cast.staged, "proposal");
            let edit = json!({"lines": {"edit": {"line000001": {"qty": "5"}}}});
            work.edit(cast.order, &edit, vec![cell("qty", json!("5"))]);
            work.commands.push(json!({"do": "archive", "record": cast.archived.to_string()}));
        }
        1 => {
            work.set(cast.phone, "phone", &json!("+44 113 496 2222"));
            work.set(cast.fields, "website", &json!("https://example.com/pumps"));
            work.set(cast.deal, "expected_amount", &json!("210000.00 CNY"));
            stage(work, cast.staged, "negotiation");
            let add = json!({"lines": {"add": [
                {"id": "line000003", "name": "Seal kit SK-3", "qty": "6",
                 "unit_price": "410 CNY", "position": "3"},
            ], "remove": ["line000001"]}});
            work.edit(cast.order, &add, vec![cell("name", json!("Seal kit SK-3"))]);
            work.set(cast.archived, "short_name", &json!("still a customer"));
        }
        _ => {
            work.set(cast.fields, "employees", &json!(777));
            let add = json!({"lines": {"add": [
                {"id": "line000004", "name": "现场检修", "qty": "1",
                 "unit_price": "2400 CNY", "position": "4"},
            ]}});
            work.edit(cast.order, &add, vec![cell("name", json!("现场检修"))]);
        }
    }
}

fn stage(work: &mut Work, record: RecordId, to: &str) {
    let trace = Trace::Stage { to: to.to_owned() };
    work.edit(record, &json!({ "sales_stage": to }), vec![trace]);
}

fn come_back(
    voice: &Voice,
    devices: &[Device],
    link: &Link,
    dice: &mut Dice,
) -> Result<(), DemoError> {
    voice.step(
        "A bar of signal, for moments at a time. They come back in any order.",
        "信号时有时无，设备以任意顺序恢复连接。",
    );
    let mut order: Vec<&Device> = devices.iter().collect();
    dice.shuffle(&mut order);
    for device in order {
        let mut attempts = 0;
        loop {
            attempts += 1;
            // Each attempt gets a little further; the last ones have a good line.
            let room = 200 + dice.below(4_000 * attempts as usize) as u64;
            let is_good = attempts > 6 || dice.below(4) == 0;
            link.set(if is_good { Signal::Good } else { Signal::CutAfter(room) });
            let output = device.attempt(&["sync"])?;
            if output.status.success() {
                break;
            }
            if attempts >= ATTEMPTS_MAX {
                let words = String::from_utf8_lossy(&output.stderr).into_owned();
                return Err(DemoError::Command { command: "outrider sync".to_owned(), words });
            }
        }
        voice.line(
            &format!("{}: through after {attempts} attempts", device.user),
            &format!("{}：第 {attempts} 次尝试成功", device.user),
        );
    }
    link.set(Signal::Good);
    sync_all(devices)
}

fn report(voice: &Voice, verdict: &Verdict, typed: &[Typed]) {
    voice.step("Is everything there, and the same everywhere?", "数据是否齐全、各处一致？");
    let agree = verdict.is_converged;
    voice.line(
        &format!("rows and documents equal on all devices and the server: {agree}"),
        &format!("所有设备与服务器的数据一致：{agree}"),
    );
    let (count, lost) = (typed.len(), verdict.lost.len());
    voice.line(
        &format!(
            "{count} things typed offline, {lost} lost, {} fields in conflict",
            verdict.conflicts
        ),
        &format!("离线输入 {count} 项，丢失 {lost} 项，{} 个字段存在冲突", verdict.conflicts),
    );
    for lost in verdict.lost.iter().take(10) {
        voice.line(&format!("LOST {lost}"), &format!("丢失 {lost}"));
    }
}

fn show_merges(voice: &Voice, device: &Device, cast: &Cast) -> Result<(), DemoError> {
    voice.step("What merged by itself:", "自动合并的内容：");
    let get = |record: RecordId| device.json(&["get", &record.to_string()]);
    let show = |json: &Json, names: &[&str]| {
        let found = names.iter().filter_map(|name| Some(format!("{name} = {}", json.get(name)?)));
        found.collect::<Vec<_>>().join(", ")
    };
    let fields = get(cast.fields)?;
    let line = show(&fields, &["short_name", "website", "employees"]);
    voice.line(
        &format!("different fields of one record: {line}"),
        &format!("同一记录的不同字段：{line}"),
    );
    let shared = get(cast.shared)?;
    let line = show(&shared, &["tags", "visits"]);
    voice.line(&format!("tags and a counter: {line}"), &format!("标签与计数：{line}"));
    let notes = shared.get("notes").and_then(Json::as_str).unwrap_or_default();
    voice.line(
        &format!("one text, three writers: {notes}"),
        &format!("三人写的同一段备注：{notes}"),
    );
    let staged = get(cast.staged)?;
    let line = show(&staged, &["sales_stage"]);
    voice.line(
        &format!("two stages, the higher counts: {line}"),
        &format!("两个阶段，取较高者：{line}"),
    );
    let order = get(cast.order)?;
    for row in order.get("lines").and_then(Json::as_array).into_iter().flatten() {
        let line = show(row, &["name", "qty", "is_revived"]);
        voice.line(&format!("order line: {line}"), &format!("订单明细：{line}"));
    }
    let line = show(&order, &["amount"]);
    voice.line(&format!("order total, derived: {line}"), &format!("订单金额（推算）：{line}"));
    let visit = get(cast.morning.visit)?;
    let line = show(&visit, &["status", "visit_minutes", "check_in_verdict", "checklist_left"]);
    voice.line(&format!("a visit: {line}"), &format!("拜访：{line}"));
    let notes = visit.get("notes").and_then(Json::as_str).unwrap_or_default().replace('\n', " ");
    voice.line(&format!("its notes, by three: {notes}"), &format!("三人写的拜访记录：{notes}"));
    let part = get(cast.morning.part)?;
    let line = show(&part, &["stock_quantity", "stock_status"]);
    voice.line(&format!("the part's stock, a sum of moves: {line}"), &format!("配件库存：{line}"));
    let line = show(&get(cast.morning.lead)?, &["status"]);
    voice.line(
        &format!("one lead, converted by two reps, is one customer: {line}"),
        &format!("两人各自转换同一线索，只得到一个客户：{line}"),
    );
    let archived = get(cast.archived)?;
    let line = show(&archived, &["is_revived", "short_name"]);
    voice.line(
        &format!("archived beside an edit, so it came back: {line}"),
        &format!("归档的同时有人编辑，记录恢复：{line}"),
    );
    Ok(())
}

/// Anna settles the conflict about the amount; everybody sees it.
fn settle(voice: &Voice, devices: &[Device], cast: &Cast) -> Result<bool, DemoError> {
    voice.step("What a person must settle:", "需要人工裁定的内容：");
    let [_, anna, _] = devices else { return Ok(false) };
    let deal = cast.deal.to_string();
    let conflicts = anna.json(&["conflicts", &deal])?;
    for conflict in conflicts.as_array().into_iter().flatten() {
        for value in conflict.get("values").and_then(Json::as_array).into_iter().flatten() {
            let amount = value.get("value").map(ToString::to_string).unwrap_or_default();
            let by = value.get("by").and_then(Json::as_str).unwrap_or("?");
            voice.line(&format!("{by} wrote {amount}"), &format!("{by} 写了 {amount}"));
        }
    }
    anna.json(&["settle", &deal, "expected_amount", "--value", "210000 CNY"])?;
    sync_all(devices)?;
    let mut is_settled = true;
    for device in devices {
        let left = device.json(&["conflicts", &deal])?;
        is_settled &= left.as_array().is_some_and(Vec::is_empty);
    }
    voice.line(
        &format!("Anna Foster chose 210000.00 CNY; settled on every device: {is_settled}"),
        &format!("Anna Foster 选择 210000.00 CNY；所有设备均已更新：{is_settled}"),
    );
    Ok(is_settled)
}

fn export(
    voice: &Voice,
    device: &Device,
    cast: &Cast,
    folder: &std::path::Path,
) -> Result<(), DemoError> {
    voice.step(
        "The data belongs to its owner: a record's history as an Automerge file.",
        "数据归用户所有：把一条记录的历史导出为 Automerge 文件。",
    );
    let file = folder.join("customer.automerge");
    let path = file.to_string_lossy();
    device.json(&["export", &cast.phone.to_string(), "--automerge", &path])?;
    let size = fs::metadata(&file).map_err(DemoError::io("reading the export"))?.len();
    voice.line(&format!("{path}, {size} bytes"), &format!("{path}，{size} 字节"));
    Ok(())
}

fn go_on(voice: &Voice, server: &mut Server, devices: &[Device], cast: &Cast) {
    voice.step("The server goes on; end it with Ctrl-C.", "服务器继续运行，按 Ctrl-C 结束。");
    for device in devices.iter().take(1) {
        let home = device.home.display();
        let lines = ["list customer --limit 5", "conflicts", "report pipeline"];
        for line in lines {
            let text = format!("outrider --home {home} {line}");
            voice.line(&text, &text);
        }
    }
    voice.step("What the office sees:", "办公室看到的内容：");
    let page = format!("http://{}/records/visit/{}", server.address, cast.morning.visit);
    let password = &server.password;
    voice.line(
        &format!("open {page} and sign in as admin with the password {password}"),
        &format!("打开 {page}，以 admin 登录，密码 {password}"),
    );
    server.wait();
}
