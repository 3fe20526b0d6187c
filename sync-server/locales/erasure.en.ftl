# Erasing a person, and telling a person's data.
erase-link = Erase or disclose…
erase-title = Erase a person
erase-what = What goes
erase-words = Every field and text of this record, its history, edits that wait, and what it is found by: at the office now, on each device at its next exchange, with what was typed there and not sent yet. Nobody can take it back. What stays is that there was a record, and where it belonged.
erase-with = These records are the same person and go with it:
erase-disclose = Everything that is known of this person, as a file
erase-confirm = To erase it, type the record's number:
erase-do = Erase for good
erase-not-confirmed = Nothing was erased: what you typed is not the record's number.
erase-already = This record was erased before.
erase-no-person = Contacts, customers, leads and users can be erased; this record is none of them.
erase-legal-hold = This record is under legal hold: nothing of it may be erased. If the hold has ended, take it away first.
erase-naming = Records that may still name the person
erase-naming-words = They stay as they are. They say the person's name, a number or an address in the same letters; open them and decide.
erase-naming-none = None.
erase-certificate = Certificate
erase-done-at = Erased at the office:
erase-overwritten = What was erased is overwritten in the office's files.
erase-not-overwritten = What was erased is not overwritten in the office's files yet; the next start of the server does it.
erase-confirmed = Devices that confirmed
erase-outstanding = Devices that have not confirmed yet
erase-last-contact = last heard of
erase-exported = { $count ->
    [one] One file with such records was exported before; nobody can reach it.
   *[other] { $count } files with such records were exported before; nobody can reach those.
}
erase-certificate-file = Certificate as a signed file
audit-erased = person erased
audit-disclosed = person's data disclosed
