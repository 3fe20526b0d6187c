# Words of the office pages. The same keys, in the same order, as in zh.ftl; a test compares them.

skip-to-content = Skip to content
nav-menu = Menu
nav-close = Close menu
nav-today = Today
nav-pipeline = Pipeline
nav-devices = Devices
nav-records = Records
nav-more = More records
language-switch = 用中文阅读 / Read in Chinese
your-time = your time

sign-in-title = Sign in
sign-in-login = Login
sign-in-password = Password
sign-in-button = Sign in
sign-in-wrong = Login or password is wrong.
sign-in-too-many = Too many attempts with this login. Wait a few minutes, then try again.
sign-in-ended = You were signed out meanwhile. Sign in again to go on.
sign-in-kept = What you typed is kept and will be in the form again.
sign-out = Sign out
send-again-title = This form is from an earlier session
send-again-words = You have signed in again since. What you typed is kept: go on to see the form as you filled it in, and save it then.
send-again-button = Show the form again

failure-title = This did not work
failure-home = Go to Today
failure-not-found = There is nothing here. The address may be mistyped, or the record is not on this server.
failure-forbidden = Your account may not do this. Ask an administrator.
failure-stale = This form did not come from a page of yours. Load the page again and repeat it.
failure-query = The address or form says something that cannot be. Go back and try again.
failure-busy = The server is busy. Wait a moment and load the page again.
failure-too-many = Too many requests. Wait a minute and load the page again.
failure-too-large = This is too large to be sent at once. Go back and save in smaller steps.
failure-server = The server failed. Nothing was lost on your side: go back and try again, and tell the administrator if it stays.

live-news = New data
live-changed = Changed:
live-away = Connection lost; trying again.
live-back = Connected again.
live-compare = Show it

today-since = since
today-arrived = changes arrived
today-conflicts = open conflicts
today-devices = devices heard of
today-by-person = Who sent what
today-nothing = Nothing has arrived today.
today-no-conflicts = No conflicts. Everybody agrees.
today-record = Record
today-more = { $count ->
    [one] 1 more
   *[other] { $count } more
}
today-cut = Only the latest are shown.

search-everywhere = Search everything
search-title = Search
search-of = Search: { $name }
search-total = { $count ->
    [one] { $count } record
   *[other] { $count } records
}
search-sorts = Sorts of records
search-slip = Nothing is written exactly so. These differ by one letter, or sound the same.
search-cut = There are more. The best of the first 2,000 are shown; another word narrows it down.
search-how = Type words or their beginnings, Chinese characters, pinyin or initials, part of a phone number or e-mail address. Quotes keep words together.
search-empty = Nothing was found.
near-title = Near a place
near-at = Degrees north, then east
near-all = All with a position
near-empty = Nothing has a position there.
near-this = Near here
filter-saved = Saved filters
filter-save = Save as filter
filter-name = Name of the filter
filter-shared = For everybody
list-search = Search by name
list-find = Search
export-title = Export
export-csv = CSV file
export-xlsx = Excel workbook (XLSX)
export-json = JSON file
export-vcf = Contact card (vCard)
export-ics = Calendar (ICS)
list-archived = With archived
list-new = New
list-of = Linked to
list-all = show all
list-empty = No records. Change the search, or create one.
list-pages = Pages
list-first = First page
list-next = Next page
list-total = { $count ->
    [one] 1 record
   *[other] { $count } records
}

group-details = Details
group-computed = Computed
group-restricted = Restricted
group-record = About this record

record-edit = Edit
record-archive = Archive
record-restore = Restore
record-archived = Archived
record-revived = Came back: edited while archived

conflict-count = { $count ->
    [one] 1 conflict
   *[other] { $count } conflicts
}
conflict-several = several values
conflict-must = must be settled
conflict-shown = shown now
conflict-take = Take this value
conflicts-title = Several people changed this at once
conflicts-words = Nothing was lost. Choose the value that is right; all devices get your choice.

related-title = Related
related-all = Show all
related-new = New

file-title = History and files
file-json = Download as JSON
file-automerge = Download as Automerge file ({ $name })

history-link = Complete history
history-heading = History: { $name }
history-made = Made
history-received = Received
history-who = Who
history-device = Device
history-field = Field
history-what = What
history-old = Before
history-new = After
history-approved = granted by { $name }
history-written = they wrote:
history-at = as it was
history-all-fields = All fields
history-filter = Filter
history-empty = Nothing has happened to this yet.
what-changed = changed
what-settled = settled
what-added = added
what-removed = removed
what-came-back = came back
what-archived = archived
what-restored = brought back
what-revived = came back by itself
what-edited = text edited
at-heading = As it was: { $name }
at-now = As it is now
at-words = This is the record as the server had it then, with all changes that had arrived.

timeline-title = Timeline
timeline-more = Earlier
timeline-empty = Nothing has happened yet.

done-created = Created.
done-saved = Saved. Devices get it with their next sync.
done-same = Nothing was changed.
done-settled = Settled. All devices get your choice.
done-archived = Archived. It can be brought back.
done-restored = Brought back.

new-heading = New: { $name }
edit-heading = Edit: { $name }
form-problems = Not saved yet. Please look at:
form-save = Save
form-cancel = Cancel
form-required = must be filled in
form-add = Add
form-add-row = Add a row
form-remove = Remove
form-counter = Enter by how much it grows.
form-fixed = cannot be changed
form-link = Type a name
form-pick = Choose one…

problem-required = Please fill this in.
problem-choose = No single record has this name. Choose one, or type more of the name.
problem-not-a-number = Please enter a whole number.
problem-too-many-rows = Too many rows at once. Save some first.
problem-too-long = Too long: { $name }. Please shorten it.
problem-out-of-range = Out of range: { $name }.
problem-too-precise = Too many decimals: { $name }. Please round it.
problem-ends-before-start = The end is before the start. Please correct one of them.
problem-unknown-choice = Please choose from the list.
problem-currency = Please enter a currency code, such as CNY.
problem-malformed = Please correct this: { $name }.
problem-said = Not accepted: { $name }.

part-amount = Amount
part-currency = Currency
part-start = From
part-end = To
part-time-zone = Time zone
part-all-day = All day
part-country = Country
part-province = Province
part-city = City
part-district = District
part-street = Street
part-postcode = Postcode
part-family = Family name
part-given = Given name
part-full = Full name
part-salutation = Salutation
part-lat = Latitude
part-lon = Longitude
part-accuracy = Accuracy in metres
part-source = Source

pipeline-stage = Stage
pipeline-count = Count
pipeline-amount = Amount
pipeline-weighted-amount = Weighted amount
pipeline-totals = Totals
pipeline-open = Open
pipeline-weighted = Open, weighted
pipeline-listed = Open without amount, at list price
pipeline-won = Won
pipeline-lost = Lost
pipeline-rate = Win rate
pipeline-by-agent = Won by agent
pipeline-by-region = Won by region

devices-none = No devices yet. Make a code to let one in.
device-name = Device
device-user = User
device-enrolled = Enrolled
device-contact = Last contact
device-changes = Changes
device-office = office
devices-waiting = Waiting for approval
devices-compare = Approve a device when the fingerprint here is the one that the device itself shows.
device-fingerprint = Fingerprint of its key
device-asked = Asked
device-standing = Standing
device-acts = What can be done
device-approve = Approve
device-decline = Decline
device-lost = Lost?
device-revoke = Turn away for good
device-wipe = Have it wiped
device-wipe-ordered = Wipe ordered
device-wiped = Wiped
standing-active = let in
standing-pending = new
standing-suspended = was away for too long
standing-reused = an old token was used: perhaps a copy of it exists
standing-revoked = turned away
standing-user-disabled = its user is turned away
standing-wipe = to be wiped
code-at-once = Let the device in at once, without approval: I hand the code over myself
code-new = Let a device in
code-user = Name of its user
code-minutes = Minutes that the code is good
code-make = Make a code
code-title = Enrolment code
code-for = Enrolment code for { $name }
code-picture = QR code for the app
code-words = Scan the picture with the app, or type the code:
code-until = Good until
code-once = It lets one device in, once, and is not shown again.
code-command = On a command line
code-ca = The fingerprint of the authority behind this server. Compare it with what the device shows if you type it by hand.
code-back = Back to devices
code-minutes-wrong = The minutes must be between 1 and 10080.
code-user-wrong = The user's name must have 1 to 100 characters.

nav-import = Import
import-bring = Bring a file
import-formats = CSV in any encoding, XLSX, vCard, JSON, and Salesforce's data tree. Nothing is written before you say so.
import-size = A file may have { $count } MiB.
import-entity = What its rows are
import-find-out = Find out
import-file = File
import-look = Look at it
import-files = Files
import-none = Nothing was brought yet.
import-at = Brought
import-stage = State
import-waiting = waits for you
import-trying = is being tried
import-importing = is being imported
import-done = imported
import-interrupted = interrupted; start it again
import-no-file = Choose a file first.
import-back = All files
import-progress = { $count ->
    [one] { $count } row so far
   *[other] { $count } rows so far
}
import-tried = What importing would do
import-report = What was imported
import-rows = Rows
import-created = New
import-updated = Updated
import-unchanged = Unchanged
import-rejected = Rejected
import-empty = empty
import-missing = not found, left empty
import-ambiguous = named by several records, left empty
import-replaced = replaced, times
import-tidied = tidied, times
import-linked = Links of earlier imports that found their record
import-adopted = Records that were here already; only empty fields were filled
import-alike = May be the same as something that is here; see Duplicates
import-told = Rows to look at
import-row = Row
import-column = Column
import-reason = Why
import-errors = These rows as a file
import-show = Show the records
import-undo = Take the import back
import-undo-help = New records are archived, changed ones become as before, where nobody has changed them since.
import-undone-archived = archived
import-undone-restored = as before
import-undone-kept = kept, because somebody has changed them since
import-mapping = Which column becomes what
import-key = names the row
import-source = Name of the system it comes from
import-currency = Currency of bare amounts
import-region = Country of phone numbers
import-field = Becomes
import-example = For example
import-filled = Filled rows
import-replaces = Replaced
import-leave-out = – left out –
import-as-text = The mapping as text
import-text-help = What is changed here counts instead of the table above
import-look-again = Look again
import-try = Try it
import-do = Import
import-remove = Remove this file
import-note-unknown = not understood; their rows would be rejected:
import-note-dates = dates fit more than one order; taken was
import-note-required = required, and no column fills it; it stays empty
import-note-key = No column names a row; equal rows are told apart by their order.
import-note-currency = Amounts name no currency; taken was
import-note-type = records are of another type and are not taken; a mapping with that `record_type` does
# Records that may be the same
duplicates-title = Duplicates
duplicates-words = Pairs that may be the same. Merging keeps both halves and can be undone.
duplicates-none = No pairs were found.
duplicates-one = Record
duplicates-other = Other record
duplicates-why = Because of
duplicates-do = What to do
duplicates-merge = Merge…
duplicates-distinct = Not the same
duplicates-scanned = { $count ->
    [one] 1 record was compared
   *[other] { $count } records were compared
}
duplicates-next = Go on
likely-sure = surely the same
likely-possible = possibly the same
likely-name = name
likely-phone = phone
likely-email = e-mail
likely-number = tax number
likely-born = birthday
likely-address = address
likely-within = customer
likely-words = This may be here already:
likely-asked = This may be here already. Look before you create it once more.
likely-anyway = Create anyway
merge-title = Merge two records
merge-words = Choose for each field which value goes on. Nothing of either record is lost, and the merge can be undone.
merge-turn = The other way round
merge-field = Field
merge-goes = Is merged:
merge-goes-on = Goes on:
merge-both = both
merge-apart = each in its half
merge-do = Merge
merged-title = Merged
merged-into = This record was merged into
merged-words = What is written here goes on there.
merged-undo = Undo the merge
halves-title = Merged into this record
halves-words = Their related records are shown here; their notes and counters are in their own halves.
done-merged = Merged. It can be undone.
done-unmerged = The merge was undone.
