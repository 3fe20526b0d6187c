// What the phone knows about itself: network, power, position.
package outrider.android

import android.Manifest
import android.annotation.SuppressLint
import android.content.Context
import android.content.pm.PackageManager
import android.location.Location
import android.location.LocationManager
import android.net.ConnectivityManager
import android.net.NetworkCapabilities
import android.os.BatteryManager
import android.os.Build
import android.os.CancellationSignal
import android.os.PowerManager
import java.util.concurrent.CompletableFuture
import java.util.concurrent.Executor
import java.util.concurrent.TimeUnit
import java.util.concurrent.TimeoutException
import outrider.*

/** Network and power of now. */
public class AndroidHints(private val context: Context) : DeviceHints {
    override fun network(): Network {
        val connections = context.getSystemService(ConnectivityManager::class.java)
        val can = connections.getNetworkCapabilities(connections.activeNetwork) ?: return Network.OFFLINE
        return when {
            !can.hasCapability(NetworkCapabilities.NET_CAPABILITY_INTERNET) -> Network.OFFLINE
            can.hasCapability(NetworkCapabilities.NET_CAPABILITY_NOT_METERED) -> Network.UNMETERED
            else -> Network.METERED
        }
    }

    override fun power(): Power = when {
        context.getSystemService(PowerManager::class.java).isPowerSaveMode -> Power.SAVER
        context.getSystemService(BatteryManager::class.java).isCharging -> Power.CHARGING
        else -> Power.BATTERY
    }
}

/** Where the phone is, if the user lets the app know; whoever checks in waits at most [patienceMs] for it. */
public class AndroidPosition(private val context: Context, private val patienceMs: Long = 10_000) : PositionSource {
    @SuppressLint("MissingPermission") // It is asked for in the first line.
    override fun position(): GeoPoint? {
        val allowed = context.checkSelfPermission(Manifest.permission.ACCESS_FINE_LOCATION)
        if (allowed != PackageManager.PERMISSION_GRANTED) return null
        val places = context.getSystemService(LocationManager::class.java)
        val provider = LocationManager.GPS_PROVIDER.takeIf { places.isProviderEnabled(it) }
            ?: LocationManager.NETWORK_PROVIDER
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.R) return places.getLastKnownLocation(provider)?.point()
        val found = CompletableFuture<Location?>()
        val signal = CancellationSignal()
        // In the thread that the system answers in: it only hands over.
        places.getCurrentLocation(provider, signal, Executor { it.run() }) { found.complete(it) }
        return try {
            found.get(patienceMs, TimeUnit.MILLISECONDS)?.point()
        } catch (_: TimeoutException) {
            signal.cancel()
            places.getLastKnownLocation(provider)?.point()
        }
    }

    private fun Location.point() = GeoPoint(latitude, longitude, accuracy.toUInt(), provider.orEmpty())
}
