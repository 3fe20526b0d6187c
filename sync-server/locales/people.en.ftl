# Words about people: signing in, accounts, the audit. The same keys, in the same order, as in
# people.zh.ftl.

nav-me = My account
nav-accounts = Accounts
nav-audit = Audit
failure-looking = You are looking as somebody else, so nothing can be written. Stop looking first.

code-factor-title = One more step
code-factor-words = Type the code that your authenticator app shows.
code-factor = Code
code-factor-recovery = Without the app: type one of your recovery codes.
code-wrong = The code is wrong, or was used already. Wait for the next one.
code-again = It took too long, or there were too many tries. Sign in again.
code-too-many = Too many codes were tried for this account. Wait a few minutes, then sign in again.
code-sealed = The code cannot be checked, because the server's key was replaced. Use a recovery code, or ask an administrator to reset your second factor.

me-language = Language
me-password = Password
me-password-old = Password of today
me-password-new = New password
me-password-again = New password again
me-password-hint = 12 characters or more. Wherever else you are signed in, you are signed out.
me-password-button = Change password
me-password-done = The password was changed. You are signed out everywhere else.
me-password-wrong = The password is wrong.
me-password-short = The new password needs 12 characters or more.
me-password-twice = The two new passwords differ.
me-factor = Second factor
me-factor-on = Signing in asks for a code of your app.
me-factor-left = { $count ->
    [one] 1 recovery code is left.
   *[other] { $count } recovery codes are left.
}
me-factor-off = Signing in asks for your password alone. With an authenticator app, who learns your password still cannot sign in.
me-factor-begin = Set up an app
me-factor-remove = Remove
me-factor-removed = The second factor was removed.
me-factor-there = There is a second factor already. Remove it first.
me-sessions = Where you are signed in
me-browser = Browser
me-browser-unknown = A browser
me-since = Signed in
me-seen = Last seen
me-this = this one
me-sessions-end = Sign out everywhere else
me-sessions-done = You are signed out everywhere else.

factor-title = Set up an authenticator app
factor-picture = QR code for the authenticator app
factor-words = Scan the picture with the app, or type the secret. Then type the code that the app shows.
factor-confirm = Confirm
factor-not-confirmed = The code was not right, so nothing has changed. Begin again, and see that the phone's clock is right.
factor-back = Back to my account
recovery-title = Recovery codes
recovery-words = The second factor is set. Each of these codes signs you in once without the app. They are shown this once: print them, or keep them where you keep passwords.

account-new = New account
account-user = Name under which edits are written
account-role = May
role-office = work with records
role-administrator = administer
account-make = Make the account
account-done = Done.
account-taken = There is an account with this login already.
account-invalid = Login and name need 1 to 100 characters.
account-last = Nobody may take this from their own account, or from the last administrator.
account-unknown = There is no such account or user.
account-off = switched off
account-since = Since
account-sessions = Signed in:
account-unlinked = no user record
account-link = User record
account-link-button = Link
account-reset = New password
account-factor-reset = Reset second factor
account-more = Make administrator
account-less = No administrator any more
account-disable = Switch off
account-enable = Switch on
account-password = New password
account-password-for = Password of { $name }
account-password-once = It is shown this once. Whoever was signed in with the account is signed out. Its owner should change it under “My account”.
account-back = Back to accounts
see-as = Look as this user
see-as-user = Look as a user without an account
see-as-banner = You are looking as { $name }. Nothing can be written.
see-as-stop = Stop

audit-lines = { $count ->
    [one] 1 line
   *[other] { $count } lines
}
audit-user = User or login
audit-who-id = Id of an account or device
audit-record-id = Id of a record
audit-action = What happened
audit-all = Everything
audit-filter = Show
audit-none = No such lines in what was looked through.
audit-number = No.
audit-when = When
audit-who = Who
audit-subject = To whom
audit-count = Count
audit-code = Details
audit-newest = Newest
audit-older = Older
audit-applied = changed
audit-refused = change refused
audit-forked = change with a taken number
audit-forwarded = change handed on to a merged record
audit-not-forwarded = change not handed on
audit-record-read = record opened
audit-history-read = history opened
audit-list-read = list opened
audit-search-read = searched
audit-report-read = report opened
audit-import-read = import opened
audit-audit-read = audit opened
audit-pulled = device synced
audit-fetched = device fetched documents
audit-exported = exported
audit-signed-in = signed in
audit-signed-out = signed out
audit-sign-in-failed = sign-in refused
audit-password-set = password set
audit-factor-set = second factor set up
audit-factor-removed = second factor removed
audit-recovery-used = recovery code used
audit-account-created = account made
audit-account-disabled = account switched off
audit-account-enabled = account switched on
audit-account-linked = account linked to a user
audit-role-set = role of an account set
audit-see-as-begun = looks as somebody else
audit-see-as-ended = stopped looking as somebody else
audit-author-added = writes at the office for the first time
audit-code-created = enrolment code made
audit-enrolled = device enrolled
audit-enrolment-refused = enrolment refused
audit-audit-pruned = old lines of the audit taken away
audit-audit-rewritten = THE AUDIT DOES NOT FIT WHAT A DEVICE REMEMBERS
