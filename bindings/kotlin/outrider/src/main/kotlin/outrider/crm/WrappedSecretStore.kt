// The key of the encrypted records in a file, wrapped by a key that never leaves the platform's hardware.
package outrider.crm

import java.io.File
import java.io.RandomAccessFile
import outrider.*

/** A key of the platform that wraps another. */
public interface KeyWrap {
    /** Encrypts; makes the platform's key first if there is none. */
    public fun wrap(secret: ByteArray): ByteArray

    /** Decrypts. It throws [PlatformException.Locked] while the platform's key cannot be used. */
    public fun unwrap(wrapped: ByteArray): ByteArray

    /** Destroys the platform's key, and with it what it wrapped. */
    public fun destroy()
}

/**
 * Keeps one secret in [file], which belongs where backups do not look. Several processes may use the same file: one
 * after the other holds the lock beside it.
 */
public class WrappedSecretStore(private val file: File, private val wrap: KeyWrap) : SecretStore {
    override fun load(): ByteArray? = alone { read() }

    override fun keep(secret: ByteArray): ByteArray = alone {
        read() ?: secret.also { write(wrap.wrap(it)) }
    }

    override fun erase(): Boolean = alone {
        // Without its key the file is worth nothing: that goes first.
        wrap.destroy()
        val had = file.exists()
        if (had && !file.delete()) throw PlatformException.Failed("${file.name} cannot be removed")
        had
    }

    private fun read(): ByteArray? = if (file.exists()) wrap.unwrap(file.readBytes()) else null

    /** Whole or not at all, and on the disk before this returns. */
    private fun write(bytes: ByteArray) {
        val new = File(file.path + ".new")
        RandomAccessFile(new, "rw").use {
            it.setLength(0)
            it.write(bytes)
            it.fd.sync()
        }
        if (!new.renameTo(file)) throw PlatformException.Failed("${file.name} cannot be written")
    }

    private fun <T> alone(work: () -> T): T = synchronized(LOCK) {
        file.absoluteFile.parentFile?.mkdirs()
        RandomAccessFile(file.path + ".lock", "rw").use { lock ->
            lock.channel.lock().use { work() }
        }
    }

    private companion object {
        /** A process may not ask twice for the same lock of a file. */
        val LOCK = Any()
    }
}
