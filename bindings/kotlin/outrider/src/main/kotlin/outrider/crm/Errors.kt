// What went wrong, for people and for programs.
package outrider.crm

import outrider.CrmException

/** A stable word for programs: `required`, `disk_full`, `unreachable`, … */
public val CrmException.code: String
    get() = when (this) {
        is CrmException.Invalid -> code
        is CrmException.NotFound -> code
        is CrmException.NotPermitted -> code
        is CrmException.Refused -> code
        is CrmException.NotEnrolled -> code
        is CrmException.WaitsForApproval -> code
        is CrmException.Offline -> code
        is CrmException.Untrusted -> code
        is CrmException.Barred -> code
        is CrmException.Wiped -> code
        is CrmException.Locked -> code
        is CrmException.KeyUnavailable -> code
        is CrmException.WrongKey -> code
        is CrmException.StorageFull -> code
        is CrmException.Damaged -> code
        is CrmException.InUse -> code
        is CrmException.Closed -> code
        is CrmException.Cancelled -> code
        is CrmException.TooMuch -> code
        is CrmException.OutOfDate -> code
        is CrmException.Failed -> code
    }

/** What happened and what to do next, in the user's language. */
public val CrmException.sentence: String get() = toString()

/** Whether trying again later may help without anybody doing something. */
public val CrmException.isPassing: Boolean
    get() = when (this) {
        is CrmException.Offline, is CrmException.InUse, is CrmException.KeyUnavailable, is CrmException.Cancelled,
        is CrmException.Closed, is CrmException.WaitsForApproval -> true

        else -> false
    }
