# 办公页面用语。键与 en.ftl 相同、顺序相同，由测试核对。

skip-to-content = 跳到正文
nav-menu = 菜单
nav-close = 关闭菜单
nav-today = 今天
nav-pipeline = 销售漏斗
nav-devices = 设备
nav-records = 记录
language-switch = Read in English / 用英文阅读
your-time = 本地时间

sign-in-title = 登录
sign-in-login = 登录名
sign-in-password = 密码
sign-in-button = 登录
sign-in-wrong = 登录名或密码不正确。
sign-in-too-many = 该登录名尝试次数过多。请等几分钟再试。
sign-in-ended = 会话已结束。请重新登录后继续。
sign-in-kept = 您填写的内容已保留，登录后会回到表单中。
sign-out = 退出
send-again-title = 这份表单来自之前的会话
send-again-words = 您之后重新登录过。填写的内容已保留：继续即可看到原来的表单，然后再保存。
send-again-button = 重新显示表单

failure-title = 未能完成
failure-home = 回到今天
failure-not-found = 这里没有内容。可能地址有误，或该记录不在此服务器上。
failure-forbidden = 您的账号没有此权限。请联系管理员。
failure-stale = 这份表单不是从您的页面提交的。请重新加载页面后再试。
failure-query = 地址或表单内容有误。请返回后重试。
failure-busy = 服务器繁忙。请稍候重新加载页面。
failure-too-many = 请求过多。请等一分钟再加载页面。
failure-too-large = 内容过大，无法一次提交。请返回并分几次保存。
failure-server = 服务器出错。您的内容没有丢失：请返回重试；如仍不行，请告知管理员。

live-news = 有新数据
live-changed = 已更改：
live-away = 连接中断，正在重试。
live-back = 已重新连接。
live-compare = 显示

today-since = 起始于
today-arrived = 条更改到达
today-conflicts = 待处理冲突
today-devices = 台设备联系过
today-by-person = 谁提交了什么
today-nothing = 今天还没有更改到达。
today-no-conflicts = 没有冲突，大家的数据一致。
today-record = 记录
today-cut = 仅显示最近的部分。

list-search = 按名称搜索
list-find = 搜索
list-archived = 含已归档
list-new = 新建
list-of = 关联到
list-all = 显示全部
list-empty = 没有记录。请修改搜索条件，或新建一条。
list-pages = 分页
list-first = 第一页
list-next = 下一页
list-total = 共 { $count } 条

group-details = 基本信息
group-computed = 计算值
group-restricted = 受限信息
group-record = 记录信息

record-edit = 编辑
record-archive = 归档
record-restore = 恢复
record-archived = 已归档
record-revived = 已自动恢复：归档期间有人编辑

conflict-count = { $count } 处冲突
conflict-several = 有多个值
conflict-must = 必须处理
conflict-shown = 当前显示
conflict-take = 采用此值
conflicts-title = 多人同时修改了这里
conflicts-words = 没有丢失任何内容。请选择正确的值，所有设备都会得到您的选择。

related-title = 相关记录
related-all = 显示全部
related-new = 新建

file-title = 历史与文件
file-json = 下载 JSON
file-automerge = 下载 Automerge 文件（{ $name }）

history-link = 完整历史
history-received = 收到时间
history-field = 字段
history-device = 设备

done-created = 已创建。
done-saved = 已保存。设备下次同步时会收到。
done-same = 没有任何更改。
done-settled = 已处理。所有设备都会得到您的选择。
done-archived = 已归档，可以恢复。
done-restored = 已恢复。

new-heading = 新建：{ $name }
edit-heading = 编辑：{ $name }
form-problems = 尚未保存，请检查：
form-save = 保存
form-cancel = 取消
form-required = 必填
form-add = 添加
form-add-row = 添加一行
form-remove = 删除
form-counter = 请填写增加的数量。
form-fixed = 不可更改
form-link = 输入名称
form-pick = 请选择…

problem-required = 请填写此项。
problem-choose = 没有唯一匹配的记录。请选择一条，或输入更完整的名称。
problem-not-a-number = 请输入整数。
problem-too-many-rows = 一次添加的行过多，请先保存一部分。
problem-too-long = 内容过长（{ $name }），请缩短。
problem-out-of-range = 超出范围（{ $name }）。
problem-too-precise = 小数位过多（{ $name }），请四舍五入。
problem-ends-before-start = 结束早于开始，请更正其中之一。
problem-unknown-choice = 请从列表中选择。
problem-currency = 请输入币种代码，例如 CNY。
problem-malformed = 请更正（{ $name }）。
problem-said = 未被接受（{ $name }）。

part-amount = 金额
part-currency = 币种
part-start = 开始
part-end = 结束
part-time-zone = 时区
part-all-day = 全天
part-country = 国家
part-province = 省
part-city = 市
part-district = 区县
part-street = 街道
part-postcode = 邮编
part-family = 姓
part-given = 名
part-full = 全名
part-salutation = 称谓
part-lat = 纬度
part-lon = 经度
part-accuracy = 精度（米）
part-source = 来源

pipeline-stage = 阶段
pipeline-count = 数量
pipeline-amount = 金额
pipeline-weighted-amount = 加权金额
pipeline-totals = 合计
pipeline-open = 进行中
pipeline-weighted = 进行中（加权）
pipeline-listed = 进行中无金额（按目录价）
pipeline-won = 赢单
pipeline-lost = 输单
pipeline-rate = 赢单率
pipeline-by-agent = 按销售人员的赢单
pipeline-by-region = 按区域的赢单

devices-none = 还没有设备。生成注册码即可接入。
device-name = 设备
device-user = 用户
device-enrolled = 注册时间
device-contact = 最近联系
device-changes = 更改数
device-office = 办公端
code-new = 接入新设备
code-user = 使用者姓名
code-minutes = 注册码有效分钟数
code-make = 生成注册码
code-title = 注册码
code-for = { $name }的注册码
code-picture = 供应用扫描的二维码
code-words = 用应用扫描二维码，或输入注册码：
code-until = 有效期至
code-once = 只能接入一台设备、只能使用一次，且不再显示。
code-command = 命令行方式
code-back = 返回设备列表
code-minutes-wrong = 分钟数须在 1 到 10080 之间。
code-user-wrong = 使用者姓名须为 1 到 100 个字符。
