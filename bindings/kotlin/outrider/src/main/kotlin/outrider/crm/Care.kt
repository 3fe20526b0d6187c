// Where this device stands, what may be wrong with it, and what support may see.
package outrider.crm

import outrider.*

/** Where this device stands. */
public suspend fun Crm.status(): DeviceStatus = read { status() }

/** What the records take on the disk. */
public suspend fun Crm.storage(): StorageUse = await { cancel -> storage(cancel) }

/** Looks whether something is wrong with the records; it reads them all. */
public suspend fun Crm.diagnose(): List<Finding> = await { cancel -> diagnose(cancel) }

/** Does the repair that a finding names; tells how much was repaired. */
public suspend fun Crm.repair(fix: String): ULong = await { cancel -> repair(fix, cancel) }

/** Writes a file for support, with nothing in it that anybody typed. */
public suspend fun Crm.writeSupportBundle(file: String, log: String? = null): SupportBundle =
    await { cancel -> writeSupportBundle(file, log, cancel) }
