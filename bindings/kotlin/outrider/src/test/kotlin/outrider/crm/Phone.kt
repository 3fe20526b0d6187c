// What a phone brings, as this test wants it.
package outrider.crm

import outrider.*

/** A phone; what is not given is as on a desktop, except the key, which is in memory. */
class Phone(
    val secrets: SecretStore = KeyInMemory(),
    signer: DeviceSigner? = null,
    transport: HttpTransport? = null,
    hints: DeviceHints? = null,
    position: PositionSource? = null,
    clock: WallClock? = null
) {
    val platform = Platform(secrets, signer, transport, hints, position, clock)
}

/** A key that is gone with the test. */
class KeyInMemory(private var secret: ByteArray? = null) : SecretStore {
    @Volatile
    var isLocked = false

    @Synchronized
    override fun load(): ByteArray? {
        if (isLocked) throw PlatformException.Locked("the screen is locked")
        return secret
    }

    @Synchronized
    override fun keep(secret: ByteArray): ByteArray = load() ?: secret.also { this.secret = it }

    @Synchronized
    override fun erase(): Boolean = (secret != null).also { secret = null }
}

/** Network and power as they are set. */
class Hints(@Volatile var network: Network = Network.UNMETERED, @Volatile var power: Power = Power.BATTERY) :
    DeviceHints {
    override fun network(): Network = network

    override fun power(): Power = power
}

/** Where the device is. */
class Position(private val here: GeoPoint?) : PositionSource {
    override fun position(): GeoPoint? = here
}
