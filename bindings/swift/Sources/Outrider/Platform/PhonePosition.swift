// Where the phone is. Not compiled where this was written: there is no Core Location on Linux.

#if canImport(CoreLocation)
    import CoreLocation
    import Foundation

    /// Asks for the position once, when somebody checks in. The app asks for permission beforehand
    /// (`NSLocationWhenInUseUsageDescription`); without it there is no position, and checking in goes on.
    public final class PhonePosition: NSObject, PositionSource, CLLocationManagerDelegate, @unchecked Sendable
    {
        /// Whoever stands at a door does not wait longer.
        private static let seconds = 5.0

        private let condition = NSCondition()
        private var manager: CLLocationManager?
        private var isAsking = false
        private var found: CLLocation?

        /// The position of now, if the user lets it be known.
        public func position() throws -> GeoPoint? {
            condition.withLock {
                (isAsking, found) = (true, nil)
                // A location manager wants a thread with a run loop.
                DispatchQueue.main.async { self.ask() }
                let deadline = Date(timeIntervalSinceNow: Self.seconds)
                while isAsking && condition.wait(until: deadline) {}
                isAsking = false
                return found.map {
                    GeoPoint(
                        latitude: $0.coordinate.latitude,
                        longitude: $0.coordinate.longitude,
                        accuracyM: UInt32(max(0, $0.horizontalAccuracy)),
                        source: "gps"
                    )
                }
            }
        }

        private func ask() {
            let manager = manager ?? CLLocationManager()
            self.manager = manager
            manager.delegate = self
            manager.desiredAccuracy = kCLLocationAccuracyNearestTenMeters
            manager.requestLocation()
        }

        private func end(with location: CLLocation?) {
            condition.withLock {
                (isAsking, found) = (false, location)
                condition.broadcast()
            }
        }

        /// The system has found it.
        public func locationManager(_ manager: CLLocationManager, didUpdateLocations locations: [CLLocation])
        {
            end(with: locations.last)
        }

        /// The system has not, or may not.
        public func locationManager(_ manager: CLLocationManager, didFailWithError error: any Error) {
            end(with: nil)
        }
    }
#endif
