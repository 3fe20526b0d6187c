//! Words from which companies, people and products of the demo are made. All invented.

/// Places that begin Chinese company names, with province and postcode.
pub(super) const PLACES_ZH: &[(&str, &str, &str)] = &[
    ("上海", "上海市", "200000"),
    ("苏州", "江苏省", "215000"),
    ("杭州", "浙江省", "310000"),
    ("宁波", "浙江省", "315000"),
    ("青岛", "山东省", "266000"),
    ("成都", "四川省", "610000"),
    ("武汉", "湖北省", "430000"),
    ("深圳", "广东省", "518000"),
    ("厦门", "福建省", "361000"),
    ("西安", "陕西省", "710000"),
];

/// Brands of Chinese companies.
pub(super) const BRANDS_ZH: &[&str] = &[
    "云岭", "海拓", "金禾", "明远", "三川", "恒泰", "青石", "北辰", "长风", "瑞峰", "天工", "禾木",
    "星河", "华岳", "润泽", "启明", "东篱", "九州", "佳和", "安达",
];

/// Trades of Chinese companies, with the industry of the schema.
pub(super) const TRADES_ZH: &[(&str, &str)] = &[
    ("精密机械", "manufacturing"),
    ("医疗器械", "medical"),
    ("信息科技", "technology"),
    ("软件", "software"),
    ("新能源", "energy"),
    ("物流", "logistics"),
    ("食品", "retail"),
    ("建筑工程", "construction"),
    ("汽车零部件", "automotive"),
    ("农业", "agriculture"),
];

/// Brands of English company names.
pub(super) const BRANDS_EN: &[&str] = &[
    "Northwind",
    "Harborline",
    "Greyfield",
    "Kestrel",
    "Bluestone",
    "Fairmount",
    "Ironbridge",
    "Larkspur",
    "Silverlake",
    "Summit",
    "Cedar",
    "Falcon",
    "Meridian",
    "Pinecrest",
    "Redwood",
    "Sandpiper",
    "Thornbury",
    "Westgate",
    "Windrose",
    "Oakham",
];

/// Trades of English company names, with the industry of the schema.
pub(super) const TRADES_EN: &[(&str, &str)] = &[
    ("Turbines", "energy"),
    ("Logistics", "logistics"),
    ("Medical", "medical"),
    ("Robotics", "manufacturing"),
    ("Foods", "retail"),
    ("Software", "software"),
    ("Hotels", "hospitality"),
    ("Builders", "construction"),
    ("Motors", "automotive"),
    ("Farms", "agriculture"),
];

/// Cities of English-speaking customers, with their countries.
pub(super) const CITIES_EN: &[(&str, &str)] = &[
    ("Leeds", "United Kingdom"),
    ("Bristol", "United Kingdom"),
    ("Cork", "Ireland"),
    ("Boston", "United States"),
    ("Portland", "United States"),
    ("Halifax", "Canada"),
    ("Perth", "Australia"),
    ("Auckland", "New Zealand"),
];

/// Chinese family names.
pub(super) const FAMILIES_ZH: &[&str] = &[
    "王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "徐", "孙", "马", "朱", "胡", "林",
];

/// Chinese given names.
pub(super) const GIVEN_ZH: &[&str] = &[
    "小明", "晓燕", "建国", "丽华", "志强", "雨桐", "思远", "佳怡", "浩然", "静", "伟", "欣怡",
    "子轩", "海涛", "秀英", "梦琪",
];

/// English given names.
pub(super) const GIVEN_EN: &[&str] = &[
    "Alice", "Ben", "Clara", "Daniel", "Emma", "Frank", "Grace", "Henry", "Iris", "Jack", "Kate",
    "Liam", "Maya", "Noah", "Olive", "Peter",
];

/// English family names.
pub(super) const FAMILIES_EN: &[&str] = &[
    "Archer", "Bishop", "Carter", "Dawson", "Ellis", "Foster", "Griffin", "Hayes", "Ingram",
    "Jensen", "Keller", "Lawson", "Mercer", "Norris", "Osborn", "Porter",
];

/// Job titles, Chinese and English.
pub(super) const TITLES: &[(&str, &str)] = &[
    ("采购经理", "Purchasing manager"),
    ("总经理", "Managing director"),
    ("技术总监", "Technical director"),
    ("设备主管", "Plant engineer"),
    ("财务经理", "Finance manager"),
];

/// Products: name, category, price in yuan, unit.
pub(super) const PRODUCTS: &[(&str, &str, u32, &str)] = &[
    ("离心泵 P-100", "Pumps", 12_800, "台"),
    ("离心泵 P-200", "Pumps", 19_600, "台"),
    ("隔膜泵 D-50", "Pumps", 7_450, "台"),
    ("变频器 V-7", "Drives", 3_980, "台"),
    ("变频器 V-15", "Drives", 6_720, "台"),
    ("温度传感器 T1", "Sensors", 320, "只"),
    ("压力传感器 K3", "Sensors", 540, "只"),
    ("振动传感器 S9", "Sensors", 1_260, "只"),
    ("边缘网关 G2", "Gateways", 4_350, "台"),
    ("备件包 A", "Spare parts", 980, "套"),
    ("备件包 B", "Spare parts", 1_860, "套"),
    ("年度保养", "Services", 15_000, "年"),
    ("现场检修", "Services", 2_400, "次"),
    ("操作培训", "Services", 3_600, "天"),
    ("Control cabinet C4", "Cabinets", 22_500, "pc"),
    ("Valve set VS-8", "Valves", 1_150, "set"),
    ("Filter cartridge F12", "Spare parts", 260, "pc"),
    ("Seal kit SK-3", "Spare parts", 410, "set"),
    ("Remote monitoring", "Services", 9_800, "year"),
    ("Commissioning", "Services", 18_000, "visit"),
];

/// What was talked about, Chinese and English.
pub(super) const SUBJECTS: &[(&str, &str)] = &[
    ("讨论年度保养方案", "Talked about the yearly service plan"),
    ("报价后电话跟进", "Called after the quotation"),
    ("现场查看泵房", "Looked at the pump room on site"),
    ("备件交期确认", "Confirmed delivery of spare parts"),
    ("演示远程监控", "Showed remote monitoring"),
    ("处理发票问题", "Settled a question about an invoice"),
];
